"""A consumer group of the newer protocol whose coordinators die: `consumer_group_failover.py FOLDER ROUNDS`.

Each round reads and commits, leaves a file `before-N` in the folder, waits for `killed-N`, reads and commits again, and leaves `after-N`.
No member may notice: none loses or gets a partition."""

import pathlib
import sys

import confluent_kafka
from clients import *

FOLDER, ROUNDS = pathlib.Path(sys.argv[1]), int(sys.argv[2])
PATIENCE = 120
changes = []


def eventually(check, what):
    deadline = time.monotonic() + PATIENCE
    while not check():
        expect(time.monotonic() < deadline, what)


def member():
    options = confluent_options(
        group_id="crew", group_protocol="consumer", auto_offset_reset="earliest", enable_auto_commit=False
    )
    consumer = confluent_kafka.Consumer(options)
    note = lambda what: lambda _consumer, partitions: changes.append((what, partitions))
    consumer.subscribe(["work"], on_assign=note("given"), on_revoke=note("taken"), on_lost=note("lost"))
    return consumer


create_topic("work", 6)
producer = confluent_kafka.Producer(confluent_options())
members = [member(), member()]
read = set()
produced = 0


def poll():
    for one in members:
        message = one.poll(0.05)
        if message is not None and not message.error():
            place = (message.partition(), message.offset())
            expect(place not in read, f"{place} to be read once")
            read.add(place)


def settled():
    poll()
    return [len(one.assignment()) for one in members] == [3, 3]


def is_committed(one):
    poll()
    try:
        one.commit(asynchronous=False)
        return True
    except confluent_kafka.KafkaException as error:
        return error.args[0].code() == confluent_kafka.KafkaError._NO_OFFSET


def cycle():
    global produced
    for partition in range(6):
        produce(producer, "work", [b"record"] * 10, partition)
    produced += 60

    def is_read():
        poll()
        return len(read) == produced

    eventually(is_read, f"{produced} records")
    for one in members:
        eventually(lambda: is_committed(one), "offsets to be committed")


eventually(settled, "two shares")
changes.clear()
for number in range(ROUNDS):
    cycle()
    (FOLDER / f"before-{number}").touch()
    eventually(lambda: poll() or (FOLDER / f"killed-{number}").exists(), "a broker to be killed")
    cycle()
    (FOLDER / f"after-{number}").touch()
expect(not changes, f"no member to notice, got {changes}")
for one in members:
    one.close()
