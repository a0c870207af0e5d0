"""Writes numbered records of 1,000 bytes, or reads them back and compares: `bulk.py write|read TOPIC COUNT`."""

import sys

import confluent_kafka
from clients import *

action, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
if action == "write":
    create_topic(topic)
    producer = confluent_kafka.Producer(confluent_options(enable_idempotence=True, linger_ms=5))
    offsets = produce(producer, topic, [b"%01000d" % number for number in range(count)], partition=0)
    expect(offsets == list(range(count)), "dense offsets")
else:
    consumer = confluent_kafka.Consumer(confluent_options(group_id="none", enable_auto_commit=False))
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    records = consume(consumer, count)
    expect(len(records) == count, f"{count} records, got {len(records)}")
    for number, record in enumerate(records):
        expect(record.offset() == number and int(record.value()) == number, f"record {number}")
    consumer.close()
