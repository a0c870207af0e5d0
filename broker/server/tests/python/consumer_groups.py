"""Consumer groups of the newer protocol (KIP-848) with librdkafka: members come and go, patterns, static members, administration."""

import confluent_kafka
from clients import *

create_topic("jobs", 6)
produce(confluent_kafka.Producer(confluent_options()), "jobs", [b"job-%d" % number for number in range(600)])


def member(group, topics=("jobs",), user="admin", **more):
    options = confluent_options(
        user, group_id=group, group_protocol="consumer", auto_offset_reset="earliest", enable_auto_commit=False, **more
    )
    consumer = confluent_kafka.Consumer(options)
    consumer.subscribe(list(topics))
    return consumer


def settle(members, shares, seconds=90):
    """Polls all members until their assignments have the expected sizes and do not overlap."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for one in members:
            one.poll(0.05)
        assigned = [{(part.topic, part.partition) for part in one.assignment()} for one in members]
        if sorted(map(len, assigned)) == shares and len(set().union(*assigned)) == sum(shares):
            return
    raise SystemExit(f"expected shares {shares}, got {[len(one.assignment()) for one in members]}")


# One member has everything, two share, and when one leaves the other has everything again.
first = member("crew")
settle([first], [6])
second = member("crew")
settle([first, second], [3, 3])
third = member("crew", group_remote_assignor="range")
settle([first, second, third], [2, 2, 2])
listed = confluent_admin().list_consumer_groups(types={confluent_kafka.ConsumerGroupType.CONSUMER}).result(10)
expect([group.group_id for group in listed.valid] == ["crew"], f"the group to be listed, got {listed.valid}")
described = wait(confluent_admin().describe_consumer_groups(["crew"]))["crew"]
expect(described.state.name == "STABLE" and len(described.members) == 3, f"three members, got {described.members}")
expect(described.type.name == "CONSUMER", f"a consumer group, got {described.type}")
expect(described.partition_assignor == "range", f"the assignor asked for, got {described.partition_assignor}")
expect(described.members[0].host == "/127.0.0.1", f"the member's address, got {described.members[0].host}")
third.close()
second.close()
settle([first], [6])
expect_error("NON_EMPTY_GROUP", wait, confluent_admin().delete_consumer_groups(["crew"]))
first.close()
wait(confluent_admin().delete_consumer_groups(["crew"]))

# Committed offsets are where the next member begins, whatever its protocol.
reader = member("readers")
expect(len(consume(reader, 600)) == 600, "600 records")
reader.commit(asynchronous=False)
reader.close()
produce(confluent_kafka.Producer(confluent_options()), "jobs", [b"new-%d" % number for number in range(60)])
other = confluent_kafka.Consumer(confluent_options(group_id="readers", auto_offset_reset="earliest"))
other.subscribe(["jobs"])
fresh = consume(other, 60)
expect(len(fresh) == 60, f"60 records, got {len(fresh)}")
other.commit(asynchronous=False)
other.close()
reader = member("readers")
settle([reader], [6])
offsets = reader.committed(reader.assignment(), timeout=10)
expect(sum(part.offset for part in offsets) == 660, f"offsets to add up to 660, got {offsets}")
reader.close()

# New partitions and new topics are found.
watcher = member("watchers", topics=["^job.*"])
settle([watcher], [6])
wait(confluent_admin().create_partitions([confluent_kafka.admin.NewPartitions("jobs", 8)]))
settle([watcher], [8])
create_topic("jobs-too", 2)
settle([watcher], [10])
watcher.close()

# A static member that comes back within its session gets the same partitions.
static = member("static", group_instance_id="one")
partner = member("static", group_instance_id="two")
settle([static, partner], [4, 4])
before = sorted(str(partition) for partition in static.assignment())
static.close()
static = member("static", group_instance_id="one")
settle([static, partner], [4, 4])
expect(sorted(str(partition) for partition in static.assignment()) == before, "the same partitions")
static.close()
partner.close()

# Without READ on the group, and then with it.
allow("bob", "READ", "TOPIC", "jobs")
stranger = member("bobs", user="bob")
expect_error("GROUP_AUTHORIZATION_FAILED", consume, stranger, 1)
stranger.close()
allow("bob", "READ", "GROUP", "bob", "PREFIXED")
stranger = member("bobs", user="bob")
expect(len(consume(stranger, 10)) >= 10, "records once it is allowed")
stranger.close()
