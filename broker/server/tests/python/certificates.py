"""Replaces the broker's certificate while librdkafka clients are connected: `STAGE DIRECTORY PROCESS`."""

import json
import os
import shutil
import signal
import socket
import ssl
import sys
import threading
import time

import confluent_kafka
from clients import *
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

stage, directory, process = sys.argv[1], sys.argv[2], int(sys.argv[3])
LOCATION = "listener.name.sasl_ssl.ssl.keystore.location"


def path(name):
    return os.path.join(directory, name)


def of(name):
    """The certificate in a file."""
    text = open(path(name)).read()
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE") :])


def shown():
    """The certificate that a new connection is shown, and believes."""
    context = ssl.create_default_context(cafile=CA_FILE)
    host, port = BOOTSTRAP.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as plain:
        with context.wrap_socket(plain, server_hostname=host) as stream:
            return stream.getpeercert(True)


def until(condition, what):
    deadline = time.monotonic() + 50
    while not condition():
        expect(time.monotonic() < deadline, what)
        time.sleep(0.02)


def put(name):
    """Puts a file in the place of the key store, at once."""
    shutil.copy(path(name), path("server.pem.new"))
    os.replace(path("server.pem.new"), path("server.pem"))


def refusals():
    return open(path("broker.log")).read().count("new certificate refused")


def refused(name, ask):
    before = refusals()
    put(name)
    ask()
    until(lambda: refusals() > before, f"{name} is refused")


class Connected:
    """A producer and a consumer that go on in the background, and count the connections that they lose."""

    def __init__(self):
        create_topic("steady", 1)
        self.stop, self.written, self.read, self.lost = threading.Event(), 0, 0, {}
        told = {"statistics.interval.ms": 50, "stats_cb": self.count}
        self.producer = confluent_kafka.Producer({**confluent_options(linger_ms=2), **told})
        self.consumer = confluent_kafka.Consumer({**confluent_options(group_id="steady"), **told})
        self.consumer.assign([confluent_kafka.TopicPartition("steady", 0, 0)])
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.produce, self.consume)]
        for thread in self.threads:
            thread.start()
        self.go_on()
        self.before = self.settled()

    def count(self, text):
        statistics = json.loads(text)
        # Connections that only serve to find the brokers may end when they did.
        known = [broker for broker in statistics["brokers"].values() if broker["nodeid"] >= 0]
        self.lost[statistics["name"]] = (statistics["ts"], sum(broker["disconnects"] for broker in known))

    def delivered(self, error, _message):
        self.written += error is None

    def produce(self):
        while not self.stop.is_set():
            self.producer.produce("steady", b"record", on_delivery=self.delivered)
            self.producer.poll(0.002)
        self.producer.flush(20)

    def consume(self):
        while not self.stop.is_set():
            record = self.consumer.poll(0.1)
            self.read += record is not None and record.error() is None

    def go_on(self):
        written, read = self.written + 100, self.read + 100
        until(lambda: self.written >= written and self.read >= read, "clients go on")

    def settled(self):
        """What both clients count that was counted after this was asked."""
        begun = dict(self.lost)
        newer = lambda: len(self.lost) == 2 and all(self.lost[name] != begun.get(name) for name in self.lost)
        until(newer, "statistics of both clients")
        return {name: count for name, (_, count) in self.lost.items()}

    def check(self):
        self.go_on()
        lost = self.settled()
        expect(lost == self.before, f"no connection is lost: {self.before} before, {lost} now")


def alter(name, value, operation=AlterConfigOpType.SET):
    entry = ConfigEntry(name, value, incremental_operation=operation)
    resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    wait(confluent_admin().incremental_alter_configs([resource]))


def refuses(name, value, expected):
    try:
        alter(name, value)
    except confluent_kafka.KafkaException as error:
        expect(expected in str(error), f"{expected} in {error}")
    else:
        raise AssertionError(f"{name}={value} is accepted")


def hang_up():
    os.kill(process, signal.SIGHUP)


if stage in ("signal", "watched"):
    ask = hang_up if stage == "signal" else lambda: None
    clients = Connected()
    expect(shown() == of("server.pem"), "the first certificate")
    first = shown()
    put("renewed.pem")
    if stage == "signal":
        expect(shown() == first, "nothing changes before the broker is asked")
    ask()
    until(lambda: shown() == of("renewed.pem"), "the new certificate")
    clients.check()
    open(path("broken.pem"), "w").write("-----BEGIN CERTIFICATE-----\nAAAA")
    for name in ("broken.pem", "client.pem", "other.pem"):
        refused(name, ask)
        expect(shown() == of("renewed.pem"), f"{name} takes no effect")
    clients.check()
    put("altered.pem")
    ask()
    until(lambda: shown() == of("altered.pem"), "a good one after broken ones")
    clients.check()
elif stage == "altered":
    clients = Connected()
    alter(LOCATION, path("altered.pem"))
    expect(shown() == of("altered.pem"), "what was set is in force when it is answered")
    clients.check()
    shutil.copy(path("renewed.pem"), path("altered.pem"))
    alter(LOCATION, path("altered.pem"))
    expect(shown() == of("renewed.pem"), "the same setting again reads the file again")
    refuses(LOCATION, path("absent.pem"), "cannot be read")
    refuses(LOCATION, path("other.pem"), "CN=other")
    refuses("ssl.keystore.location", path("renewed.pem"), "listener.name.")
    expect(shown() == of("renewed.pem"), "what was refused takes no effect")
    alter(LOCATION, None, AlterConfigOpType.DELETE)
    expect(shown() == of("server.pem"), "without the setting, that of the file")
    alter(LOCATION, path("altered.pem"))
    clients.check()
elif stage == "restarted":
    expect(shown() == of("altered.pem"), "the altered certificate after a restart")
elif stage == "fallen-back":
    expect(shown() == of("server.pem"), "that of the file where the altered one is gone")
