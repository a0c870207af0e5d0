"""Has every record moved from one topic to another in transactions, however often brokers end meanwhile; then checks that each came
out once. A mover that ends or is stuck is followed by another, as whoever runs such a job would see to. Argument: how many
records."""

import signal
import subprocess
import sys
from pathlib import Path

import confluent_kafka
from clients import *
from confluent_kafka import TopicPartition

COUNT = int(sys.argv[1])
DEADLINE = time.monotonic() + 150

create_topic("source", 2)
create_topic("sink", 2)
feeder = confluent_kafka.Producer(confluent_options(enable_idempotence=True))
produce(feeder, "source", [b"%d" % number for number in range(COUNT)])
print("ready", flush=True)

stuck = 0
while True:
    ended = subprocess.run([sys.executable, "-B", Path(__file__).with_name("mover.py")], timeout=DEADLINE - time.monotonic())
    if ended.returncode == 0:
        break
    expect(ended.returncode == -signal.SIGALRM, f"a mover that is done or stuck, got exit {ended.returncode}")
    stuck += 1

reader = confluent_kafka.Consumer(confluent_options(group_id="none", isolation_level="read_committed"))
reader.assign([TopicPartition("sink", partition, 0) for partition in range(2)])
values, until = [], time.monotonic() + 10
while time.monotonic() < until:
    message = reader.poll(0.2)
    if message is not None and message.error() is None:
        values.append(int(message.value()))
        until = time.monotonic() + 2
missing = sorted(set(range(COUNT)) - set(values))
expect(not missing, f"every record, {len(missing)} are missing: {missing[:20]}")
expect(len(values) == COUNT, f"each record once, got {len(values)} of {COUNT}")
print(f"movers stuck and replaced: {stuck}")
