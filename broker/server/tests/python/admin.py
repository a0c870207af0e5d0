"""The admin APIs with both libraries."""

import confluent_kafka
import kafka
from clients import *
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from confluent_kafka import IsolationLevel, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec

admin = confluent_admin()

# Topics.
wait(admin.create_topics([NewTopic("orders", 2, 1, config={"retention.ms": "60000"})]))
expect_error("TOPIC_ALREADY_EXISTS", wait, admin.create_topics([NewTopic("orders", 2, 1)]))
expect_error("INVALID_REPLICATION_FACTOR", wait, admin.create_topics([NewTopic("many", 1, 3)]))
expect_error("TOPIC_EXCEPTION", wait, admin.create_topics([NewTopic("a b", 1, 1)]))
expect_error("INVALID_CONFIG", wait, admin.create_topics([NewTopic("odd", 1, 1, config={"no.such": "1"})]))
expect_error("INVALID_CONFIG", wait, admin.create_topics([NewTopic("odd", 1, 1, config={"retention.ms": "soon"})]))
wait(admin.create_topics([NewTopic("dry", 1, 1)], validate_only=True))
expect("dry" not in admin.list_topics(timeout=10).topics, "nothing to be created by a dry run")
wait(admin.create_partitions([NewPartitions("orders", 4)]))
expect_error("INVALID_PARTITIONS", wait, admin.create_partitions([NewPartitions("orders", 3)]))
described = wait(admin.describe_topics(TopicCollection(["orders"]), include_authorized_operations=True))["orders"]
expect(len(described.partitions) == 4 and described.partitions[0].leader.id == 1, f"4 partitions, got {described}")
expect(len(described.authorized_operations) >= 7, f"operations, got {described.authorized_operations}")

# Settings, with their sources.
topic = ConfigResource(ResourceType.TOPIC, "orders")
broker = ConfigResource(ResourceType.BROKER, "1")


def settings(resource):
    return wait(confluent_admin().describe_configs([resource]))[resource]


expect(settings(topic)["retention.ms"].value == "60000", "the topic's own setting")
expect(settings(topic)["retention.ms"].source == 1, "the topic as its source")
expect(settings(topic)["segment.bytes"].is_default, "a default")
topic.incremental_configs = [
    ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
    ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
]
wait(admin.incremental_alter_configs([topic]))
expect(settings(ConfigResource(ResourceType.TOPIC, "orders"))["retention.ms"].value == "604800000", "the default again")
expect(settings(ConfigResource(ResourceType.TOPIC, "orders"))["cleanup.policy"].value == "delete,compact", "both policies")
found = settings(broker)
expect(found["super.users"].value == "User:admin", f"super users, got {found['super.users'].value}")
expect(found["listeners"].source == 4 and found["num.partitions"].source == 5, "sources")
expect(found["ssl.keystore.password"].is_sensitive and found["ssl.keystore.password"].value is None, "a hidden password")
expect(found["node.id"].is_read_only and not found["message.max.bytes"].is_read_only, "read-only settings")
broker.incremental_configs = [ConfigEntry("node.id", "7", incremental_operation=AlterConfigOpType.SET)]
expect_error("INVALID_REQUEST", wait, admin.incremental_alter_configs([broker]))
everyone = ConfigResource(ResourceType.BROKER, "")
python = python_admin()
python.alter_configs([kafka.admin.ConfigResource(kafka.admin.ConfigResourceType.BROKER, "1", {"message.max.bytes": "2000"})])
expect(settings(ConfigResource(ResourceType.TOPIC, "orders"))["max.message.bytes"].value == "2000", "an inherited setting")
expect_error("MSG_SIZE_TOO_LARGE", produce, confluent_kafka.Producer(confluent_options()), "orders", [b"x" * 5000])
broker.incremental_configs = [ConfigEntry("message.max.bytes", None, incremental_operation=AlterConfigOpType.DELETE)]
wait(admin.incremental_alter_configs([broker]))
topic.incremental_configs = [ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)]
wait(admin.incremental_alter_configs([topic]))
produce(confluent_kafka.Producer(confluent_options()), "orders", [b"x" * 5000] * 10, partition=0)

# Records and offsets.
wait(admin.delete_records([TopicPartition("orders", 0, 4)]))
offsets = admin.list_offsets({TopicPartition("orders", 0): OffsetSpec.earliest()})
expect(list(wait(offsets).values())[0].offset == 4, "the new beginning")
offsets = admin.list_offsets({TopicPartition("orders", 0): OffsetSpec.max_timestamp()})
expect(list(wait(offsets).values())[0].offset >= 4, "the latest timestamp")
expect_error("OFFSET_OUT_OF_RANGE", wait, admin.delete_records([TopicPartition("orders", 0, 99)]))

# Users.
wait(admin.alter_user_scram_credentials([
    UserScramCredentialUpsertion("carol", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192), b"carol-secret"),
]))
found = admin.describe_user_scram_credentials().result(10)
expect(sorted(found) == ["admin", "alice", "bob", "carol"], f"four users, got {sorted(found)}")
expect(found["carol"].scram_credential_infos[0].iterations == 8192, "8192 iterations")
allow("carol", "DESCRIBE", "TOPIC", "orders")
expect("orders" in confluent_admin("carol").list_topics(timeout=10).topics, "carol to see the topic")
wait(admin.alter_user_scram_credentials([UserScramCredentialDeletion("carol", ScramMechanism.SCRAM_SHA_512)]))
deletion = UserScramCredentialDeletion("carol", ScramMechanism.SCRAM_SHA_512)
expect_error("RESOURCE_NOT_FOUND", wait, admin.alter_user_scram_credentials([deletion]))

# The cluster.
cluster = admin.describe_cluster(include_authorized_operations=True).result(10)
expect(cluster.controller.id == 1 and [node.id for node in cluster.nodes] == [1], f"one node, got {cluster}")
expect(len(cluster.cluster_id) == 22, f"a cluster id, got {cluster.cluster_id}")
expect(python.describe_cluster()["cluster_id"] == cluster.cluster_id, "the same cluster for kafka-python")

wait(admin.delete_topics(["orders"]))
expect("orders" not in admin.list_topics(timeout=10).topics, "the topic to be gone")
expect_error("UNKNOWN_TOPIC_OR_PART", wait, admin.delete_topics(["orders"]))
