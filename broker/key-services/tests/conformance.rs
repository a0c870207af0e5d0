//! One suite that every key service passes: real moto, real OpenBao, a server with Azure's protocol, and the local file.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::Arc;

use cadastre_key_services::{
    AzureAlgorithm, AzureCredential, AzureKeyVault, AzureKeyVaultConfig, Endpoint, Trust,
};
use cadastre_keys::ledger::{KeyLedger, MemoryLedger};
use cadastre_keys::{
    EncryptionContext, KeyError, KeyErrorClass, KeyProvider, KeyService, LedgerMode, LocalKeyFile,
    RecordedKeys, SystemKeyClock, WrappedKey, context,
};
use support::aws::Aws;
use support::azure_protocol_server::AzureProtocolServer;
use support::gate::Gate;
use support::limits;
use support::openbao::OpenBao;

/// A service and what the suite needs to know about it.
struct Subject {
    name: &'static str,
    /// Wraps and unwraps.
    service: Arc<dyn KeyService>,
    /// The same server, or kind of file, with a key that `service` does not hold.
    foreign: Arc<dyn KeyService>,
    /// Opened after the key had got a new version, or a new key that knows `service`'s as previous.
    successor: Arc<dyn KeyService>,
    /// Stands in front of the server.
    gate: Option<Gate>,
    has_request_ids: bool,
}

fn here() -> EncryptionContext {
    EncryptionContext::new()
        .with(context::CLUSTER, "MkU3OEVBNTcwNTJENDM2Qk")
        .with(context::PURPOSE, context::purpose::OBJECT)
        .with(context::OBJECT, "objects/00/0001")
}

#[track_caller]
fn check_class<T>(subject: &Subject, outcome: Result<T, KeyError>, expected: KeyErrorClass) {
    match outcome {
        Ok(_) => panic!("{}: allowed, expected {}", subject.name, expected.name()),
        Err(error) => assert_eq!(error.class(), expected, "{}: {error}", subject.name),
    }
}

async fn conforms(subject: &Subject) {
    let ledger = Arc::new(MemoryLedger::new());
    let keys = RecordedKeys::new(
        Arc::clone(&subject.service),
        Vec::new(),
        Arc::clone(&ledger) as Arc<dyn KeyLedger>,
        LedgerMode::FailClosed,
    );
    round_trip(subject, &keys).await;
    wrong_context(subject, &keys).await;
    altered_ciphertext(subject, &keys).await;
    foreign_key(subject, &keys).await;
    rewrap(subject, &keys).await;
    let events = ledger.events();
    assert!(events.len() > 20, "{}", subject.name);
    for event in events.iter().filter(|event| event.outcome == "ok") {
        let id = event.request_id.as_deref();
        assert_eq!(
            id.is_some_and(|id| id.len() >= 8),
            subject.has_request_ids,
            "{}: {event:?}",
            subject.name
        );
    }
    if subject.gate.is_some() {
        unavailable(subject, &keys).await;
    }
}

async fn round_trip(subject: &Subject, keys: &RecordedKeys) {
    let data_key = keys.generate_data_key(&here()).await.unwrap();
    assert!(subject.service.holds(&data_key.wrapped.key_id), "{}", subject.name);
    assert!(keys.is_current(&data_key.wrapped.key_id), "{}", subject.name);
    let unwrapped = keys.unwrap(&data_key.wrapped, &here()).await.unwrap();
    assert!(unwrapped.is_same_key(&data_key.plaintext), "{}", subject.name);
    let other = keys.generate_data_key(&here()).await.unwrap();
    assert!(!other.plaintext.is_same_key(&data_key.plaintext), "{}", subject.name);
    let again = subject.service.wrap_key(&data_key.plaintext, &here()).await.outcome.unwrap();
    assert_ne!(again.ciphertext, data_key.wrapped.ciphertext, "{}", subject.name);
    assert!(keys.unwrap(&again, &here()).await.unwrap().is_same_key(&data_key.plaintext));
    // Headers of segments have room for 2 KiB in all.
    assert!(data_key.wrapped.ciphertext.len() < 1024, "{}", subject.name);
}

async fn wrong_context(subject: &Subject, keys: &RecordedKeys) {
    let data_key = keys.generate_data_key(&here()).await.unwrap();
    let others = [
        EncryptionContext::new(),
        here().with(context::OBJECT, "objects/00/0002"),
        here().with("more", ""),
        EncryptionContext::new().with(context::CLUSTER, "MkU3OEVBNTcwNTJENDM2Qk"),
    ];
    for other in others {
        let outcome = keys.unwrap(&data_key.wrapped, &other).await;
        check_class(subject, outcome, KeyErrorClass::InvalidCiphertext);
        let outcome = keys.rewrap(&data_key.wrapped, &other).await;
        check_class(subject, outcome, KeyErrorClass::InvalidCiphertext);
    }
}

async fn altered_ciphertext(subject: &Subject, keys: &RecordedKeys) {
    let data_key = keys.generate_data_key(&here()).await.unwrap();
    let length = data_key.wrapped.ciphertext.len();
    let mut altered: Vec<Vec<u8>> = Vec::new();
    for position in [0, 1, 2, length / 3, length / 2, length - 17, length - 2, length - 1] {
        let mut bytes = data_key.wrapped.ciphertext.clone();
        bytes[position] ^= 4;
        altered.push(bytes);
    }
    altered.push(data_key.wrapped.ciphertext[..length - 1].to_vec());
    altered.push(data_key.wrapped.ciphertext[..length / 2].to_vec());
    altered.push([data_key.wrapped.ciphertext.as_slice(), b"AAAA"].concat());
    altered.push(b"x".to_vec());
    for ciphertext in altered {
        let wrapped = WrappedKey { ciphertext, ..data_key.wrapped.clone() };
        match keys.unwrap(&wrapped, &here()).await {
            Ok(_) => panic!("{}: an altered ciphertext was taken: {:?}", subject.name, wrapped.ciphertext),
            // KMS keeps the key's name in the ciphertext, and an altered name is one that the caller may not use.
            Err(error) => assert!(!error.is_retriable(), "{}: {error}", subject.name),
        }
    }
}

async fn foreign_key(subject: &Subject, keys: &RecordedKeys) {
    let elsewhere = subject.foreign.generate_key(&here()).await.outcome.unwrap().wrapped;
    check_class(subject, keys.unwrap(&elsewhere, &here()).await, KeyErrorClass::ForeignKey);
    check_class(subject, keys.rewrap(&elsewhere, &here()).await, KeyErrorClass::ForeignKey);
    // A foreign ciphertext under the name of our key.
    let own = keys.generate_data_key(&here()).await.unwrap().wrapped;
    let renamed = WrappedKey { key_id: own.key_id, ..elsewhere };
    let refused = keys.unwrap(&renamed, &here()).await.unwrap_err();
    // Moto says so where KMS says IncorrectKeyException, and leaves the message out.
    let from_moto = subject.name.contains("moto") && refused.class() == KeyErrorClass::AccessDenied;
    assert!(from_moto || refused.class() == KeyErrorClass::InvalidCiphertext, "{}: {refused}", subject.name);
}

async fn rewrap(subject: &Subject, keys: &RecordedKeys) {
    let data_key = keys.generate_data_key(&here()).await.unwrap();
    let moved = subject.successor.rewrap_key(&data_key.wrapped, &here()).await.outcome.unwrap();
    assert!(subject.successor.is_current_key(&moved.key_id), "{}", subject.name);
    assert!(!subject.successor.is_current_key(&data_key.wrapped.key_id), "{}", subject.name);
    let unwrapped = subject.successor.unwrap_key(&moved, &here()).await.outcome.unwrap();
    assert!(unwrapped.is_same_key(&data_key.plaintext), "{}", subject.name);
    let other = here().with(context::OBJECT, "objects/00/0002");
    assert!(subject.successor.unwrap_key(&moved, &other).await.outcome.is_err(), "{}", subject.name);
    // And within the same key.
    let moved = keys.rewrap(&data_key.wrapped, &here()).await.unwrap();
    assert!(keys.unwrap(&moved, &here()).await.unwrap().is_same_key(&data_key.plaintext));
    for _ in 0..8 {
        keys.unwrap(&data_key.wrapped, &here()).await.unwrap();
    }
}

async fn unavailable(subject: &Subject, keys: &RecordedKeys) {
    let gate = subject.gate.as_ref().unwrap();
    let data_key = keys.generate_data_key(&here()).await.unwrap();
    gate.set_open(false);
    check_class(subject, keys.unwrap(&data_key.wrapped, &here()).await, KeyErrorClass::Unavailable);
    let refused = keys.generate_data_key(&here()).await.unwrap_err();
    assert!(refused.is_retriable() && !refused.is_refusal(), "{}: {refused}", subject.name);
    gate.set_open(true);
    keys.unwrap(&data_key.wrapped, &here()).await.unwrap();
}

#[tokio::test]
async fn the_local_file_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let key = |name: &str| Arc::new(LocalKeyFile::create(&directory.path().join(name)).unwrap());
    let (service, foreign) = (key("a"), key("b"));
    // A file has no versions: moving to another key is what two services do together.
    let ledger = Arc::new(MemoryLedger::new());
    let chain = RecordedKeys::new(
        Arc::clone(&foreign) as Arc<dyn KeyService>,
        vec![Arc::clone(&service) as Arc<dyn KeyService>],
        ledger,
        LedgerMode::FailClosed,
    );
    let successor = Arc::new(support_chain::Chain(chain));
    let subject =
        Subject { name: "local file", service, foreign, successor, gate: None, has_request_ids: false };
    conforms(&subject).await;
}

/// A provider of several services, seen as one service.
mod support_chain {
    use cadastre_keys::{
        Answer, AnswerFuture, DataKey, EncryptionContext, KeyProvider, KeyService, RecordedKeys, Secret,
        WrappedKey,
    };

    #[derive(Debug)]
    pub(crate) struct Chain(pub(crate) RecordedKeys);

    impl KeyService for Chain {
        fn current_key(&self) -> &str {
            self.0.key_id()
        }
        fn generate_key<'a>(&'a self, context: &'a EncryptionContext) -> AnswerFuture<'a, DataKey> {
            Box::pin(async { Answer::local(self.0.generate_data_key(context).await) })
        }
        fn wrap_key<'a>(
            &'a self,
            _key: &'a Secret<[u8; 32]>,
            context: &'a EncryptionContext,
        ) -> AnswerFuture<'a, WrappedKey> {
            Box::pin(async { Answer::local(self.0.generate_data_key(context).await.map(|key| key.wrapped)) })
        }
        fn unwrap_key<'a>(
            &'a self,
            wrapped: &'a WrappedKey,
            context: &'a EncryptionContext,
        ) -> AnswerFuture<'a, Secret<[u8; 32]>> {
            Box::pin(async { Answer::local(self.0.unwrap(wrapped, context).await) })
        }
        fn rewrap_key<'a>(
            &'a self,
            wrapped: &'a WrappedKey,
            context: &'a EncryptionContext,
        ) -> AnswerFuture<'a, WrappedKey> {
            Box::pin(async { Answer::local(self.0.rewrap(wrapped, context).await) })
        }
    }
}

#[tokio::test]
async fn aws_kms_conforms() {
    let Some(moto) = Aws::moto().await else { return };
    let gate = Gate::before(moto.port).await;
    let (own, foreign, next) = (moto.key().await, moto.key().await, moto.key().await);
    let subject = Subject {
        name: "AWS KMS (moto)",
        service: Aws::service(gate.port, &own, &[]),
        foreign: Aws::service(moto.port, &foreign, &[]),
        successor: Aws::service(moto.port, &next, &[&own]),
        gate: Some(gate),
        has_request_ids: true,
    };
    conforms(&subject).await;
}

#[tokio::test]
async fn openbao_conforms_with_derived_keys_and_with_associated_data() {
    let Some(bao) = OpenBao::start().await else { return };
    for (name, derived) in [("derived", true), ("plain", false)] {
        let gate = Gate::before(bao.port).await;
        bao.key(name, derived).await;
        let foreign = format!("{name}-foreign");
        bao.key(&foreign, derived).await;
        let service = bao.service(gate.port, name).await.unwrap();
        // The successor is opened after the key is rotated; the first goes on knowing version 1.
        let first = bao.service(bao.port, name).await.unwrap();
        let wrapped = first.generate_key(&here()).await.outcome.unwrap().wrapped;
        assert!(wrapped.key_id.ends_with("#1"), "{}", wrapped.key_id);
        bao.call("POST", &format!("transit/keys/{name}/rotate"), serde_json::json!({})).await.unwrap();
        let successor = bao.service(bao.port, name).await.unwrap();
        assert!(!successor.is_current_key(&wrapped.key_id));
        let moved = successor.rewrap_key(&wrapped, &here()).await.outcome.unwrap();
        assert!(moved.key_id.ends_with("#2"), "{}", moved.key_id);
        // For the suite, a key that is one version ahead of what `service` makes is needed: another name would be foreign.
        let foreign = bao.service(bao.port, &foreign).await.unwrap();
        let subject = Subject {
            name: "OpenBao",
            service,
            foreign,
            successor: Arc::new(Ahead { bao: successor, name: name.to_owned() }),
            gate: Some(gate),
            has_request_ids: true,
        };
        conforms(&subject).await;
    }
}

/// The service with a newer version: the data keys that the suite makes are named as if they were of the version before,
/// since the server wraps with the newest version whoever asks.
#[derive(Debug)]
struct Ahead {
    bao: Arc<cadastre_key_services::VaultTransit>,
    name: String,
}

impl KeyService for Ahead {
    fn current_key(&self) -> &str {
        &self.name
    }
    fn is_current_key(&self, key_id: &str) -> bool {
        key_id == "moved"
    }
    fn generate_key<'a>(
        &'a self,
        context: &'a EncryptionContext,
    ) -> cadastre_keys::AnswerFuture<'a, cadastre_keys::DataKey> {
        self.bao.generate_key(context)
    }
    fn wrap_key<'a>(
        &'a self,
        key: &'a cadastre_keys::Secret<[u8; 32]>,
        context: &'a EncryptionContext,
    ) -> cadastre_keys::AnswerFuture<'a, WrappedKey> {
        self.bao.wrap_key(key, context)
    }
    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> cadastre_keys::AnswerFuture<'a, cadastre_keys::Secret<[u8; 32]>> {
        Box::pin(async {
            let named = WrappedKey { key_id: self.bao.current_key().to_owned(), ..wrapped.clone() };
            self.bao.unwrap_key(&named, context).await
        })
    }
    fn rewrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> cadastre_keys::AnswerFuture<'a, WrappedKey> {
        Box::pin(async {
            let mut answer = self.bao.rewrap_key(wrapped, context).await;
            if let Ok(moved) = &mut answer.outcome {
                moved.key_id = "moved".to_owned();
            }
            answer
        })
    }
}

async fn azure(
    server: &AzureProtocolServer,
    name: &str,
    algorithm: AzureAlgorithm,
) -> Result<Arc<AzureKeyVault>, KeyError> {
    azure_at(server.port, server.port, name, algorithm).await
}

async fn azure_at(
    port: u16,
    identity: u16,
    name: &str,
    algorithm: AzureAlgorithm,
) -> Result<Arc<AzureKeyVault>, KeyError> {
    let endpoint = Endpoint::parse("endpoint", &format!("http://127.0.0.1:{identity}")).unwrap();
    let config = AzureKeyVaultConfig {
        key_url: Endpoint::parse("url", &format!("http://127.0.0.1:{port}/keys/{name}")).unwrap(),
        algorithm,
        credential: AzureCredential::ManagedIdentity { endpoint, client_id: None },
        limits: limits(),
        trust: Trust::System,
    };
    AzureKeyVault::open(config, Arc::new(SystemKeyClock)).await
}

#[tokio::test]
async fn azure_key_vault_conforms_with_rsa_and_with_aes() {
    let server = AzureProtocolServer::start().await;
    for (name, algorithm) in [("rsa", AzureAlgorithm::RsaOaep256), ("aes", AzureAlgorithm::A256Kw)] {
        let foreign = format!("{name}-foreign");
        let is_rsa = algorithm == AzureAlgorithm::RsaOaep256;
        server.add_version(name, is_rsa);
        server.add_version(&foreign, is_rsa);
        let service = azure(&server, name, algorithm).await.unwrap();
        let foreign = azure(&server, &foreign, algorithm).await.unwrap();
        server.add_version(name, is_rsa);
        let successor = azure(&server, name, algorithm).await.unwrap();
        let name = "Azure Key Vault (protocol server)";
        let subject = Subject { name, service, foreign, successor, gate: None, has_request_ids: true };
        conforms(&subject).await;
    }
}

#[tokio::test]
async fn an_azure_vault_that_cannot_be_reached_is_unavailable() {
    let server = AzureProtocolServer::start().await;
    server.add_version("rsa", true);
    let service = azure(&server, "rsa", AzureAlgorithm::RsaOaep256).await.unwrap();
    let wrapped = service.generate_key(&here()).await.outcome.unwrap().wrapped;
    let closed = support::free_port();
    let refused = azure_at(closed, server.port, "rsa", AzureAlgorithm::RsaOaep256).await.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::Unavailable, "{refused}");
    service.unwrap_key(&wrapped, &here()).await.outcome.unwrap();
}

#[tokio::test]
async fn azure_states_of_keys_and_tokens_are_told_apart() {
    let server = AzureProtocolServer::start().await;
    server.add_version("rsa", true);
    let service = azure(&server, "rsa", AzureAlgorithm::RsaOaep256).await.unwrap();
    let wrapped = service.generate_key(&here()).await.outcome.unwrap().wrapped;
    let class =
        || async { service.unwrap_key(&wrapped, &here()).await.outcome.err().map(|error| error.class()) };
    server.set_disabled("rsa", true);
    assert_eq!(class().await, Some(KeyErrorClass::Disabled));
    let refused = azure(&server, "rsa", AzureAlgorithm::RsaOaep256).await.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::Disabled);
    server.set_disabled("rsa", false);
    server.set_forbidden(true);
    assert_eq!(class().await, Some(KeyErrorClass::AccessDenied));
    server.set_forbidden(false);
    assert_eq!(class().await, None);
    // One token for all calls, and a new one when it is refused.
    let asked = server.tokens_asked.load(std::sync::atomic::Ordering::SeqCst);
    server.revoke_tokens();
    assert_eq!(class().await, None);
    assert_eq!(server.tokens_asked.load(std::sync::atomic::Ordering::SeqCst), asked + 1);
    server.remove("rsa");
    assert_eq!(class().await, Some(KeyErrorClass::NotFound));
    server.add_version("oct", false);
    let refused = azure(&server, "oct", AzureAlgorithm::RsaOaep256).await.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::Unsuitable);
}

#[tokio::test]
async fn openbao_states_of_keys_and_tokens_are_told_apart() {
    let Some(bao) = OpenBao::start().await else { return };
    bao.key("k", true).await;
    let service = bao.service(bao.port, "k").await.unwrap();
    let wrapped = service.generate_key(&here()).await.outcome.unwrap().wrapped;
    let class =
        || async { service.unwrap_key(&wrapped, &here()).await.outcome.err().map(|error| error.class()) };
    let none = serde_json::json!({});
    bao.call("DELETE", "transit/keys/k/soft-delete", none.clone()).await.unwrap();
    assert_eq!(class().await, Some(KeyErrorClass::Disabled));
    assert_eq!(bao.service(bao.port, "k").await.unwrap_err().class(), KeyErrorClass::Disabled);
    bao.call("POST", "transit/keys/k/soft-delete-restore", none.clone()).await.unwrap();
    assert_eq!(class().await, None);
    bao.call("POST", "transit/keys/k/rotate", none.clone()).await.unwrap();
    let only_new = serde_json::json!({"min_decryption_version": 2});
    bao.call("POST", "transit/keys/k/config", only_new).await.unwrap();
    assert_eq!(class().await, Some(KeyErrorClass::Disabled));
    bao.call("POST", "transit/keys/k/config", serde_json::json!({"min_decryption_version": 1}))
        .await
        .unwrap();
    assert_eq!(class().await, None);
    let token = std::fs::read_to_string(bao.token_file()).unwrap();
    bao.write_token("hvs.revoked");
    assert_eq!(class().await, Some(KeyErrorClass::AccessDenied));
    bao.write_token(token.trim());
    assert_eq!(class().await, None, "the token is read anew");
    assert_eq!(bao.service(bao.port, "missing").await.unwrap_err().class(), KeyErrorClass::NotFound);
    bao.call("PUT", "sys/seal", none).await;
    assert_eq!(class().await, Some(KeyErrorClass::Unavailable));
}

#[tokio::test]
async fn an_aws_key_that_is_disabled_or_scheduled_for_deletion_is_refused_by_name_until_it_is_back() {
    let Some(aws) = Aws::ministack().await else { return };
    let arn = aws.key().await;
    let service = Aws::service(aws.port, &arn, &[]);
    let wrapped = service.generate_key(&here()).await.outcome.unwrap().wrapped;
    let class =
        || async { service.unwrap_key(&wrapped, &here()).await.outcome.err().map(|error| error.class()) };
    assert_eq!(class().await, None);
    aws.client.disable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(class().await, Some(KeyErrorClass::Disabled));
    let refused = service.generate_key(&here()).await;
    assert!(refused.outcome.unwrap_err().is_refusal() && refused.request_id.is_some());
    aws.client.enable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(class().await, None);
    aws.client.schedule_key_deletion().key_id(&arn).pending_window_in_days(7).send().await.unwrap();
    assert_eq!(class().await, Some(KeyErrorClass::PendingDeletion));
    aws.client.cancel_key_deletion().key_id(&arn).send().await.unwrap();
    aws.client.enable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(class().await, None);
    let missing = Aws::service(aws.port, &arn.replace("key/", "key/0"), &[]);
    let refused = missing.generate_key(&here()).await.outcome.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::NotFound, "{refused}");
}
