"""Users who may do nothing, then something, then nothing again; strangers."""

import confluent_kafka
import kafka
from clients import *
from confluent_kafka.admin import ConfigResource, NewTopic

create_topic("ledger")

# Default deny, for every kind of request.
expect_error("TOPIC_AUTHORIZATION_FAILED", produce, confluent_kafka.Producer(confluent_options("alice")), "ledger", [b"x"])
alice = confluent_admin("alice")
expect_error("TOPIC_AUTHORIZATION_FAILED", wait, alice.create_topics([NewTopic("other", 1, 1)]))
expect_error("CLUSTER_AUTHORIZATION_FAILED", wait, alice.describe_configs([ConfigResource("BROKER", "1")]))
expect("ledger" not in alice.list_topics(timeout=10).topics, "the topic to be hidden")
expect("ledger" in confluent_admin().list_topics(timeout=10).topics, "the super user to see the topic")

# Knowing of a topic is not reading it.
allow("alice", "DESCRIBE", "TOPIC", "ledger")
reader = confluent_kafka.Consumer(confluent_options("alice", group_id="none"))
reader.assign([confluent_kafka.TopicPartition("ledger", 0, 0)])
errors, deadline = [], time.monotonic() + 10
while time.monotonic() < deadline and "TOPIC_AUTHORIZATION_FAILED" not in errors:
    message = reader.poll(0.2)
    expect(message is None or message.error(), "no record")
    errors += [message.error().name()] if message else []
expect("TOPIC_AUTHORIZATION_FAILED" in errors, f"reading to be denied, got {errors}")
reader.close()

# An ALLOW takes effect at once, a DENY wins over it, and removing both closes the door again.
allow("alice", "WRITE", "TOPIC", "led", "PREFIXED")
produce(confluent_kafka.Producer(confluent_options("alice")), "ledger", [b"allowed"])
deny = allow("alice", "WRITE", "TOPIC", "ledger", "LITERAL", "DENY")
expect_error("TOPIC_AUTHORIZATION_FAILED", produce, confluent_kafka.Producer(confluent_options("alice")), "ledger", [b"x"])
from confluent_kafka.admin import AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType, ResourceType
every = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
expect(len(confluent_admin().describe_acls(every).result(10)) == 3, "three ACLs")
removed = wait(confluent_admin().delete_acls([every]))
expect(sum(len(acls) for acls in removed.values()) == 3, "three ACLs to go")
expect(len(confluent_admin().describe_acls(every).result(10)) == 0, "no ACLs")
expect_error("TOPIC_AUTHORIZATION_FAILED", produce, confluent_kafka.Producer(confluent_options("alice")), "ledger", [b"x"])

# Strangers: a wrong password, an unknown user, a mechanism that is not offered; anonymous clients see nothing.
for options in (
    confluent_options("alice", password="wrong"),
    confluent_options("mallory", password="x"),
    confluent_options("alice", mechanism="PLAIN"),
):
    errors = []
    client = confluent_kafka.Producer(dict(options, error_cb=errors.append))
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and not any(error.name() == "_AUTHENTICATION" for error in errors):
        client.poll(0.2)
    expect(any(error.name() == "_AUTHENTICATION" for error in errors), f"authentication to fail, got {errors}")
anonymous = confluent_kafka.admin.AdminClient({"bootstrap.servers": PLAIN_BOOTSTRAP})
expect(not anonymous.list_topics(timeout=10).topics, "nothing for anonymous clients to see")
