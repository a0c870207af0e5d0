"""How the tests' scripts reach the broker: two client libraries, several users."""

import os
import time

import confluent_kafka
import confluent_kafka.admin
import kafka

BOOTSTRAP = os.environ["BOOTSTRAP"]
PLAIN_BOOTSTRAP = os.environ["PLAIN_BOOTSTRAP"]
CA_FILE = os.environ["CA_FILE"]
SECURITY = os.environ.get("SECURITY", "SASL_SSL")


def python_options(user="admin", mechanism="SCRAM-SHA-512", password=None):
    return {
        "bootstrap_servers": BOOTSTRAP,
        "security_protocol": SECURITY,
        "ssl_cafile": CA_FILE,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password or user + "-secret",
    }


def confluent_options(user="admin", mechanism="SCRAM-SHA-512", password=None, **more):
    options = {
        "bootstrap.servers": BOOTSTRAP,
        "security.protocol": SECURITY,
        "ssl.ca.location": CA_FILE,
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password or user + "-secret",
    }
    options.update({name.replace("_", "."): value for name, value in more.items()})
    return options


def python_admin(user="admin"):
    return kafka.KafkaAdminClient(**python_options(user))


ADMINS = {}


def confluent_admin(user="admin"):
    """Kept, because confluent-kafka gives up what an admin client was asked when the client goes."""
    if user not in ADMINS:
        ADMINS[user] = confluent_kafka.admin.AdminClient(confluent_options(user))
    return ADMINS[user]


def wait(futures, timeout=20):
    """The results of a dictionary of futures."""
    return {key: future.result(timeout) for key, future in futures.items()}


def create_topic(name, partitions=1, config=None):
    topic = confluent_kafka.admin.NewTopic(name, partitions, 1, config=config or {})
    wait(confluent_admin().create_topics([topic]))


def allow(user, operation, resource_type, name, pattern="LITERAL", permission="ALLOW"):
    from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

    binding = AclBinding(
        ResourceType[resource_type],
        name,
        ResourcePatternType[pattern],
        "User:" + user,
        "*",
        AclOperation[operation],
        AclPermissionType[permission],
    )
    wait(confluent_admin().create_acls([binding]))
    return binding


def produce(producer, topic, values, partition=None):
    """Produces with confluent-kafka and returns the offsets, in order; raises at the first failure."""
    outcomes = []

    def delivered(error, message):
        outcomes.append(error or message.offset())

    for value in values:
        arguments = {"value": value, "on_delivery": delivered}
        if partition is not None:
            arguments["partition"] = partition
        producer.produce(topic, **arguments)
        producer.poll(0)
    if producer.flush(30) != 0:
        raise SystemExit("records were not delivered in time")
    for outcome in outcomes:
        if isinstance(outcome, confluent_kafka.KafkaError):
            raise confluent_kafka.KafkaException(outcome)
    return outcomes


def consume(consumer, count, seconds=30):
    """Up to count records with confluent-kafka; raises at the first error."""
    records = []
    deadline = time.monotonic() + seconds
    while len(records) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise confluent_kafka.KafkaException(message.error())
        records.append(message)
    return records


def expect(condition, what):
    if not condition:
        raise SystemExit("expected " + str(what))


def expect_error(code, action, *arguments, **named):
    """Runs the action and expects it to fail with the named error code."""
    try:
        action(*arguments, **named)
    except confluent_kafka.KafkaException as error:
        expect(error.args[0].name() == code, f"{code}, got {error.args[0]}")
    except kafka.errors.KafkaError as error:
        expect(type(error).__name__ == code, f"{code}, got {error!r}")
    else:
        raise SystemExit(f"expected {code}, nothing failed")
