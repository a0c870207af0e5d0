"""Transactions as librdkafka makes them: what is committed is there at once and whole, what is aborted never is.

`all`, or in parts around the end of a broker: `before` leaves one transaction committed, one aborted and one open, `after` finds
the first only, and finds the third gone once its transactional id is taken over.
"""

import sys

import confluent_kafka
from clients import *
from confluent_kafka import TopicPartition

NOTHING = 1.5


def producer(transactional_id, user="admin", **more):
    options = confluent_options(user, transactional_id=transactional_id, linger_ms=2, **more)
    made = confluent_kafka.Producer(options)
    made.init_transactions(30)
    return made


def send(made, topic, values, partition=None):
    for value in values:
        arguments = {} if partition is None else {"partition": partition}
        made.produce(topic, value.encode(), **arguments)
    expect(made.flush(20) == 0, "everything sent")


def read(topic, partitions, isolation="read_committed", patience=NOTHING):
    """Every value in the topic from its beginning, as far as it comes within `patience` after the last one."""
    options = confluent_options(group_id="none", enable_auto_commit=False, isolation_level=isolation)
    consumer = confluent_kafka.Consumer(options)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    values, until = [], time.monotonic() + 5
    while time.monotonic() < until:
        message = consumer.poll(0.1)
        if message is None:
            continue
        expect(message.error() is None, f"a record, got {message.error()}")
        values.append(message.value().decode())
        until = time.monotonic() + patience
    consumer.close()
    return sorted(values)


def end(topic, isolation):
    consumer = confluent_kafka.Consumer(confluent_options(group_id="none", isolation_level=isolation))
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    # The position of a new consumer at the end is the last stable offset for read_committed.
    consumer.close()
    return high


def fails(action, code):
    try:
        action()
    except confluent_kafka.KafkaException as error:
        expect(error.args[0].code() == code, f"code {code}, got {error}")
        return error.args[0]
    raise SystemExit(f"expected code {code}, and it worked")


def commits_and_aborts():
    create_topic("ledger", 2)
    one = producer("one")
    one.begin_transaction()
    send(one, "ledger", ["a0"], 0)
    send(one, "ledger", ["a1"], 1)
    send(confluent_kafka.Producer(confluent_options()), "ledger", ["plain"], 0)
    expect(read("ledger", 2) == [], "nothing while the transaction goes on")
    expect(read("ledger", 2, "read_uncommitted") == ["a0", "a1", "plain"], "everything without isolation")
    one.commit_transaction(30)
    expect(read("ledger", 2) == ["a0", "a1", "plain"], "everything after the commit")
    for number in range(3):
        one.begin_transaction()
        send(one, "ledger", [f"aborted-{number}"] * 5, 0)
        one.abort_transaction(30)
        one.begin_transaction()
        send(one, "ledger", [f"committed-{number}"], 0)
        one.commit_transaction(30)
    expected = ["a0", "a1", "committed-0", "committed-1", "committed-2", "plain"]
    found = read("ledger", 2)
    expect(found == expected, f"what was committed, got {found}")
    expect(len(read("ledger", 2, "read_uncommitted")) == len(expected) + 15, "everything without isolation")


def a_reader_wakes_up():
    """A long poll ends with the transaction, not when its time is up."""
    create_topic("wake", 1)
    made = producer("waker")
    made.begin_transaction()
    send(made, "wake", ["x"])
    options = confluent_options(group_id="none", isolation_level="read_committed", fetch_wait_max_ms=8000)
    consumer = confluent_kafka.Consumer(options)
    consumer.assign([TopicPartition("wake", 0, 0)])
    expect(consumer.poll(2) is None, "nothing yet")
    begun = time.monotonic()
    made.commit_transaction(30)
    expect(len(consume(consumer, 1, 6)) == 1, "the record")
    expect(time.monotonic() - begun < 3, f"soon, not after {time.monotonic() - begun}")
    consumer.close()


def zombies():
    create_topic("zombie", 1)
    old = producer("twice")
    old.begin_transaction()
    send(old, "zombie", ["old"])
    new = producer("twice")
    new.begin_transaction()
    send(new, "zombie", ["new"])
    old.produce("zombie", b"late")
    error = fails(lambda: old.commit_transaction(30), confluent_kafka.KafkaError._FENCED)
    expect(error.fatal(), "the old producer cannot go on")
    new.commit_transaction(30)
    found = read("zombie", 1)
    expect(found == ["new"], f"what the new producer wrote, got {found}")


def timeouts():
    create_topic("slow", 1)
    slow = producer("slow", transaction_timeout_ms=1000)
    slow.begin_transaction()
    send(slow, "slow", ["too late"])
    quick = producer("quick")
    quick.begin_transaction()
    send(quick, "slow", ["in time"])
    quick.commit_transaction(30)
    until = time.monotonic() + 20
    while read("slow", 1, patience=0.2) != ["in time"]:
        expect(time.monotonic() < until, "the transaction that took too long is aborted")
    slow.produce("slow", b"later still")
    try:
        slow.commit_transaction(30)
        raise SystemExit("a transaction that took too long was committed")
    except confluent_kafka.KafkaException:
        pass
    expect(read("slow", 1) == ["in time"], "nothing of the one that took too long")


MOVING = [
    confluent_kafka.KafkaError.COORDINATOR_NOT_AVAILABLE,
    confluent_kafka.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    confluent_kafka.KafkaError.NOT_COORDINATOR,
]


def committed(group, topic):
    consumer = confluent_kafka.Consumer(confluent_options(group_id=group, isolation_level="read_committed"))
    until = time.monotonic() + 30
    while True:
        try:
            found = consumer.committed([TopicPartition(topic, 0)], timeout=20)[0].offset
            break
        except confluent_kafka.KafkaException as error:
            # The coordinator has just gone, and another takes over once its lease is over.
            expect(error.args[0].code() in MOVING and time.monotonic() < until, f"committed offsets, got {error}")
            time.sleep(0.2)
    consumer.close()
    return found


def offsets():
    create_topic("input", 1)
    create_topic("output", 1)
    send(confluent_kafka.Producer(confluent_options()), "input", [str(number) for number in range(30)])
    options = confluent_options(
        group_id="transformers", auto_offset_reset="earliest", enable_auto_commit=False, isolation_level="read_committed"
    )
    consumer = confluent_kafka.Consumer(options)
    consumer.subscribe(["input"])
    made = producer("transformer")
    for commits in (True, False, True):
        messages = consume(consumer, 10, 30)
        expect(len(messages) == 10, f"ten records, got {len(messages)}")
        made.begin_transaction()
        send(made, "output", [f"{message.value().decode()}-{commits}" for message in messages])
        position = [TopicPartition("input", 0, messages[-1].offset() + 1)]
        made.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), 30)
        if commits:
            made.commit_transaction(30)
        else:
            made.abort_transaction(30)
            consumer.seek(TopicPartition("input", 0, messages[0].offset()))
    expect(committed("transformers", "input") == 20, f"20, got {committed('transformers', 'input')}")
    expect(read("output", 1) == sorted(f"{number}-True" for number in range(20)), "each record once")
    # Offsets that a transaction may yet change are not given out.
    made.begin_transaction()
    made.send_offsets_to_transaction([TopicPartition("input", 0, 25)], consumer.consumer_group_metadata(), 30)
    other = confluent_kafka.Consumer(confluent_options(group_id="transformers", isolation_level="read_committed"))
    try:
        found = other.committed([TopicPartition("input", 0)], timeout=3)[0]
        expect(found.error is not None, f"no stable offset, got {found}")
    except confluent_kafka.KafkaException as error:
        expected = (confluent_kafka.KafkaError._TIMED_OUT, confluent_kafka.KafkaError.UNSTABLE_OFFSET_COMMIT)
        expect(error.args[0].code() in expected, f"no stable offset, got {error}")
    made.commit_transaction(30)
    expect(committed("transformers", "input") == 25, f"25, got {committed('transformers', 'input')}")
    # A member of an earlier generation brings nothing in (KIP-447).
    stale = consumer.consumer_group_metadata()
    consumer.close()
    made.begin_transaction()
    try:
        made.send_offsets_to_transaction([TopicPartition("input", 0, 3)], stale, 30)
        raise SystemExit("a former member committed offsets")
    except confluent_kafka.KafkaException:
        made.abort_transaction(30)
    expect(committed("transformers", "input") == 25, "the offset of the members")


def permissions():
    create_topic("guarded", 1)
    allow("alice", "WRITE", "TOPIC", "guarded")
    denied = confluent_kafka.KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    fails(lambda: producer("alices-own", "alice"), denied)
    allow("alice", "WRITE", "TRANSACTIONAL_ID", "alices-own")
    made = producer("alices-own", "alice")
    made.begin_transaction()
    send(made, "guarded", ["hers"])
    group = confluent_kafka.Consumer(confluent_options(group_id="not-hers"))
    group.subscribe(["guarded"])
    denied = confluent_kafka.KafkaError.GROUP_AUTHORIZATION_FAILED
    position = [TopicPartition("guarded", 0, 1)]
    fails(lambda: made.send_offsets_to_transaction(position, group.consumer_group_metadata(), 20), denied)
    made.abort_transaction(30)
    made.begin_transaction()
    send(made, "guarded", ["hers again"])
    made.commit_transaction(30)
    expect(read("guarded", 1) == ["hers again"], "what she committed")


if sys.argv[1] == "all":
    for part in (commits_and_aborts, a_reader_wakes_up, zombies, timeouts, offsets, permissions):
        part()
        print(part.__name__, flush=True)
elif sys.argv[1] == "before":
    create_topic("kept", 1)
    for name, last in (("done", "commit"), ("undone", "abort"), ("open", None)):
        made = producer(name)
        made.begin_transaction()
        send(made, "kept", [name] * 3)
        made.send_offsets_to_transaction(
            [TopicPartition("kept", 0, 1 if last == "commit" else 2)],
            confluent_kafka.Consumer(confluent_options(group_id="group-" + name)).consumer_group_metadata(),
            30,
        )
        if last == "commit":
            made.commit_transaction(30)
        elif last == "abort":
            made.abort_transaction(30)
        else:
            print("ready", flush=True)
            # The broker ends now, and nobody says what becomes of the transaction.
            import os

            os._exit(0)
else:
    found = read("kept", 1)
    expect(found == ["done"] * 3, f"what was committed, got {found}")
    expect(committed("group-done", "kept") == 1, "the committed offset")
    expect(committed("group-undone", "kept") == confluent_kafka.OFFSET_INVALID, "no offset of an aborted transaction")
    send(confluent_kafka.Producer(confluent_options()), "kept", ["plain"])
    expect(read("kept", 1) == ["done"] * 3, "nothing behind the open transaction")
    successor = producer("open")
    found = read("kept", 1)
    expect(found == ["done"] * 3 + ["plain"], f"everything but what was not committed, got {found}")
    expect(committed("group-open", "kept") == confluent_kafka.OFFSET_INVALID, "no offset of its predecessor")
    successor.begin_transaction()
    send(successor, "kept", ["successor"])
    successor.commit_transaction(30)
    expect(read("kept", 1) == sorted(["done"] * 3 + ["plain", "successor"]), "and what its successor wrote")
