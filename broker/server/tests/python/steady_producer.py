"""Produces without end through restarts of the broker, and says which records were acknowledged.

Prints the number of each acknowledged record on a line of its own; ends when its standard input is closed.
"""

import sys
import threading

import confluent_kafka
from clients import *

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
producer = confluent_kafka.Producer(
    confluent_options(enable_idempotence=True, linger_ms=2, reconnect_backoff_ms=20, reconnect_backoff_max_ms=100,
                      message_timeout_ms=50000, socket_timeout_ms=5000)
)


def delivered(error, message):
    if error is None:
        print(f"{message.partition()} {message.offset()} {message.value().decode()}", flush=False)


number = 0
while not stop.is_set():
    producer.produce("steady", b"%d" % number, on_delivery=delivered)
    number += 1
    producer.poll(0.001)
    if number % 50 == 0:
        sys.stdout.flush()
producer.flush(30)
sys.stdout.flush()
