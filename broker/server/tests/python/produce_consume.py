"""Produces and consumes with both libraries through SASL_SSL, compressed and idempotent too."""

import confluent_kafka
import kafka
from clients import *

create_topic("first", 3)
create_topic("packed", 3)

for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
    producer = kafka.KafkaProducer(**python_options(mechanism=mechanism), acks="all")
    futures = [producer.send("first", b"python-%d" % number, partition=number % 3) for number in range(300)]
    producer.flush(30)
    expect(all(future.get(10).offset >= 0 for future in futures), "an offset for each record")
    producer.close()

total = 600
# kafka-python reads these three only with more packages than it brings.
packed = ("snappy", "lz4", "zstd")
for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
    options = confluent_options(compression_type=codec, enable_idempotence=True, linger_ms=5)
    topic = "packed" if codec in packed else "first"
    produce(confluent_kafka.Producer(options), topic, [b"%s-%d" % (codec.encode(), number) for number in range(300)])
    total += 0 if codec in packed else 300
for acks in ("0", "1"):
    produce(confluent_kafka.Producer(confluent_options(acks=acks)), "first", [b"acks" for _ in range(50)])
    total += 50

consumer = kafka.KafkaConsumer(**python_options(), auto_offset_reset="earliest", consumer_timeout_ms=3000)
consumer.assign([kafka.TopicPartition("first", partition) for partition in range(3)])
read = []
for record in consumer:
    read.append(record)
    if len(read) == total:
        break
expect(len(read) == total, f"{total} records with kafka-python, got {len(read)}")
offsets = {}
for record in read:
    expect(record.offset == offsets.get(record.partition, -1) + 1, "offsets without gaps")
    offsets[record.partition] = record.offset

consumer = confluent_kafka.Consumer(confluent_options(group_id="none", enable_auto_commit=False))
for topic, count in (("first", total), ("packed", 900)):
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in range(3)])
    expect(len(consume(consumer, count)) == count, f"{count} records of {topic} with confluent-kafka")

# A point in time, the beginning and the end.
low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition("first", 0), timeout=10)
expect(low == 0 and high == offsets[0] + 1, f"watermarks 0 and {offsets[0] + 1}, got {low} and {high}")
later = confluent_kafka.TopicPartition("first", 0, int(time.time() * 1000) + 60_000)
expect(consumer.offsets_for_times([later], timeout=10)[0].offset in (-1, high), "no offset in the future")
consumer.close()

# A long poll ends when a record comes, not when its time is up.
waiting = confluent_kafka.Consumer(confluent_options(group_id="none", fetch_wait_max_ms=10000, fetch_min_bytes=1))
waiting.assign([confluent_kafka.TopicPartition("first", 0, high)])
expect(waiting.poll(1) is None, "nothing new")
begun = time.monotonic()
produce(confluent_kafka.Producer(confluent_options()), "first", [b"late"], partition=0)
expect(len(consume(waiting, 1, 5)) == 1 and time.monotonic() - begun < 3, "the late record soon")
waiting.close()
