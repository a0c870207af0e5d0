"""Who a client is on each kind of listener: a certificate's name, a PLAIN user, nobody."""

import os
import sys

import confluent_kafka
import confluent_kafka.admin
from clients import *

ssl, plain = sys.argv[1], sys.argv[2]
client = os.path.join(os.path.dirname(CA_FILE), "client.pem")
create_topic("seen")


def sees(options):
    admin = confluent_kafka.admin.AdminClient(options)
    return "seen" in admin.list_topics(timeout=10).topics


certified = {
    "bootstrap.servers": ssl,
    "security.protocol": "SSL",
    "ssl.ca.location": CA_FILE,
    "ssl.certificate.location": client,
    "ssl.key.location": client,
}
by_password = {
    "bootstrap.servers": plain,
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "eve",
    "sasl.password": "eve-secret",
}
expect(not sees(certified), "the certificate's owner to see nothing yet")
expect(not sees(by_password), "eve to see nothing yet")
allow("client", "DESCRIBE", "TOPIC", "seen")
expect(sees(certified), "the mapped name of the certificate to count")
expect(not sees(by_password), "eve to see nothing still")
allow("eve", "DESCRIBE", "TOPIC", "seen")
expect(sees(by_password), "eve to see the topic")

errors = []
bare = {name: value for name, value in certified.items() if name not in ("ssl.certificate.location", "ssl.key.location")}
producer = confluent_kafka.Producer(dict(bare, error_cb=errors.append))
deadline = time.monotonic() + 10
while time.monotonic() < deadline and not errors:
    producer.poll(0.2)
expect(errors, "a client without a certificate to be turned away")
