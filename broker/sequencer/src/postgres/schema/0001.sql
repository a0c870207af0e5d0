-- Schema version 1. Why it looks like this: docs/rfcs/0004-sequencer.md.

CREATE TABLE cluster (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    cluster_id  text NOT NULL,
    key_id      text NOT NULL,
    wrapped_key bytea NOT NULL
);

CREATE TABLE producer_id (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    next      bigint NOT NULL
);
INSERT INTO producer_id (next) VALUES (0);

CREATE TABLE registry (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version   bigint NOT NULL
);
INSERT INTO registry (version) VALUES (0);

CREATE TABLE broker (
    epoch       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id     integer NOT NULL UNIQUE,
    beat        bigint NOT NULL DEFAULT 0,
    settled     bigint NOT NULL DEFAULT 0,
    description bytea NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE lease (
    name   text PRIMARY KEY,
    epoch  bigint NOT NULL,
    holder bigint NOT NULL
);

CREATE TABLE partition (
    topic       bytea NOT NULL,
    partition   integer NOT NULL,
    version     bigint NOT NULL,
    log_start   bigint NOT NULL,
    next_offset bigint NOT NULL,
    bytes       bigint NOT NULL,
    mac         bytea NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE slice (
    topic             bytea NOT NULL,
    partition         integer NOT NULL,
    base_offset       bigint NOT NULL,
    end_offset        bigint NOT NULL,
    object            bytea NOT NULL,
    first_block       integer NOT NULL,
    blocks            integer NOT NULL,
    bytes             bigint NOT NULL,
    maximum_timestamp bigint NOT NULL,
    appended_at_ms    bigint NOT NULL,
    committed_by      bigint NOT NULL,
    is_compacted      boolean NOT NULL,
    mac               bytea NOT NULL,
    PRIMARY KEY (topic, partition, base_offset)
);
CREATE INDEX slice_object ON slice (object);

CREATE TABLE producer (
    topic       bytea NOT NULL,
    partition   integer NOT NULL,
    producer_id bigint NOT NULL,
    appended_at_ms bigint NOT NULL,
    state       bytea NOT NULL,
    mac         bytea NOT NULL,
    PRIMARY KEY (topic, partition, producer_id)
) WITH (fillfactor = 70);

CREATE TABLE object (
    id                    bytea PRIMARY KEY,
    epoch                 bigint NOT NULL,
    number                bigint NOT NULL,
    bytes                 bigint NOT NULL,
    slices                integer NOT NULL,
    is_abandoned          boolean NOT NULL,
    unreferenced_since_ms bigint,
    outcome               bytea NOT NULL,
    mac                   bytea NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX object_unreferenced ON object (unreferenced_since_ms) WHERE unreferenced_since_ms IS NOT NULL;

CREATE TABLE metadata_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version   bigint NOT NULL,
    sealed    bytea NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE metadata_commit (
    version bigint PRIMARY KEY,
    id      bytea NOT NULL
);

CREATE TABLE metadata (
    table_id   smallint NOT NULL,
    key        bytea NOT NULL,
    version    bigint NOT NULL,
    is_deleted boolean NOT NULL,
    value      bytea NOT NULL,
    PRIMARY KEY (table_id, key)
) WITH (fillfactor = 70);
CREATE INDEX metadata_version ON metadata (version);

-- What a function answers: 0 applied, 1 fenced, 2 lease lost, 3 conflict, 5 registry changed.
-- An object that exists already ends the transaction with SQLSTATE CD004.

CREATE FUNCTION release_objects(in_objects bytea[], in_counts integer[], in_now_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM object WHERE id = ANY (in_objects) ORDER BY id FOR NO KEY UPDATE;
    UPDATE object SET
        slices = object.slices - n.count,
        unreferenced_since_ms = CASE WHEN object.slices = n.count THEN in_now_ms END
    FROM (SELECT u.id, sum(u.count)::integer AS count
          FROM unnest(in_objects, in_counts) AS u (id, count) GROUP BY u.id) AS n
    WHERE object.id = n.id;
END $$;

CREATE FUNCTION apply_transition(
    in_broker bigint, in_lease text, in_lease_epoch bigint, in_now_ms bigint,
    o_id bytea[], o_number bigint[], o_bytes bigint[], o_slices integer[], o_outcome bytea[], o_mac bytea[],
    p_topic bytea[], p_partition integer[], p_expected bigint[], p_version bigint[],
    p_log_start bigint[], p_next bigint[], p_bytes bigint[], p_mac bytea[],
    d_topic bytea[], d_partition integer[], d_base bigint[], d_object bytea[],
    s_topic bytea[], s_partition integer[], s_base bigint[], s_end bigint[], s_object bytea[],
    s_first_block integer[], s_blocks integer[], s_bytes bigint[], s_maximum_timestamp bigint[],
    s_appended_at_ms bigint[], s_committed_by bigint[], s_is_compacted boolean[], s_mac bytea[],
    r_topic bytea[], r_partition integer[], r_id bigint[], r_appended_at_ms bigint[], r_state bytea[], r_mac bytea[],
    x_topic bytea[], x_partition integer[], x_id bigint[]
) RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
    found_count bigint;
BEGIN
    PERFORM 1 FROM broker WHERE epoch = in_broker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN 1;
    END IF;
    IF in_lease IS NOT NULL THEN
        PERFORM 1 FROM lease WHERE name = in_lease AND epoch = in_lease_epoch AND holder = in_broker FOR SHARE;
        IF NOT FOUND THEN
            RETURN 2;
        END IF;
    END IF;

    SELECT count(*) INTO found_count FROM (
        SELECT p.version, u.expected
        FROM unnest(p_topic, p_partition, p_expected) AS u (topic, partition, expected)
        JOIN partition p ON p.topic = u.topic AND p.partition = u.partition
        ORDER BY p.topic, p.partition
        FOR NO KEY UPDATE OF p
    ) AS locked WHERE locked.version = locked.expected;
    IF found_count <> cardinality(p_topic) THEN
        RETURN 3;
    END IF;

    IF cardinality(o_id) > 0 THEN
        INSERT INTO object (id, epoch, number, bytes, slices, is_abandoned, outcome, mac)
        SELECT u.id, in_broker, u.number, u.bytes, u.slices, false, u.outcome, u.mac
        FROM unnest(o_id, o_number, o_bytes, o_slices, o_outcome, o_mac) AS u (id, number, bytes, slices, outcome, mac)
        ORDER BY u.id
        ON CONFLICT (id) DO NOTHING;
        GET DIAGNOSTICS found_count = ROW_COUNT;
        IF found_count <> cardinality(o_id) THEN
            RAISE EXCEPTION 'an object is known already' USING ERRCODE = 'CD004';
        END IF;
    END IF;

    UPDATE partition p
    SET version = u.version, log_start = u.log_start, next_offset = u.next_offset, bytes = u.bytes, mac = u.mac
    FROM unnest(p_topic, p_partition, p_version, p_log_start, p_next, p_bytes, p_mac)
        AS u (topic, partition, version, log_start, next_offset, bytes, mac)
    WHERE p.topic = u.topic AND p.partition = u.partition AND p.version <> u.version;

    IF cardinality(d_topic) > 0 THEN
        DELETE FROM slice s
        USING unnest(d_topic, d_partition, d_base, d_object) AS u (topic, partition, base_offset, object)
        WHERE s.topic = u.topic AND s.partition = u.partition AND s.base_offset = u.base_offset AND s.object = u.object;
        GET DIAGNOSTICS found_count = ROW_COUNT;
        IF found_count <> cardinality(d_topic) THEN
            RAISE EXCEPTION 'a slice is gone' USING ERRCODE = 'CD003';
        END IF;
        PERFORM release_objects(d_object, array_fill(1, ARRAY[cardinality(d_object)]), in_now_ms);
    END IF;

    IF cardinality(s_topic) > 0 THEN
        INSERT INTO slice (topic, partition, base_offset, end_offset, object, first_block, blocks, bytes,
                           maximum_timestamp, appended_at_ms, committed_by, is_compacted, mac)
        SELECT * FROM unnest(s_topic, s_partition, s_base, s_end, s_object, s_first_block, s_blocks, s_bytes,
                             s_maximum_timestamp, s_appended_at_ms, s_committed_by, s_is_compacted, s_mac);
    END IF;

    IF cardinality(r_topic) > 0 THEN
        INSERT INTO producer (topic, partition, producer_id, appended_at_ms, state, mac)
        SELECT * FROM unnest(r_topic, r_partition, r_id, r_appended_at_ms, r_state, r_mac)
        ON CONFLICT (topic, partition, producer_id)
        DO UPDATE SET appended_at_ms = excluded.appended_at_ms, state = excluded.state, mac = excluded.mac;
    END IF;

    IF cardinality(x_topic) > 0 THEN
        DELETE FROM producer r
        USING unnest(x_topic, x_partition, x_id) AS u (topic, partition, producer_id)
        WHERE r.topic = u.topic AND r.partition = u.partition AND r.producer_id = u.producer_id;
    END IF;
    RETURN 0;
END $$;

CREATE FUNCTION create_partitions(in_broker bigint, in_topic bytea, in_macs bytea[]) RETURNS smallint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM broker WHERE epoch = in_broker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN 1;
    END IF;
    IF (SELECT count(*) FROM partition WHERE topic = in_topic) > cardinality(in_macs) THEN
        RETURN 3;
    END IF;
    INSERT INTO partition (topic, partition, version, log_start, next_offset, bytes, mac)
    SELECT in_topic, u.number - 1, 1, 0, 0, 0, u.mac
    FROM unnest(in_macs) WITH ORDINALITY AS u (mac, number)
    ORDER BY u.number
    ON CONFLICT (topic, partition) DO NOTHING;
    RETURN 0;
END $$;

-- How many partitions went; -1 when the broker is fenced.
CREATE FUNCTION delete_topic(in_broker bigint, in_topic bytea, in_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
    objects bytea[];
    counts integer[];
BEGIN
    PERFORM 1 FROM broker WHERE epoch = in_broker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    PERFORM 1 FROM partition WHERE topic = in_topic ORDER BY topic, partition FOR UPDATE;
    WITH deleted AS (DELETE FROM slice WHERE topic = in_topic RETURNING object)
    SELECT array_agg(d.object), array_agg(d.count) INTO objects, counts
    FROM (SELECT object, count(*)::integer AS count FROM deleted GROUP BY object) AS d;
    IF objects IS NOT NULL THEN
        PERFORM release_objects(objects, counts, in_now_ms);
    END IF;
    DELETE FROM producer WHERE topic = in_topic;
    DELETE FROM partition WHERE topic = in_topic;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

CREATE FUNCTION register_broker(in_node integer, in_description bytea) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
BEGIN
    UPDATE registry SET version = version + 1;
    DELETE FROM broker WHERE node_id = in_node;
    INSERT INTO broker (node_id, description) VALUES (in_node, in_description) RETURNING epoch INTO given;
    RETURN given;
END $$;

CREATE FUNCTION fence_broker(in_epoch bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM registry FOR UPDATE;
    DELETE FROM broker WHERE epoch = in_epoch;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE registry SET version = version + 1;
    RETURN true;
END $$;

-- The new lease epoch; 0 when a live broker holds it, -1 when the asking one is fenced.
CREATE FUNCTION acquire_lease(in_broker bigint, in_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
BEGIN
    PERFORM 1 FROM broker WHERE epoch = in_broker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    INSERT INTO lease (name, epoch, holder) VALUES (in_name, 0, 0) ON CONFLICT (name) DO NOTHING;
    PERFORM 1 FROM lease WHERE name = in_name FOR UPDATE;
    UPDATE lease SET epoch = epoch + 1, holder = in_broker
    WHERE name = in_name
      AND (holder = in_broker OR NOT EXISTS (SELECT 1 FROM broker WHERE broker.epoch = lease.holder))
    RETURNING epoch INTO given;
    RETURN coalesce(given, 0);
END $$;

CREATE FUNCTION abandon_objects(a_id bytea[], a_epoch bigint[], a_number bigint[], a_mac bytea[]) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO object (id, epoch, number, bytes, slices, is_abandoned, outcome, mac)
    SELECT u.id, u.epoch, u.number, 0, 0, true, ''::bytea, u.mac
    FROM unnest(a_id, a_epoch, a_number, a_mac) AS u (id, epoch, number, mac)
    ORDER BY u.id
    ON CONFLICT (id) DO NOTHING;
$$;

CREATE FUNCTION forget_objects(in_objects bytea[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM object o
    WHERE o.id = ANY (in_objects)
      AND (o.is_abandoned OR o.unreferenced_since_ms IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM slice s WHERE s.object = o.id)
      AND NOT EXISTS (SELECT 1 FROM broker b WHERE b.epoch = o.epoch AND b.settled <= o.number);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

CREATE FUNCTION commit_metadata(
    in_broker bigint, in_registry bigint, in_expected bigint, in_id bytea, in_sealed bytea, in_purged_to bigint,
    m_table smallint[], m_key bytea[], m_is_deleted boolean[], m_value bytea[]
) RETURNS smallint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM metadata_state FOR NO KEY UPDATE;
    PERFORM 1 FROM metadata_commit WHERE version = in_expected + 1 AND id = in_id;
    IF FOUND THEN
        RETURN 0;
    END IF;
    IF in_registry IS NOT NULL THEN
        PERFORM 1 FROM registry WHERE version = in_registry FOR SHARE;
        IF NOT FOUND THEN
            RETURN 5;
        END IF;
    END IF;
    PERFORM 1 FROM broker WHERE epoch = in_broker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN 1;
    END IF;
    UPDATE metadata_state SET version = version + 1, sealed = in_sealed WHERE version = in_expected;
    IF NOT FOUND THEN
        RETURN 3;
    END IF;
    INSERT INTO metadata_commit (version, id) VALUES (in_expected + 1, in_id);
    DELETE FROM metadata_commit WHERE version <= in_expected - 1000;
    INSERT INTO metadata (table_id, key, version, is_deleted, value)
    SELECT u.table_id, u.key, in_expected + 1, u.is_deleted, u.value
    FROM unnest(m_table, m_key, m_is_deleted, m_value) AS u (table_id, key, is_deleted, value)
    ON CONFLICT (table_id, key)
    DO UPDATE SET version = excluded.version, is_deleted = excluded.is_deleted, value = excluded.value;
    IF in_purged_to > 0 THEN
        DELETE FROM metadata WHERE version <= in_purged_to AND is_deleted;
    END IF;
    RETURN 0;
END $$;
