// Groups of the newer protocol (KIP-848) as Kafka's Java client uses them: members come and go, patterns, static members, offsets by member
// epoch, groups of both protocols at once, administration. Arguments: bootstrap servers and a file with client properties.

import java.io.FileReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnsupportedAssignorException;

public final class ConsumerGroups {
    private static final Duration POLL = Duration.ofMillis(50);
    private static final long PATIENCE_MS = 120_000;
    private static Properties base;

    public static void main(String[] arguments) throws Exception {
        base = new Properties();
        try (FileReader file = new FileReader(arguments[1])) {
            base.load(file);
        }
        base.put("bootstrap.servers", arguments[0]);
        try (Admin admin = Admin.create(base)) {
            short level = admin.describeFeatures().featureMetadata().get().finalizedFeatures().get("group.version").maxVersionLevel();
            expect(level == 1, "group version 1, got " + level);
            admin.createTopics(List.of(new NewTopic("orders", 6, (short) 1))).all().get();
            produce("orders", 600);
            comeAndGo(admin);
            offsets(admin);
            patterns(admin);
            staticMembers();
            refusals();
            bothProtocols(admin);
        }
        System.out.println("done");
    }

    private static void comeAndGo(Admin admin) throws Exception {
        KafkaConsumer<String, String> first = member("crew");
        first.subscribe(Set.of("orders"));
        settle(List.of(first), 6);
        KafkaConsumer<String, String> second = member("crew", "group.remote.assignor", "range");
        second.subscribe(Set.of("orders"));
        settle(List.of(first, second), 3, 3);
        ConsumerGroupDescription group = admin.describeConsumerGroups(Set.of("crew")).all().get().get("crew");
        expect(group.groupState() == GroupState.STABLE && group.type() == GroupType.CONSUMER, "a stable consumer group: " + group);
        expect(group.partitionAssignor().equals("range"), "range: " + group);
        for (MemberDescription member : group.members()) {
            expect(member.assignment().topicPartitions().size() == 3, "three partitions: " + member);
            expect(member.targetAssignment().get().equals(member.assignment()), "the target: " + member);
            expect(member.memberEpoch().get().equals(group.targetAssignmentEpoch().get()), "the epoch: " + member);
            expect(member.upgraded().get(), "the newer protocol: " + member);
        }
        Collection<GroupListing> listed = admin.listGroups().all().get();
        expect(listed.size() == 1 && listed.iterator().next().type().get() == GroupType.CONSUMER, "one group: " + listed);
        second.close();
        settle(List.of(first), 6);
        first.close();
        admin.deleteConsumerGroups(Set.of("crew")).all().get();
    }

    private static void offsets(Admin admin) throws Exception {
        try (KafkaConsumer<String, String> reader = member("readers")) {
            reader.subscribe(Set.of("orders"));
            read(reader, 600);
            reader.commitSync();
            Map<TopicPartition, OffsetAndMetadata> committed = reader.committed(reader.assignment());
            expect(committed.values().stream().mapToLong(OffsetAndMetadata::offset).sum() == 600, "600 committed: " + committed);
        }
        produce("orders", 60);
        try (KafkaConsumer<String, String> reader = member("readers")) {
            reader.subscribe(Set.of("orders"));
            expect(read(reader, 60).size() == 60, "only the new records");
            reader.commitSync();
        }
        admin.deleteConsumerGroupOffsets("readers", Set.of(new TopicPartition("orders", 0))).all().get();
        int kept = admin.listConsumerGroupOffsets("readers").partitionsToOffsetAndMetadata().get().size();
        expect(kept == 5, "five offsets left, got " + kept);
        admin.alterConsumerGroupOffsets("readers", Map.of(new TopicPartition("orders", 0), new OffsetAndMetadata(7))).all().get();
    }

    private static void patterns(Admin admin) throws Exception {
        try (KafkaConsumer<String, String> watcher = member("watchers")) {
            watcher.subscribe(new SubscriptionPattern("ord.*"));
            settle(List.of(watcher), 6);
            admin.createPartitions(Map.of("orders", NewPartitions.increaseTo(8))).all().get();
            settle(List.of(watcher), 8);
            admin.createTopics(List.of(new NewTopic("orders-too", 2, (short) 1), new NewTopic("others", 3, (short) 1))).all().get();
            settle(List.of(watcher), 10);
            admin.deleteTopics(Set.of("orders-too")).all().get();
            settle(List.of(watcher), 8);
        }
    }

    private static void staticMembers() {
        KafkaConsumer<String, String> one = member("static", "group.instance.id", "one");
        KafkaConsumer<String, String> two = member("static", "group.instance.id", "two");
        one.subscribe(Set.of("orders"));
        two.subscribe(Set.of("orders"));
        settle(List.of(one, two), 4, 4);
        Set<TopicPartition> before = one.assignment();
        one.close();
        one = member("static", "group.instance.id", "one");
        one.subscribe(Set.of("orders"));
        settle(List.of(one, two), 4, 4);
        expect(one.assignment().equals(before), before + " again, got " + one.assignment());
        one.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
        settle(List.of(two), 8);
        two.close();
    }

    private static void refusals() {
        refused(UnsupportedAssignorException.class, () -> {
            KafkaConsumer<String, String> odd = member("odd", "group.remote.assignor", "sticky");
            odd.subscribe(Set.of("orders"));
            return odd;
        });
        refused(InvalidRegularExpression.class, () -> {
            KafkaConsumer<String, String> odd = member("odd");
            odd.subscribe(new SubscriptionPattern("(["));
            return odd;
        });
    }

    private interface Subscribed {
        KafkaConsumer<String, String> make();
    }

    private static void refused(Class<? extends Exception> expected, Subscribed subscribed) {
        KafkaConsumer<String, String> consumer = subscribed.make();
        long end = System.currentTimeMillis() + PATIENCE_MS;
        try {
            while (System.currentTimeMillis() < end) {
                consumer.poll(POLL);
            }
        } catch (Exception error) {
            expect(expected.isInstance(error), expected + ", got " + error);
            return;
        } finally {
            consumer.close();
        }
        throw new IllegalStateException("expected " + expected);
    }

    /** A group changes its protocol while its members read on, one after the other. */
    private static void bothProtocols(Admin admin) throws Exception {
        admin.createTopics(List.of(new NewTopic("rolling", 6, (short) 1))).all().get();
        List<KafkaConsumer<String, String>> members = new ArrayList<>();
        for (int index = 0; index < 2; index++) {
            members.add(classic("rolling"));
            members.get(index).subscribe(Set.of("rolling"));
        }
        settle(members, 3, 3);
        expect(type(admin, "rolling") == GroupType.CLASSIC, "a classic group");
        for (int index = 0; index < 2; index++) {
            members.get(index).close();
            members.set(index, member("rolling"));
            members.get(index).subscribe(Set.of("rolling"));
            settle(members, 3, 3);
            expect(type(admin, "rolling") == GroupType.CONSUMER, "a consumer group after " + index);
        }
        for (int index = 0; index < 2; index++) {
            members.get(index).close();
            members.set(index, classic("rolling"));
            members.get(index).subscribe(Set.of("rolling"));
            settle(members, 3, 3);
        }
        expect(type(admin, "rolling") == GroupType.CLASSIC, "a classic group again");
        for (KafkaConsumer<String, String> member : members) {
            member.close();
        }
    }

    private static GroupType type(Admin admin, String group) throws Exception {
        for (GroupListing listing : admin.listGroups().all().get()) {
            if (listing.groupId().equals(group)) {
                return listing.type().get();
            }
        }
        throw new IllegalStateException("no group " + group);
    }

    private static KafkaConsumer<String, String> member(String group, String... more) {
        return consumer(group, "consumer", more);
    }

    private static KafkaConsumer<String, String> classic(String group) {
        return consumer(
            group, "classic", "heartbeat.interval.ms", "500", "session.timeout.ms", "6000",
            "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
        );
    }

    private static KafkaConsumer<String, String> consumer(String group, String protocol, String... more) {
        Properties properties = new Properties();
        properties.putAll(base);
        properties.put("group.id", group);
        properties.put("group.protocol", protocol);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("metadata.max.age.ms", "1000");
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        for (int index = 0; index < more.length; index += 2) {
            properties.put(more[index], more[index + 1]);
        }
        return new KafkaConsumer<>(properties);
    }

    /** Polls all members until their assignments have the expected sizes and do not overlap. */
    private static void settle(List<KafkaConsumer<String, String>> members, Integer... shares) {
        long end = System.currentTimeMillis() + PATIENCE_MS;
        List<Integer> sizes = List.of();
        while (System.currentTimeMillis() < end) {
            sizes = new ArrayList<>();
            Set<String> all = new TreeSet<>();
            for (KafkaConsumer<String, String> member : members) {
                member.poll(POLL);
                sizes.add(member.assignment().size());
                member.assignment().forEach(partition -> all.add(partition.toString()));
            }
            sizes.sort(null);
            if (sizes.equals(List.of(shares)) && all.size() == sizes.stream().mapToInt(Integer::intValue).sum()) {
                return;
            }
        }
        throw new IllegalStateException("expected " + List.of(shares) + ", got " + sizes);
    }

    private static List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> reader, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long end = System.currentTimeMillis() + PATIENCE_MS;
        while (records.size() < count && System.currentTimeMillis() < end) {
            reader.poll(POLL).forEach(records::add);
        }
        expect(records.size() >= count, count + " records, got " + records.size());
        return records;
    }

    private static void produce(String topic, int count) {
        Properties properties = new Properties();
        properties.putAll(base);
        properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            for (int number = 0; number < count; number++) {
                producer.send(new ProducerRecord<>(topic, number % 6, "key", "value-" + number));
            }
        }
    }

    private static void expect(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException("expected " + what);
        }
    }
}
