"""Commits and aborts in turn (`write`), into a topic that keeps everything and one that keeps the last of each key, and reads what was
committed (`read`), however often it was rewritten since."""

import sys

import confluent_kafka
from clients import *
from confluent_kafka import TopicPartition

ROUNDS, KEYS = 60, 20
FILLER = "." * 4000


def value(round, key):
    return f"{'committed' if round % 2 == 0 else 'aborted'}-{round}-{key}"


if sys.argv[1] == "write":
    create_topic("everything", 1)
    compaction = {
        "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0", "min.compaction.lag.ms": "0",
    }
    create_topic("latest", 1, compaction)
    producer = confluent_kafka.Producer(confluent_options(transactional_id="writer", linger_ms=1))
    producer.init_transactions(30)
    for round in range(ROUNDS):
        producer.begin_transaction()
        for key in range(KEYS):
            content = (value(round, key) + FILLER).encode()
            producer.produce("everything", content, str(key))
            producer.produce("latest", content, str(key))
        producer.flush(20)
        if round % 2 == 0:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
else:
    found = {"everything": [], "latest": {}}
    for topic, values in found.items():
        options = confluent_options(group_id="none", isolation_level="read_committed", enable_partition_eof=True)
        consumer = confluent_kafka.Consumer(options)
        consumer.assign([TopicPartition(topic, 0, 0)])
        deadline = time.monotonic() + 30
        while True:
            expect(time.monotonic() < deadline, f"the end of {topic}")
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error() is not None:
                expect(message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, f"{message.error()}")
                break
            text = message.value().decode().rstrip(".")
            expect(text.startswith("committed"), f"committed records only, got {text} in {topic} at {message.offset()}")
            if topic == "everything":
                values.append(text)
            else:
                values[message.key().decode()] = text
        consumer.close()
    expected = [value(round, key) for round in range(0, ROUNDS, 2) for key in range(KEYS)]
    expect(found["everything"] == expected, f"all {len(expected)} in order, got {len(found['everything'])}")
    last = ROUNDS - 2 if ROUNDS % 2 == 0 else ROUNDS - 1
    options = confluent_options(group_id="none", isolation_level="read_uncommitted", enable_partition_eof=True)
    consumer = confluent_kafka.Consumer(options)
    consumer.assign([TopicPartition("latest", 0, 0)])
    stored = 0
    while (message := consumer.poll(10)) is not None and message.error() is None:
        stored += 1
    # How many records compaction has left so far.
    print(stored)
    expect(found["latest"] == {str(key): value(last, key) for key in range(KEYS)}, f"the last of each key, got {found['latest']}")
