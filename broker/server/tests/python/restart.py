"""Leaves something of every kind behind (`before`), and finds it again (`after`)."""

import sys

import confluent_kafka
from clients import *
from confluent_kafka.admin import AclBindingFilter, AclOperation, AclPermissionType, ConfigResource
from confluent_kafka.admin import ResourcePatternType, ResourceType


def group():
    options = confluent_options("alice", group_id="alices", auto_offset_reset="earliest", enable_auto_commit=False)
    consumer = confluent_kafka.Consumer(options)
    consumer.subscribe(["kept"])
    return consumer


if sys.argv[1] == "before":
    create_topic("kept", 2, {"retention.ms": "123456"})
    allow("alice", "READ", "TOPIC", "kept")
    allow("alice", "READ", "GROUP", "alices")
    producer = confluent_kafka.Producer(confluent_options(enable_idempotence=True))
    produce(producer, "kept", [b"%d" % number for number in range(100)], partition=0)
    consumer = group()
    expect(len(consume(consumer, 40)) == 40, "40 records")
    consumer.commit(offsets=[confluent_kafka.TopicPartition("kept", 0, 40)], asynchronous=False)
    consumer.close()
else:
    consumer = group()
    values = [int(record.value()) for record in consume(consumer, 60)]
    expect(values == list(range(40, 100)), f"records from the committed offset on, got {values}")
    consumer.close()
    topic = ConfigResource(ResourceType.TOPIC, "kept")
    expect(wait(confluent_admin().describe_configs([topic]))[topic]["retention.ms"].value == "123456", "the setting")
    every = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    expect(len(confluent_admin().describe_acls(every).result(10)) == 2, "two ACLs")
    produce(confluent_kafka.Producer(confluent_options()), "kept", [b"again"], partition=0)
