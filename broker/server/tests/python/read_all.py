"""Prints partition, offset and value of every record of a topic."""

import sys

import confluent_kafka
from clients import *

topic = sys.argv[1]
consumer = confluent_kafka.Consumer(confluent_options(group_id="none", enable_auto_commit=False))
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
for partition in partitions:
    low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), timeout=10)
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, low)])
    records = consume(consumer, high - low)
    expect(len(records) == high - low, f"{high - low} records of partition {partition}, got {len(records)}")
    for record in records:
        print(partition, record.offset(), record.value().decode())
consumer.close()
