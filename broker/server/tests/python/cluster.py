"""Several brokers that are one: `cluster.py one|two`, the second part after a broker was killed."""

import sys
import time

import confluent_kafka
from clients import *

PARTITIONS = 8
PER_PARTITION = 50


def consume_all(bootstrap, expected):
    consumer = confluent_kafka.Consumer(
        confluent_options(bootstrap_servers=bootstrap, group_id="none", enable_auto_commit=False)
    )
    consumer.assign([confluent_kafka.TopicPartition("shared", index, 0) for index in range(PARTITIONS)])
    records = consume(consumer, expected)
    places = {(record.partition(), record.offset()) for record in records}
    expect(len(places) == expected, f"{expected} records, got {len(places)} of {len(records)}")
    consumer.close()


def members(group, topic, count):
    """Reads with a group of one, and commits after each record."""
    consumer = confluent_kafka.Consumer(
        confluent_options(group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
                          session_timeout_ms=10000)
    )
    consumer.subscribe([topic])
    records = consume(consumer, count)
    expect(len(records) == count, f"{count} records in group {group}, got {len(records)}")
    consumer.commit(asynchronous=False)
    consumer.close()
    return {(record.partition(), record.offset()) for record in records}


def eventually(check, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not check():
        expect(time.monotonic() < deadline, what)
        time.sleep(0.05)


each = BOOTSTRAP.split(",")
admin = confluent_admin()
if sys.argv[1] == "one":
    create_topic("shared", PARTITIONS)
    for bootstrap in each:
        one = confluent_kafka.admin.AdminClient(confluent_options(bootstrap_servers=bootstrap))
        eventually(lambda: "shared" in one.list_topics(timeout=10).topics, "the topic on every broker")
        seen = one.list_topics("shared", timeout=10)
        expect(len(seen.brokers) == len(each), f"{len(each)} brokers, got {seen.brokers}")
        leaders = {partition.leader for partition in seen.topics["shared"].partitions.values()}
        expect(leaders <= set(seen.brokers) and len(leaders) > 1, f"several brokers lead, got {leaders}")
    expect_error("TOPIC_ALREADY_EXISTS", create_topic, "shared")
    for index in range(PARTITIONS):
        producer = confluent_kafka.Producer(
            confluent_options(bootstrap_servers=each[index % len(each)], enable_idempotence=True, linger_ms=2)
        )
        offsets = produce(producer, "shared", [b"%d" % number for number in range(PER_PARTITION)], index)
        expect(offsets == list(range(PER_PARTITION)), f"dense offsets, got {offsets}")
    for bootstrap in each:
        consume_all(bootstrap, PARTITIONS * PER_PARTITION)
    allow("alice", "WRITE", "TOPIC", "shared")
    allow("alice", "DESCRIBE", "TOPIC", "shared")
    for bootstrap in each:

        def may_write():
            producer = confluent_kafka.Producer(
                confluent_options("alice", bootstrap_servers=bootstrap, message_timeout_ms=10000)
            )
            try:
                produce(producer, "shared", [b"alice"], 0)
                return True
            except confluent_kafka.KafkaException as error:
                expect(error.args[0].name() == "TOPIC_AUTHORIZATION_FAILED", f"a denial, got {error}")
                return False

        eventually(may_write, "the permission on every broker")
    for number in range(6):
        members(f"group-{number}", "shared", 100)
    create_topic("compacted", 1, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"})
    producer = confluent_kafka.Producer(confluent_options(linger_ms=0))
    for number in range(40):
        producer.produce("compacted", key=b"key-%d" % (number % 4), value=b"%d" % number)
        producer.flush(10)

    def kept():
        consumer = confluent_kafka.Consumer(
            confluent_options(group_id="none", enable_auto_commit=False, enable_partition_eof=True)
        )
        consumer.assign([confluent_kafka.TopicPartition("compacted", 0, 0)])
        found = []
        while True:
            message = consumer.poll(10)
            if message is None or message.error():
                break
            found.append((message.offset(), message.key(), message.value()))
        consumer.close()
        return found

    last = [(number, b"key-%d" % (number % 4), b"%d" % number) for number in range(36, 40)]
    eventually(lambda: kept() == last, "the last record of each key")
else:
    # The brokers that are left coordinate all groups, which go on where they were.
    everything = PARTITIONS * PER_PARTITION + 2
    for number in range(6):
        members(f"group-{number}", "shared", everything - 100)
    consume_all(each[0], everything)
    producer = confluent_kafka.Producer(confluent_options(enable_idempotence=True))
    for index in range(1, PARTITIONS):
        offsets = produce(producer, "shared", [b"more"], index)
        expect(offsets == [PER_PARTITION], f"the next offset, got {offsets}")
    wait(admin.delete_topics(["shared"]))
    eventually(lambda: "shared" not in admin.list_topics(timeout=10).topics, "the topic gone")
