//! Deleting a topic destroys its key, and the receipt for it can be checked by anybody.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test waits, and says what it leaves out"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use cadastre_keys::signing::VerifyingKey;
use cadastre_keys::{
    KeyCacheConfig, KeyProvider, KeyRing, KeyRingConfig, LocalKeyFile, RECEIPT_DOMAIN, ScopeKeyStore,
    ShredReceipt, SystemKeyClock, TopicKeys, verify_receipt,
};
use cadastre_objects::{
    ObjectError, ObjectKeys, ObjectName, ObjectReader, ObjectReference, ReaderSettings, StoreLocation,
    StoreSettings,
};
use cadastre_protocol::StrBytes;
use cadastre_protocol::client::{Client, ClientConfig, Security};
use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, ProduceRequest, TopicName};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_server::{Broker, BrokerConfig, FormatOptions, Properties, RunningBroker, format};
use cadastre_storage::{ObjectConfig, ScopeKeyTable, Storage, StorageConfig};

const CLUSTER: &str = "shredding";

fn config(directory: &Path) -> BrokerConfig {
    let directory = directory.display().to_string();
    let properties: Properties = [
        ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
        ("log.dirs", format!("{directory}/data")),
        ("cadastre.key.file", format!("{directory}/kek")),
        ("log.segment.bytes", "1048576".to_owned()),
        ("cadastre.objects.pack.interval.ms", "50".to_owned()),
        ("cadastre.objects.size.bytes", "1048576".to_owned()),
        ("log.cleaner.backoff.ms", "100".to_owned()),
    ]
    .into_iter()
    .collect();
    BrokerConfig::from_properties(properties).unwrap()
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("secret"))
}

async fn connect(broker: &RunningBroker) -> Client {
    let (_, address) = broker.listeners().into_iter().next().unwrap();
    let config = ClientConfig::new("test", Security { tls: None, sasl: None });
    Client::connect(&address.to_string().parse().unwrap(), &config).await.unwrap()
}

async fn fill(client: &mut Client) {
    let made = CreatableTopic::default().with_name(topic()).with_num_partitions(1).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![made]).with_timeout_ms(5000);
    let made = client.send_version(5, &request).await.unwrap();
    assert_eq!(made.topics[0].error_code, 0);
    for _ in 0..60 {
        let record = Record { value: Some(Bytes::from(vec![b's'; 100_000])), ..Record::default() };
        let batch = RecordBatch::build(0, &[record], None).unwrap();
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.bytes().clone()));
        let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![data]);
        let produced = client.send_version(9, &request).await.unwrap();
        assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The topic's own objects.
fn own_objects(root: &Path) -> Vec<PathBuf> {
    let mut own = files(&root.join("data/objects"));
    own.retain(|path| path.to_str().unwrap().contains("/partition/"));
    own.sort();
    own
}

async fn wait_for(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Opens an object with all keys that a stopped broker has.
async fn open_object(root: &Path, object: &Path) -> Result<usize, ObjectError> {
    let provider: Arc<dyn KeyProvider> = Arc::new(LocalKeyFile::open(&root.join("kek")).unwrap());
    let table = ScopeKeyTable::new(CLUSTER);
    let scope_keys: Arc<dyn ScopeKeyStore> = Arc::<ScopeKeyTable>::clone(&table);
    let ring = KeyRingConfig {
        cluster_id: CLUSTER.to_owned(),
        topic_keys: TopicKeys::Own,
        cache: KeyCacheConfig::default(),
    };
    let ring = Arc::new(KeyRing::new(ring, Arc::clone(&provider), scope_keys, Arc::new(SystemKeyClock)));
    let location = StoreLocation::directory(&root.join("data/objects")).unwrap();
    let store = location.open(StoreSettings::default()).unwrap();
    let objects =
        ObjectConfig { keys: Some(ObjectKeys::Ring(Arc::clone(&ring))), ..ObjectConfig::new(store.clone()) };
    let config =
        StorageConfig { objects: Some(objects), ..StorageConfig::new(root.join("data/log"), CLUSTER) };
    let storage = Storage::open(config, Arc::clone(&ring)).await.unwrap();
    table.bind(&storage);
    let path = object.strip_prefix(root.join("data/objects")).unwrap().to_str().unwrap();
    let name = ObjectName::parse(CLUSTER, &path.into()).unwrap();
    let reader = ObjectReader::new(store, ObjectKeys::Ring(ring), ReaderSettings::default());
    let opened = reader.open(&ObjectReference::new(name)).await.map(|opened| opened.index().blocks().len());
    storage.close().await.unwrap();
    opened
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cadastre-broker")).args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_topic_cannot_be_decrypted_and_its_receipt_says_what_was_destroyed() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let options = FormatOptions { cluster_id: Some(CLUSTER.to_owned()), ..FormatOptions::default() };
    format(&config(root), &options).await.unwrap();
    let broker = Broker::start(config(root)).await.unwrap();
    fill(&mut connect(&broker).await).await;
    wait_for("objects of the topic's own", || own_objects(root).len() >= 2).await;
    broker.shutdown().await.unwrap();
    let kept = own_objects(root).remove(0);
    let content = std::fs::read(&kept).unwrap();
    assert!(open_object(root, &kept).await.unwrap() > 0, "readable before");

    let broker = Broker::start(config(root)).await.unwrap();
    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic()]).with_timeout_ms(5000);
    let deleted = connect(&broker).await.send_version(5, &request).await.unwrap();
    assert_eq!(deleted.responses[0].error_code, 0);
    wait_for("the topic's objects to go", || own_objects(root).is_empty()).await;
    broker.shutdown().await.unwrap();

    let receipts: Vec<PathBuf> = files(&root.join("data/receipts"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    let [path] = receipts.as_slice() else { panic!("{receipts:?}") };
    let bytes = std::fs::read(path).unwrap();
    let public = root.join("data/receipts/signer.pem");
    let key = VerifyingKey::parse(&std::fs::read_to_string(&public).unwrap()).unwrap();
    let receipt = verify_receipt(&bytes, &key).unwrap();
    check(&receipt, root, &kept);
    check_programs(root, path, &public, &bytes);

    // Somebody kept a copy of an object.
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, content).unwrap();
    let refused = open_object(root, &kept).await.unwrap_err();
    assert!(matches!(refused, ObjectError::Key { .. }), "{refused:?}");
    let ledger: String =
        files(&root.join("data")).iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    assert!(ledger.contains("destroy"), "the ledger has the destruction");
}

fn check(receipt: &ShredReceipt, root: &Path, kept: &Path) {
    assert_eq!(receipt.cluster, CLUSTER);
    let [key] = receipt.keys.as_slice() else { panic!("{receipt:?}") };
    assert_eq!(key.holder, format!("scope/cadastre:topic:{}", receipt.topic_id));
    assert!(key.key_id.starts_with("local:"), "{key:?}");
    let name = kept.strip_prefix(root.join("data/objects")).unwrap().to_str().unwrap();
    assert!(receipt.objects.iter().any(|object| object == name), "{name}: {receipt:?}");
    // Records are also in the log, under the log's own keys, and that is said.
    assert!(receipt.remains.iter().any(|place| place.starts_with("segment/")), "{receipt:?}");
}

fn check_programs(root: &Path, receipt: &Path, public: &Path, bytes: &[u8]) {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let verified = program(&["verify-receipt", "--key", &text(public), &text(receipt)]);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success() && said.starts_with("verified: keys of topic "), "{said}");
    let altered = root.join("altered.json");
    let changed = String::from_utf8(bytes.to_vec()).unwrap().replace("local:", "local;");
    std::fs::write(&altered, changed).unwrap();
    let refused = program(&["verify-receipt", "--key", &text(public), &text(&altered)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("the content was altered"));

    // The same with a program that knows nothing of this one.
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    // The file is in RFC 8785 form, and so is the receipt in it.
    let text_of_receipt = std::str::from_utf8(bytes).unwrap().strip_prefix("{\"receipt\":").unwrap();
    let (text_of_receipt, _) = text_of_receipt.split_once(",\"signature\":").unwrap();
    let message = [RECEIPT_DOMAIN.as_bytes(), &[0], text_of_receipt.as_bytes()].concat();
    let signature = value["signature"]["value"].as_str().unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    std::fs::write(root.join("message"), message).unwrap();
    std::fs::write(root.join("signature"), signature).unwrap();
    let openssl = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", &text(public)])
        .args(["-in", &text(&root.join("message")), "-sigfile", &text(&root.join("signature"))])
        .output();
    match openssl {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => eprintln!("skipped: openssl cannot be run: {error}"),
    }
}
