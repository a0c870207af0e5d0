"""Reads, transforms and writes in transactions until everything is done, however often brokers end meanwhile; then checks that each
record came out once. Argument: how many records."""

import sys

import confluent_kafka
from clients import *
from confluent_kafka import KafkaException, TopicPartition

COUNT = int(sys.argv[1])
PARTITIONS = [TopicPartition("source", 0), TopicPartition("source", 1)]
STARTED = time.monotonic()
DEADLINE = STARTED + 150


def patient(action):
    """The result of what may fail while brokers are away."""
    while True:
        try:
            return action()
        except KafkaException as error:
            expect(time.monotonic() < DEADLINE, f"an end of the outages, got {error}")
            time.sleep(0.2)


def new_producer():
    options = confluent_options(
        transactional_id="mover", linger_ms=2, transaction_timeout_ms=20000, socket_timeout_ms=5000, retry_backoff_ms=50
    )
    made = confluent_kafka.Producer(options)
    made.init_transactions(20)
    return made


def finish(made):
    """Commits; what may be repeated is repeated."""
    while True:
        try:
            return made.commit_transaction(10)
        except KafkaException as error:
            expect(time.monotonic() < DEADLINE, "a decision")
            if not error.args[0].retriable():
                raise


create_topic("source", 2)
create_topic("sink", 2)
feeder = confluent_kafka.Producer(confluent_options(enable_idempotence=True))
produce(feeder, "source", [b"%d" % number for number in range(COUNT)])
print("ready", flush=True)

options = confluent_options(
    group_id="movers", isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest",
    socket_timeout_ms=5000, session_timeout_ms=30000, reconnect_backoff_max_ms=500,
)
consumer = confluent_kafka.Consumer(options)
consumer.assign([TopicPartition("source", it.partition, 0) for it in PARTITIONS])
ends = {it.partition: patient(lambda: consumer.get_watermark_offsets(it, timeout=10))[1] for it in PARTITIONS}
producer, replaced, aborted, committed = None, -1, 0, 0
while True:
    expect(time.monotonic() < DEADLINE, "all of it in time")
    if producer is None:
        # Who takes over learns by this what became of the last transaction.
        producer = patient(new_producer)
        replaced += 1
        positions = patient(lambda: consumer.committed(PARTITIONS, timeout=10))
        for position in positions:
            consumer.seek(TopicPartition("source", position.partition, max(position.offset, 0)))
        if all(max(position.offset, 0) == ends[position.partition] for position in positions):
            break
    messages = [message for message in consumer.consume(25, 0.3) if message.error() is None]
    if not messages:
        done = patient(lambda: consumer.committed(PARTITIONS, timeout=10))
        if all(position.offset == ends[position.partition] for position in done):
            break
        if time.monotonic() > STARTED + 60:
            print(f"committed {done}, positions {consumer.position(PARTITIONS)}, ends {ends}", file=sys.stderr)
            for it in PARTITIONS:
                print(consumer.get_watermark_offsets(it, timeout=10), file=sys.stderr)
        continue
    try:
        producer.begin_transaction()
        for message in messages:
            producer.produce("sink", message.value(), partition=message.partition())
        after = {}
        for message in messages:
            after[message.partition()] = message.offset() + 1
        offsets = [TopicPartition("source", partition, offset) for partition, offset in after.items()]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 15)
        finish(producer)
        committed += 1
        if committed % 10 == 0:
            print(f"{time.monotonic() - STARTED:.1f} s: {committed} transactions", file=sys.stderr)
    except KafkaException as error:
        # Whatever became of it, the next one ends it or finds it ended.
        print(f"{time.monotonic() - STARTED:.1f} s: given up, {error}", file=sys.stderr)
        aborted += 1
        producer = None

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
print(f"producers replaced: {replaced}, transactions given up: {aborted}")
