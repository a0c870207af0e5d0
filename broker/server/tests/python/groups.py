"""Consumer groups with both libraries: rebalances as members come and go, static members, committed offsets."""

import threading

import confluent_kafka
import kafka
from clients import *

create_topic("jobs", 6)
produce(confluent_kafka.Producer(confluent_options()), "jobs", [b"job-%d" % number for number in range(600)])


def member(group, **more):
    options = confluent_options(group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, **more)
    consumer = confluent_kafka.Consumer(dict(options, **{"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}))
    consumer.subscribe(["jobs"])
    return consumer


def settle(members, shares, seconds=30):
    """Polls all members until their assignments have the expected sizes."""
    read = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for one in members:
            message = one.poll(0.05)
            if message is not None and not message.error():
                read.append((message.topic(), message.partition(), message.offset()))
        if sorted(len(one.assignment()) for one in members) == shares:
            return read
    raise SystemExit(f"expected shares {shares}, got {[len(one.assignment()) for one in members]}")


# One member has everything, two share, and when one leaves the other has everything again.
first = member("crew")
settle([first], [6])
second = member("crew")
settle([first, second], [3, 3])
third = member("crew")
settle([first, second, third], [2, 2, 2])
listed = confluent_admin().list_consumer_groups().result(10)
expect([group.group_id for group in listed.valid] == ["crew"], f"the group to be listed, got {listed.valid}")
described = wait(confluent_admin().describe_consumer_groups(["crew"]))["crew"]
expect(described.state.name == "STABLE" and len(described.members) == 3, f"three members, got {described.members}")
expect(described.members[0].host == "/127.0.0.1", f"the member's address, got {described.members[0].host}")
third.close()
second.close()
settle([first], [6])
first.close()

# Committed offsets are where the next member begins, whatever its library.
reader = member("readers")
seen = consume(reader, 600)
expect(len(seen) == 600, f"600 records, got {len(seen)}")
reader.commit(asynchronous=False)
reader.close()
produce(confluent_kafka.Producer(confluent_options()), "jobs", [b"new-%d" % number for number in range(60)])
other = kafka.KafkaConsumer(
    "jobs", **python_options(), group_id="readers", auto_offset_reset="earliest", consumer_timeout_ms=8000,
    session_timeout_ms=6000, heartbeat_interval_ms=500,
)
fresh = []
for record in other:
    fresh.append(record.value)
    if len(fresh) == 60:
        break
expect(len(fresh) == 60 and all(value.startswith(b"new-") for value in fresh), "only the new records")
other.commit()
other.close()
offsets = python_admin().list_group_offsets("readers")
offsets = offsets.get("readers", offsets)
expect(sum(entry.offset for entry in offsets.values()) == 660, f"offsets to add up to 660, got {offsets}")

# A static member that comes back within its session gets its partitions without a rebalance.
static = member("static", group_instance_id="one")
partner = member("static", group_instance_id="two")
settle([static, partner], [3, 3])
before = sorted(str(partition) for partition in static.assignment())
static.close()
static = member("static", group_instance_id="one")
settle([static, partner], [3, 3])
expect(sorted(str(partition) for partition in static.assignment()) == before, "the same partitions")
static.close()
partner.close()

# Offsets and groups can be deleted once nobody uses them.
expect_error("NON_EMPTY_GROUP", wait, confluent_admin().delete_consumer_groups(["static"]))
wait(confluent_admin().delete_consumer_groups(["readers"]))
expect_error("GROUP_ID_NOT_FOUND", wait, confluent_admin().delete_consumer_groups(["readers"]))

# Without READ on the group, and then with it.
allow("bob", "READ", "TOPIC", "jobs")
stranger = confluent_kafka.Consumer(confluent_options("bob", group_id="bobs", auto_offset_reset="earliest"))
stranger.subscribe(["jobs"])
expect_error("GROUP_AUTHORIZATION_FAILED", consume, stranger, 1)
stranger.close()
allow("bob", "READ", "GROUP", "bob", "PREFIXED")
stranger = confluent_kafka.Consumer(confluent_options("bob", group_id="bobs", auto_offset_reset="earliest"))
stranger.subscribe(["jobs"])
expect(len(consume(stranger, 10)) >= 10, "records once it is allowed")
stranger.close()
