"""Clients with bearer tokens, one after another from a file. Arguments: what is to be seen, and the file."""

import sys

import confluent_kafka
import kafka
from kafka.net.sasl.oauth import AbstractTokenProvider
from clients import *
from confluent_kafka import KafkaError, KafkaException

STEP, FILE = sys.argv[1:]
TOKENS = open(FILE).read().splitlines()
TAKEN = []


def next_token(_config=None):
    """The next token and when it ends, in seconds since 1970; the last is given again and again. Of one that has ended the client
    is told that it has not: it would not send it otherwise."""
    import base64
    import json

    token = TOKENS[min(len(TAKEN), len(TOKENS) - 1)]
    TAKEN.append(token)
    body = token.split(".")[1]
    ends = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"]
    return token, ends if ends > time.time() else time.time() + 60


def bearer_options(**more):
    options = confluent_options(**more)
    for name in ["sasl.username", "sasl.password"]:
        del options[name]
    return dict(options, **{"sasl.mechanism": "OAUTHBEARER", "oauth_cb": next_token})


def refusal():
    """The error with which a client is refused, or None when it is not."""
    errors = []
    client = confluent_kafka.Producer(dict(bearer_options(), error_cb=errors.append))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        client.poll(0.1)
        if any(error.code() == KafkaError._AUTHENTICATION for error in errors):
            return errors
        try:
            client.list_topics(timeout=1)
            return None
        except KafkaException:
            pass
    raise SystemExit(f"neither let in nor refused: {errors}")


class Provider(AbstractTokenProvider):
    def token(self):
        return next_token()[0]


if STEP == "authorized":
    create_topic("mine")
    create_topic("others")
    allow("orders", "WRITE", "TOPIC", "mine")
    producer = confluent_kafka.Producer(bearer_options())
    expect(produce(producer, "mine", [b"1"]) == [0], "a record at offset 0")
    try:
        produce(producer, "others", [b"1"])
        raise SystemExit("a topic that no ACL opens took a record")
    except KafkaException as error:
        expect(error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, f"a denial, got {error}")
    options = python_options()
    del options["sasl_plain_username"], options["sasl_plain_password"]
    options.update(sasl_mechanism="OAUTHBEARER", sasl_oauth_token_provider=Provider())
    python = kafka.KafkaProducer(**options)
    expect(python.send("mine", b"2").get(20).offset == 1, "a record at offset 1")
    python.close()
elif STEP == "refused":
    expect(refusal() is not None, "a refusal")
elif STEP == "eventually":
    deadline = time.monotonic() + 60
    while refusal() is not None:
        expect(time.monotonic() < deadline, "a broker that knows the key")
        time.sleep(0.2)
elif STEP == "renewed":
    create_topic("long")
    errors = []
    producer = confluent_kafka.Producer(dict(bearer_options(), error_cb=errors.append))
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < 7:
        produce(producer, "long", [b"x"])
        count += 1
        time.sleep(0.1)
    expect(count > 20, f"more than 20 records, got {count}")
    expect(len(TAKEN) >= 2, f"a second token, got {len(TAKEN)}")
    expect(not errors, f"no errors, got {errors}")
