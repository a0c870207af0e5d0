"""Moves what is in `source` to `sink` in transactions that carry the group's offsets with them, until all of it is moved. A call
that does not return ends the process by its alarm."""

import signal
import sys

import confluent_kafka
from clients import *
from confluent_kafka import KafkaException, TopicPartition

PARTITIONS = [TopicPartition("source", 0), TopicPartition("source", 1)]
STARTED = time.monotonic()
DEADLINE = STARTED + 120
# Longer than any call's own timeout.
STUCK_SECONDS = 25

# What begins anew at the bootstrap addresses forgets the brokers it knew, and a transaction's offsets then wait for ever for the
# one that it remembers as coordinator: librdkafka issue 5511.
STEADY = {"metadata_recovery_strategy": "none", "socket_timeout_ms": 5000}


def patient(action):
    """The result of what may fail while brokers are away."""
    while True:
        signal.alarm(STUCK_SECONDS)
        try:
            return action()
        except KafkaException as error:
            expect(time.monotonic() < DEADLINE, f"an end of the outages, got {error}")
            time.sleep(0.2)


def new_producer():
    options = confluent_options(transactional_id="mover", linger_ms=2, transaction_timeout_ms=20000, retry_backoff_ms=50, **STEADY)
    made = confluent_kafka.Producer(options)
    made.init_transactions(20)
    return made


def finish(made):
    """Commits; what may be repeated is repeated."""
    while True:
        try:
            return made.commit_transaction(10)
        except KafkaException as error:
            expect(time.monotonic() < DEADLINE, "a decision")
            if not error.args[0].retriable():
                raise


options = confluent_options(
    group_id="movers", isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest",
    session_timeout_ms=30000, reconnect_backoff_max_ms=500, **STEADY,
)
consumer = confluent_kafka.Consumer(options)
ends = {it.partition: patient(lambda: consumer.get_watermark_offsets(it, timeout=10))[1] for it in PARTITIONS}
producer, replaced, aborted = None, -1, 0
while True:
    expect(time.monotonic() < DEADLINE, "all of it in time")
    signal.alarm(STUCK_SECONDS)
    if producer is None:
        # Who takes over learns by this what became of the last transaction.
        producer = patient(new_producer)
        replaced += 1
        positions = patient(lambda: consumer.committed(PARTITIONS, timeout=10))
        consumer.assign([TopicPartition("source", it.partition, max(it.offset, 0)) for it in positions])
    messages = [message for message in consumer.consume(25, 0.3) if message.error() is None]
    if not messages:
        done = patient(lambda: consumer.committed(PARTITIONS, timeout=10))
        if all(position.offset == ends[position.partition] for position in done):
            break
        continue
    try:
        producer.begin_transaction()
        for message in messages:
            producer.produce("sink", message.value(), partition=message.partition())
        after = {}
        for message in messages:
            after[message.partition()] = message.offset() + 1
        offsets = [TopicPartition("source", partition, offset) for partition, offset in after.items()]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 15)
        finish(producer)
    except KafkaException as error:
        # Whatever became of it, the next one ends it or finds it ended.
        print(f"{time.monotonic() - STARTED:.1f} s: given up, {error}", file=sys.stderr)
        aborted += 1
        producer = None
print(f"producers replaced: {replaced}, transactions given up: {aborted}", flush=True)
