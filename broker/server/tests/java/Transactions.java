// Transactions as Kafka's Java client makes them: transaction version 2, in which the broker adds partitions and the producer's epoch
// rises with each end (KIP-890). Arguments: bootstrap servers, a file with client properties, and how many rounds to go.

import java.io.FileReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

public final class Transactions {
    private static Properties base;

    public static void main(String[] arguments) throws Exception {
        base = new Properties();
        try (FileReader file = new FileReader(arguments[1])) {
            base.load(file);
        }
        base.put("bootstrap.servers", arguments[0]);
        int rounds = Integer.parseInt(arguments[2]);
        try (Admin admin = Admin.create(base)) {
            admin.createTopics(List.of(new NewTopic("in", 2, (short) 1), new NewTopic("out", 2, (short) 1))).all().get();
            FeatureMetadata features = admin.describeFeatures().featureMetadata().get();
            short level = features.finalizedFeatures().get("transaction.version").maxVersionLevel();
            expect(level == 2, "transaction version 2, got " + level);
            rounds(admin, rounds);
            fencing(admin);
            transform(rounds);
        }
        System.out.println("done");
    }

    private static Properties with(String... more) {
        Properties properties = new Properties();
        properties.putAll(base);
        for (int index = 0; index < more.length; index += 2) {
            properties.put(more[index], more[index + 1]);
        }
        return properties;
    }

    private static KafkaProducer<String, String> producer(String id) {
        String serializer = "org.apache.kafka.common.serialization.StringSerializer";
        KafkaProducer<String, String> producer = new KafkaProducer<>(with(
                "transactional.id", id, "key.serializer", serializer, "value.serializer", serializer, "linger.ms", "1"));
        producer.initTransactions();
        return producer;
    }

    private static KafkaConsumer<String, String> consumer(String isolation, String group) {
        String deserializer = "org.apache.kafka.common.serialization.StringDeserializer";
        return new KafkaConsumer<>(with(
                "group.id", group, "isolation.level", isolation, "enable.auto.commit", "false",
                "auto.offset.reset", "earliest", "key.deserializer", deserializer, "value.deserializer", deserializer));
    }

    private static List<TopicPartition> partitions(String topic) {
        return List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
    }

    /** Every value of a topic that a reader of that isolation sees, in order of values. */
    private static List<String> read(String topic, String isolation) {
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer(isolation, "none")) {
            consumer.assign(partitions(topic));
            consumer.seekToBeginning(partitions(topic));
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions(topic));
            long deadline = System.nanoTime() + 20_000_000_000L;
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                expect(System.nanoTime() < deadline, "the end of " + topic + " as " + isolation + " at " + ends);
                for (ConsumerRecord<String, String> found : consumer.poll(Duration.ofMillis(100))) {
                    values.add(found.value());
                }
            }
        }
        Collections.sort(values);
        return values;
    }

    /** Commits every other transaction and aborts the rest; readers see the former. */
    private static void rounds(Admin admin, int rounds) throws Exception {
        List<String> expected = new ArrayList<>();
        try (KafkaProducer<String, String> producer = producer("rounds")) {
            for (int round = 0; round < rounds; round++) {
                producer.beginTransaction();
                for (int number = 0; number < 4; number++) {
                    String value = String.format("%04d-%d", round, number);
                    producer.send(new ProducerRecord<>("in", number % 2, "k", value));
                    if (round % 2 == 0) {
                        expected.add(value);
                    }
                }
                if (round % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.flush();
                    producer.abortTransaction();
                }
            }
            // Nothing in it: the epoch rises all the same, and the next one works.
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.commitTransaction();
            expect(read("in", "read_committed").equals(expected), "what was committed");
            expect(read("in", "read_uncommitted").size() == 4 * rounds, "everything without isolation");

            producer.beginTransaction();
            producer.send(new ProducerRecord<>("in", 0, "k", "open")).get();
            TransactionDescription open = admin.describeTransactions(Set.of("rounds")).description("rounds").get();
            expect(open.state() == TransactionState.ONGOING, "an ongoing transaction, got " + open);
            expect(open.topicPartitions().equals(Set.of(new TopicPartition("in", 0))), "its partition, got " + open);
            expect(admin.listTransactions().all().get().stream().anyMatch(it -> it.transactionalId().equals("rounds")),
                    "the transactional id in the list");
            TopicPartition first = new TopicPartition("in", 0);
            List<ProducerState> states =
                    admin.describeProducers(Set.of(first)).partitionResult(first).get().activeProducers();
            ProducerState own = states.stream().filter(it -> it.producerId() == open.producerId()).findAny().get();
            long committed = offset(admin, first, IsolationLevel.READ_COMMITTED);
            long end = offset(admin, first, IsolationLevel.READ_UNCOMMITTED);
            expect(end == committed + 1, "one record behind the last stable offset, got " + committed + " and " + end);
            expect(own.currentTransactionStartOffset().getAsLong() == committed, "where it starts, got " + own);
            producer.commitTransaction();
            expect(offset(admin, first, IsolationLevel.READ_COMMITTED) == end + 1, "everything, and the marker");
        }
    }

    private static long offset(Admin admin, TopicPartition partition, IsolationLevel isolation) throws Exception {
        return admin.listOffsets(Map.of(partition, OffsetSpec.latest()), new ListOffsetsOptions(isolation))
                .partitionResult(partition).get().offset();
    }

    private static void fencing(Admin admin) throws Exception {
        KafkaProducer<String, String> old = producer("fenced");
        old.beginTransaction();
        old.send(new ProducerRecord<>("out", 0, "k", "old")).get();
        try (KafkaProducer<String, String> successor = producer("fenced")) {
            try {
                old.send(new ProducerRecord<>("out", 0, "k", "late")).get();
                expect(false, "a fenced producer wrote");
            } catch (ExecutionException | KafkaException refused) {
                expect(refused.toString().contains("Fenced") || refused.toString().contains("InvalidProducerEpoch"),
                        "fenced, got " + refused);
            }
            old.close(Duration.ZERO);
            successor.beginTransaction();
            successor.send(new ProducerRecord<>("out", 0, "k", "successor"));
            successor.commitTransaction();
        }
        // An administrator gives up what nobody ends.
        KafkaProducer<String, String> left = producer("left");
        left.beginTransaction();
        left.send(new ProducerRecord<>("out", 0, "k", "left")).get();
        admin.fenceProducers(Set.of("left")).all().get();
        left.close(Duration.ZERO);
        expect(read("out", "read_committed").equals(List.of("successor")), "what the successor wrote, got "
                + read("out", "read_committed"));
    }

    /** Consume, transform, produce; some transactions are aborted and done again. */
    private static void transform(int rounds) {
        List<String> expected = new ArrayList<>(read("in", "read_committed"));
        expected.add("successor");
        Collections.sort(expected);
        try (KafkaConsumer<String, String> consumer = consumer("read_committed", "transformers");
                KafkaProducer<String, String> producer = producer("transformer")) {
            consumer.subscribe(List.of("in"));
            int done = 0;
            int turn = 0;
            long deadline = System.nanoTime() + 40_000_000_000L;
            while (done < expected.size() - 1) {
                expect(System.nanoTime() < deadline, "all transformed, only " + done);
                Map<TopicPartition, OffsetAndMetadata> positions = new TreeMap<>(
                        (one, other) -> Integer.compare(one.partition(), other.partition()));
                Map<TopicPartition, Long> begun = new TreeMap<>(
                        (one, other) -> Integer.compare(one.partition(), other.partition()));
                producer.beginTransaction();
                int count = 0;
                for (ConsumerRecord<String, String> found : consumer.poll(Duration.ofMillis(200))) {
                    TopicPartition from = new TopicPartition(found.topic(), found.partition());
                    begun.putIfAbsent(from, found.offset());
                    positions.put(from, new OffsetAndMetadata(found.offset() + 1));
                    producer.send(new ProducerRecord<>("out", found.partition(), found.key(), found.value()));
                    count++;
                }
                if (count > 0) {
                    producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
                }
                if (turn++ % 3 == 1) {
                    producer.abortTransaction();
                    begun.forEach(consumer::seek);
                } else {
                    producer.commitTransaction();
                    done += count;
                }
            }
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.copyOf(partitions("in")));
            expect(committed.size() == 2 && !committed.containsValue(null), "offsets of the group, got " + committed);
        }
        expect(read("out", "read_committed").equals(expected), "each record once");
    }

    private static void expect(boolean holds, String what) {
        if (!holds) {
            System.err.println("expected " + what);
            System.exit(1);
        }
    }
}
