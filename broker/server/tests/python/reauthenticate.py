"""Works for several times the life of a session, on one connection."""

import confluent_kafka
from clients import *

create_topic("long")
errors = []
producer = confluent_kafka.Producer(dict(confluent_options(), error_cb=errors.append))
begun = time.monotonic()
count = 0
while time.monotonic() - begun < 6:
    produce(producer, "long", [b"x"])
    count += 1
    time.sleep(0.1)
expect(count > 30, f"more than 30 records, got {count}")
expect(not errors, f"no errors, got {errors}")
