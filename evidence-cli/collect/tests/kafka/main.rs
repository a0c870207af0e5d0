//! The Kafka collector against Apache Kafka: a well-configured broker gives complete records, a careless one gives
//! records that show how. Needs Kafka's jars: see `fixtures/kafka/pom.xml`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails is a test that fails")]

mod support;

use std::time::Duration;

use cadastre_collect::kafka::{self, KafkaOptions, PERMISSIONS};
use cadastre_model::declaration::SecurityProtocol;
use cadastre_model::progress::Silent;
use cadastre_model::record::{MemorySink, Outcome, Record};
use cadastre_model::time::SystemClock;
use cadastre_protocol::client::{Client, ClientConfig, Security, Tls, Trust};
use cadastre_protocol::messages::MetadataRequest;
use serde_json::{Value, json};
use support::administration::{
    allow, create_group, create_token, create_topic, join_consumer_group, limit_users,
};
use support::apache::{self, Configuration, Kafka};
use support::noida::{self, Noida};
use support::records::{all, config, observed, only, probe, scan, scan_with, target};
use support::reference::ReferenceBroker;
use support::{ADMIN, SCANNER, free_ports, log_in};

macro_rules! kafka_or_skip {
    ($configuration:expr) => {
        match apache::libraries() {
            Some(libraries) => Kafka::start(&libraries, &$configuration).await,
            None => {
                eprintln!("skipped: CADASTRE_KAFKA_LIBS does not name a directory with Kafka's jars");
                return;
            }
        }
    };
}

#[tokio::test]
async fn a_well_configured_kafka_gives_complete_records() {
    let kafka = kafka_or_skip!(Configuration {
        properties: vec![("delegation.token.secret.key", "token-secret-key")],
        ..Configuration::default()
    });
    let mut admin = log_in(&kafka.bootstrap(), &kafka.authority_file(), ADMIN).await;
    create_topic(&mut admin, "orders").await;
    create_group(&mut admin, "billing", "orders").await;

    // Without permissions every question has its record, and says that it was denied.
    let records = scan(&target(&kafka.bootstrap(), &kafka.authority_file(), SCANNER), false).await;
    for operation in [
        "kafka:DescribeAcls",
        "kafka:DescribeUserScramCredentials",
        "kafka:DescribeClientQuotas",
        "kafka:DescribeQuorum",
        "kafka:DescribeLogDirs",
        "kafka:DescribeConfigs",
    ] {
        let record = only(&records, operation);
        assert_eq!(record.outcome, Outcome::Denied, "{record:#?}");
        assert_eq!(record.problem.as_ref().unwrap().code, "CLUSTER_AUTHORIZATION_FAILED");
        assert_eq!(record.response, Value::Null);
    }
    assert_eq!(
        observed(&records, "kafka:Metadata")["topics"],
        json!([]),
        "undescribable topics are left out"
    );
    assert!(records.iter().all(|record| record.request.get("probe").is_none()), "no probes were asked for");

    allow(&mut admin, "User:scanner", PERMISSIONS).await;
    allow(&mut admin, "User:billing", &[("TOPIC", "orders", "READ"), ("GROUP", "billing", "READ")]).await;
    limit_users(&mut admin, 1_048_576.0).await;
    create_token(&mut admin).await;
    join_consumer_group(&mut admin, "shipping", "orders").await;
    let records = scan(&target(&kafka.bootstrap(), &kafka.authority_file(), SCANNER), true).await;
    let unexpected: Vec<&Record> =
        records.iter().filter(|record| record.outcome != Outcome::Observed).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    check_cluster_records(&records);
    check_probes_of_a_closed_cluster(&records, &kafka);

    // The scanner could not have changed anything.
    for record in all(&records, "probe:DeniedOperation") {
        assert_eq!(record.caller, "User:scanner");
        assert_eq!(record.response["refused"], json!(true), "{record:#?}");
    }
    assert_eq!(all(&records, "probe:DeniedOperation").len(), 3);

    check_refused_login(&kafka).await;
    check_mutual_tls(&kafka).await;
}

#[track_caller]
fn check_cluster_records(records: &[Record]) {
    let connect = only(records, "kafka:Connect");
    assert_eq!(connect.request, json!({"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512"}));
    assert_eq!(connect.response["authenticated_as"], "User:scanner");
    assert_eq!(connect.response["tls_version"], "TLSv1.3");

    let features = observed(records, "kafka:DescribeFeatures");
    assert!(
        features["finalized"].as_array().unwrap().iter().any(|feature| feature["name"] == "metadata.version")
    );
    let apis = observed(records, "kafka:ApiVersions")["apis"].as_array().unwrap();
    assert!(apis.iter().any(|api| api["name"] == "DescribeQuorum"));

    let cluster = observed(records, "kafka:DescribeCluster");
    assert_eq!(cluster["cluster_id"], "MkU3OEVBNTcwNTJENDM2Qg");
    assert_eq!(cluster["brokers"][0]["id"], 1);
    assert!(cluster["authorized_operations"].as_array().unwrap().contains(&json!("DESCRIBE")));

    let topics = observed(records, "kafka:Metadata")["topics"].as_array().unwrap();
    let orders = topics.iter().find(|topic| topic["name"] == "orders").unwrap();
    assert_eq!(orders["partitions"].as_array().unwrap().len(), 3);
    assert_eq!(orders["partitions"][0]["replicas"], json!([1]));
    assert_eq!(orders["id"].as_str().unwrap().len(), 22);
    assert!(topics.iter().any(|topic| topic["name"] == "__consumer_offsets" && topic["internal"] == true));

    let configs = all(records, "kafka:DescribeConfigs");
    let broker = configs.iter().find(|record| record.subject == "broker:1").unwrap();
    let protocols = config(&broker.response, "listener.security.protocol.map");
    assert_eq!(protocols["value"], "CLIENT:SASL_SSL,CONTROLLER:SSL");
    assert_eq!(protocols["source"], "STATIC_BROKER_CONFIG");
    assert_eq!(config(&broker.response, "super.users")["sensitive"], json!(true), "hidden by Apache Kafka");
    assert_eq!(config(&broker.response, "unclean.leader.election.enable")["source"], "DEFAULT_CONFIG");
    let jaas = config(&broker.response, "listener.name.client.scram-sha-512.sasl.jaas.config");
    assert_eq!((&jaas["value"], &jaas["sensitive"]), (&Value::Null, &json!(true)));

    let topic_configs = configs.iter().find(|record| record.subject == "payments").unwrap();
    assert!(topic_configs.page.last);
    let resources = topic_configs.response["resources"].as_array().unwrap();
    let orders = resources.iter().find(|resource| resource["resource_name"] == "orders").unwrap();
    let configs = orders["configs"].as_array().unwrap();
    let retention = configs.iter().find(|config| config["name"] == "retention.ms").unwrap();
    assert_eq!(
        (&retention["value"], &retention["source"]),
        (&json!("3600000"), &json!("DYNAMIC_TOPIC_CONFIG"))
    );
    assert_eq!(retention["synonyms"][0]["source"], "DYNAMIC_TOPIC_CONFIG", "{retention:#}");

    let bindings = observed(records, "kafka:DescribeAcls")["bindings"].as_array().unwrap();
    assert_eq!(bindings.len(), PERMISSIONS.len() + 2);
    assert!(bindings.contains(&json!({
        "resource_type": "TOPIC", "resource_name": "orders", "pattern_type": "LITERAL",
        "principal": "User:billing", "host": "*", "operation": "READ", "permission": "ALLOW",
    })));

    assert_eq!(
        observed(records, "kafka:DescribeUserScramCredentials"),
        &json!({"users": [
            {"user": "admin", "credentials": [{"mechanism": "SCRAM-SHA-512", "iterations": 4096}]},
            {"user": "scanner", "credentials": [{"mechanism": "SCRAM-SHA-512", "iterations": 4096}]},
        ]})
    );
    assert_eq!(
        observed(records, "kafka:DescribeClientQuotas"),
        &json!({"entries": [
            {"entity": [{"type": "user", "name": null}], "limits": {"producer_byte_rate": 1_048_576.0}},
        ]})
    );

    let quorum = observed(records, "kafka:DescribeQuorum");
    assert_eq!((&quorum["leader"], &quorum["voters"][0]["id"]), (&json!(1), &json!(1)));

    let directories = observed(records, "kafka:DescribeLogDirs");
    let topics = directories["directories"][0]["topics"].as_array().unwrap();
    assert!(topics.iter().any(|topic| topic["topic"] == "orders" && topic["partitions"] == 3));
    assert!(directories["directories"][0]["total_bytes"].is_u64());

    let groups = observed(records, "kafka:ListGroups");
    assert_eq!(groups["groups"][0]["id"], "billing");
    assert_eq!(groups["groups"][0]["kind"], "classic");
    assert_eq!(observed(records, "kafka:DescribeGroups")["groups"][0]["state"], "Empty");

    let group = &observed(records, "kafka:ConsumerGroupDescribe")["groups"][0];
    assert_eq!(
        (&group["id"], &group["members"][0]["subscribed_topics"]),
        (&json!("shipping"), &json!(["orders"]))
    );

    let tokens = observed(records, "kafka:DescribeDelegationToken")["tokens"].as_array().unwrap();
    assert_eq!((tokens.len(), &tokens[0]["owner"]), (1, &json!("User:admin")));
}

#[track_caller]
fn check_probes_of_a_closed_cluster(records: &[Record], kafka: &Kafka) {
    for (endpoint, mutual, listener, protocol) in
        [(kafka.bootstrap(), false, "CLIENT", "SASL_SSL"), (kafka.controller(), true, "CONTROLLER", "SSL")]
    {
        for old in ["TLSv1", "TLSv1.1"] {
            let record = probe(records, "probe:TlsHandshake", &endpoint, ("tls_version", old));
            assert_eq!(record.response["accepted"], json!(false), "{record:#?}");
            assert_eq!(record.response["alert"], "protocol_version", "{record:#?}");
        }
        for new in ["TLSv1.2", "TLSv1.3"] {
            let record = probe(records, "probe:TlsHandshake", &endpoint, ("tls_version", new));
            let response = &record.response;
            assert_eq!(response["accepted"], json!(true), "{record:#?}");
            assert_eq!(response["client_certificate_requested"], json!(mutual), "{record:#?}");
            assert_eq!((&response["trusted"], &response["host_matches"]), (&json!(true), &json!(true)));
            let leaf = &response["certificates"][0];
            assert_eq!(
                (&leaf["subject"], &leaf["issuer"]),
                (&json!("CN=broker"), &json!("CN=Example Kafka CA"))
            );
            assert_eq!(leaf["names"], json!(["DNS:localhost", "IP:127.0.0.1"]));
            assert_eq!(record.request["listener"], listener);
            assert_eq!(record.request["declared_protocol"], protocol);
        }
        let record = probe(records, "probe:TlsHandshake", &endpoint, ("tls_version", "TLSv1.3"));
        assert_eq!(
            record.response["cipher_suites"],
            json!(["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
        );
        let record = probe(records, "probe:PlaintextConnection", &endpoint, ("listener", listener));
        assert_eq!(record.response["speaks_kafka"], json!(false), "{record:#?}");
        for transport in ["plaintext", "tls"] {
            let record = probe(records, "probe:AnonymousConnection", &endpoint, ("transport", transport));
            assert_eq!(record.response["served"], json!(false), "{record:#?}");
        }
        for operation in ["CreateTopics", "AlterConfigs", "DescribeTransactions"] {
            let record =
                probe(records, "probe:UnauthenticatedOperation", &endpoint, ("operation", operation));
            assert_eq!(record.response, json!({"refused": true, "code": "not-served", "ended": null}));
        }
    }
    let record = probe(records, "probe:AnonymousConnection", &kafka.bootstrap(), ("transport", "tls"));
    assert_eq!(record.response["sasl_mechanisms"], json!(["SCRAM-SHA-512"]), "{record:#?}");
    assert_eq!(record.response["ended"], "closed");
}

async fn check_refused_login(kafka: &Kafka) {
    let records =
        scan(&target(&kafka.bootstrap(), &kafka.authority_file(), (SCANNER.0, "wrong")), false).await;
    let connect = only(&records, "kafka:Connect");
    assert_eq!(connect.outcome, Outcome::Denied, "{connect:#?}");
    assert_eq!(connect.problem.as_ref().unwrap().code, "SASL_AUTHENTICATION_FAILED");
    let acls = only(&records, "kafka:DescribeAcls");
    assert_eq!(acls.problem.as_ref().unwrap().code, "not-tried");

    // A bootstrap server that is not there does not keep the next one from being asked.
    let mut target = target(&kafka.bootstrap(), &kafka.authority_file(), SCANNER);
    target.bootstrap.insert(0, "127.0.0.1:1".to_owned());
    let records = scan(&target, false).await;
    let connects = all(&records, "kafka:Connect");
    assert_eq!(connects.len(), 2);
    assert_eq!(connects[0].problem.as_ref().unwrap().code, "unreachable");
    assert_eq!(connects[1].outcome, Outcome::Observed);
}

/// The controller's listener takes a client certificate, and nothing without one.
async fn check_mutual_tls(kafka: &Kafka) {
    let trust = Trust::Authorities(std::fs::read(kafka.authority_file()).unwrap());
    let address = kafka.controller().parse().unwrap();
    let with = |identity| {
        let tls = Tls::new(&trust, identity).unwrap();
        ClientConfig::new("test", Security { tls: Some(tls), sasl: None })
    };
    Client::connect(&address, &with(Some(kafka.identity()))).await.unwrap();
    assert!(Client::connect(&address, &with(None)).await.is_err());
}

#[tokio::test]
async fn a_careless_kafka_shows_what_is_wrong_with_it() {
    let configuration = Configuration {
        open_listener: true,
        properties: vec![
            ("allow.everyone.if.no.acl.found", "true"),
            ("auto.create.topics.enable", "true"),
            ("listener.name.client.ssl.enabled.protocols", "TLSv1.2"),
        ],
    };
    let kafka = kafka_or_skip!(configuration);
    let mut admin = log_in(&kafka.bootstrap(), &kafka.authority_file(), ADMIN).await;
    create_topic(&mut admin, "orders").await;
    allow(&mut admin, "User:*", &[("TOPIC", "orders", "ALL")]).await;

    let records = scan(&target(&kafka.bootstrap(), &kafka.authority_file(), ADMIN), true).await;
    let open = kafka.open().unwrap();

    let plaintext = probe(&records, "probe:PlaintextConnection", &open, ("listener", "OPEN"));
    assert_eq!(plaintext.response, json!({"speaks_kafka": true, "sasl_mechanisms": null, "ended": null}));
    assert_eq!(plaintext.request["declared_protocol"], "PLAINTEXT");
    let anonymous = probe(&records, "probe:AnonymousConnection", &open, ("transport", "plaintext"));
    assert_eq!(anonymous.response["served"], json!(true), "{anonymous:#?}");
    assert!(anonymous.response["topics"].as_array().unwrap().contains(&json!("orders")));
    for operation in ["CreateTopics", "AlterConfigs", "DescribeTransactions"] {
        let attempt = probe(&records, "probe:UnauthenticatedOperation", &open, ("operation", operation));
        assert_eq!(attempt.response["refused"], json!(false), "default allow: {attempt:#?}");
    }
    for version in ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] {
        let handshake = probe(&records, "probe:TlsHandshake", &open, ("tls_version", version));
        assert_eq!(handshake.outcome, Outcome::Observed, "{handshake:#?}");
        assert_eq!(handshake.response["accepted"], json!(false), "{handshake:#?}");
    }
    let newest = probe(&records, "probe:TlsHandshake", &kafka.bootstrap(), ("tls_version", "TLSv1.3"));
    assert_eq!(newest.response["accepted"], json!(false), "{newest:#?}");

    let tokens = only(&records, "kafka:DescribeDelegationToken");
    assert_eq!(tokens.outcome, Outcome::Absent);
    assert_eq!(tokens.problem.as_ref().unwrap().code, "DELEGATION_TOKEN_AUTH_DISABLED");
    let bindings = observed(&records, "kafka:DescribeAcls")["bindings"].as_array().unwrap();
    assert!(bindings.iter().any(|binding| binding["principal"] == "User:*" && binding["operation"] == "ALL"));
    assert_eq!(observed(&records, "kafka:DescribeClientQuotas"), &json!({"entries": []}));
    let configs = all(&records, "kafka:DescribeConfigs");
    let broker = configs.iter().find(|record| record.subject == "broker:1").unwrap();
    assert_eq!(config(&broker.response, "auto.create.topics.enable")["value"], "true");
    // Apache Kafka takes settings of its authorizer for secrets; only the probes show default allow.
    let hidden = config(&broker.response, "allow.everyone.if.no.acl.found");
    assert_eq!((&hidden["value"], &hidden["sensitive"]), (&Value::Null, &json!(true)));

    // A scanner that covers every topic by its own permissions still sees it.
    allow(&mut admin, "User:scanner", PERMISSIONS).await;
    let records = scan(&target(&kafka.bootstrap(), &kafka.authority_file(), SCANNER), true).await;
    let attempts = all(&records, "probe:DeniedOperation");
    let refused: Vec<_> =
        attempts.iter().map(|record| (&record.request["operation"], &record.response["refused"])).collect();
    assert_eq!(
        refused,
        [
            (&json!("CreateTopics"), &json!(true)),
            (&json!("AlterConfigs"), &json!(true)),
            (&json!("DescribeTransactions"), &json!(false)),
        ]
    );

    // Nothing that the probes tried has happened.
    let metadata = admin.send(&MetadataRequest::default().with_topics(None)).await.unwrap();
    let names: Vec<&str> =
        metadata.topics.iter().filter_map(|topic| topic.name.as_ref().map(|name| &*name.0)).collect();
    assert!(!names.iter().any(|name| name.starts_with("cadastre-probe")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_broker_gives_complete_records() {
    let broker = ReferenceBroker::start("CLIENT://127.0.0.1:0", "CLIENT:SASL_SSL", "").await;
    let bootstrap = broker.listener("CLIENT");
    let mut admin = log_in(&bootstrap, &broker.authority_file(), ADMIN).await;
    create_topic(&mut admin, "orders").await;
    create_group(&mut admin, "billing", "orders").await;
    allow(&mut admin, "User:scanner", PERMISSIONS).await;
    allow(&mut admin, "User:billing", &[("TOPIC", "orders", "READ"), ("GROUP", "billing", "READ")]).await;

    let records = scan(&target(&bootstrap, &broker.authority_file(), SCANNER), true).await;
    // It has neither features nor delegation tokens.
    let settled = |record: &Record| match record.operation.as_str() {
        "kafka:DescribeFeatures" | "kafka:DescribeDelegationToken" => {
            matches!(record.outcome, Outcome::Observed | Outcome::Absent)
        }
        _ => record.outcome == Outcome::Observed,
    };
    let unexpected: Vec<&Record> = records.iter().filter(|record| !settled(record)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");

    let topics = observed(&records, "kafka:Metadata")["topics"].as_array().unwrap();
    assert!(topics.iter().any(|topic| topic["name"] == "orders"), "{topics:#?}");
    let bindings = observed(&records, "kafka:DescribeAcls")["bindings"].as_array().unwrap();
    assert_eq!(bindings.len(), PERMISSIONS.len() + 2);
    let users = observed(&records, "kafka:DescribeUserScramCredentials")["users"].as_array().unwrap();
    assert_eq!(users.len(), 2);
    assert_eq!(observed(&records, "kafka:ListGroups")["groups"][0]["id"], "billing");

    for (version, accepted) in [("TLSv1", false), ("TLSv1.1", false), ("TLSv1.2", true), ("TLSv1.3", true)] {
        let record = probe(&records, "probe:TlsHandshake", &bootstrap, ("tls_version", version));
        assert_eq!(record.response["accepted"], json!(accepted), "{record:#?}");
        assert_eq!(record.response["weak_cipher_suites"], json!([]), "{record:#?}");
    }
    for transport in ["plaintext", "tls"] {
        let record = probe(&records, "probe:AnonymousConnection", &bootstrap, ("transport", transport));
        assert_eq!(record.response["served"], json!(false), "{record:#?}");
    }
    for record in all(&records, "probe:DeniedOperation") {
        assert_ne!(record.response["refused"], json!(false), "{record:#?}");
    }
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_careless_reference_broker_shows_what_is_wrong_with_it() {
    let ports = free_ports(2);
    let broker = ReferenceBroker::start(
        &format!("CLIENT://127.0.0.1:{},OPEN://127.0.0.1:{}", ports[0], ports[1]),
        "CLIENT:SASL_SSL,OPEN:PLAINTEXT",
        "allow.everyone.if.no.acl.found=true",
    )
    .await;
    let records = scan(&target(&broker.listener("CLIENT"), &broker.authority_file(), SCANNER), true).await;
    let open = broker.listener("OPEN");
    let plaintext = probe(&records, "probe:PlaintextConnection", &open, ("listener", "OPEN"));
    assert_eq!(plaintext.response, json!({"speaks_kafka": true, "sasl_mechanisms": null, "ended": null}));
    let anonymous = probe(&records, "probe:AnonymousConnection", &open, ("transport", "plaintext"));
    assert_eq!(anonymous.response["served"], json!(true), "{anonymous:#?}");
    let attempt = probe(&records, "probe:UnauthenticatedOperation", &open, ("operation", "CreateTopics"));
    assert_eq!(attempt.response["refused"], json!(false), "{attempt:#?}");
    broker.stop().await;
}

/// A peer that accepts connections and does the same with each.
async fn peer<F>(serve: fn(tokio::net::TcpStream) -> F) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _peer)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Scans a peer that is no broker, with short timeouts.
async fn scan_peer(address: &str) -> Vec<Record> {
    let mut target = target(address, std::path::Path::new("unused"), SCANNER);
    target.security.ca_file = None;
    target.security.protocol = SecurityProtocol::SaslPlaintext;
    let timeout = Duration::from_millis(300);
    let options = KafkaOptions {
        connect_timeout: timeout,
        request_timeout: timeout,
        ..KafkaOptions::new(&SystemClock, &Silent)
    };
    scan_with(&target, MemorySink::default(), options).await
}

#[tokio::test]
async fn a_peer_that_never_answers_settles_nothing() {
    let address = peer(|stream| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        drop(stream);
    })
    .await;
    let records = scan_peer(&address).await;
    assert_eq!(only(&records, "kafka:Connect").problem.as_ref().unwrap().code, "timed-out");
    assert_eq!(only(&records, "kafka:DescribeAcls").problem.as_ref().unwrap().code, "not-tried");
    let probes: Vec<&Record> =
        records.iter().filter(|record| record.operation.starts_with("probe:")).collect();
    assert_eq!(probes.len(), 10);
    for record in probes {
        assert_eq!(record.outcome, Outcome::Failed, "{record:#?}");
        assert_eq!(record.problem.as_ref().unwrap().code, "timed-out", "{record:#?}");
    }
}

#[tokio::test]
async fn a_peer_that_is_no_broker_is_named_as_such() {
    let address = peer(|mut stream| async move {
        let mut request = [0; 16];
        drop(tokio::io::AsyncReadExt::read(&mut stream, &mut request).await);
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        drop(tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await);
    })
    .await;
    let records = scan_peer(&address).await;
    assert_eq!(only(&records, "kafka:Connect").problem.as_ref().unwrap().code, "malformed");
    let plaintext = observed(&records, "probe:PlaintextConnection");
    assert_eq!(plaintext, &json!({"speaks_kafka": false, "sasl_mechanisms": null, "ended": "not-kafka"}));
    for record in all(&records, "probe:TlsHandshake") {
        assert_eq!(
            (&record.response["accepted"], &record.response["ended"]),
            (&json!(false), &json!("not-tls"))
        );
    }
}

#[tokio::test]
async fn a_cluster_that_is_not_there_leaves_a_record_of_every_question() {
    let port = free_ports(1)[0];
    let records = scan_peer(&format!("127.0.0.1:{port}")).await;
    assert!(records.iter().all(|record| record.outcome == Outcome::Failed), "{records:#?}");
    for operation in kafka::OPERATIONS {
        let asked = !all(&records, operation).is_empty();
        // Groups are described once they are known, and the scanner's own probe needs its login.
        let later = ["kafka:ConsumerGroupDescribe", "kafka:DescribeGroups", "probe:DeniedOperation"];
        assert_eq!(asked, !later.contains(operation), "{operation}");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_said_so() {
    let mut target = target("127.0.0.1:1", std::path::Path::new("/nonexistent/ca.pem"), SCANNER);
    target.password = None;
    let records = scan(&target, false).await;
    let problem = only(&records, "kafka:Connect").problem.as_ref().unwrap();
    assert_eq!(problem.code, "unreadable-file");
    assert!(problem.message.starts_with("cannot read `/nonexistent/ca.pem`"), "{}", problem.message);
}

#[tokio::test]
async fn a_broker_without_access_control_is_read_as_far_as_it_goes() {
    let Some(program) = noida::program() else {
        eprintln!("skipped: CADASTRE_NOIDA_DB does not name the program of noida-db");
        return;
    };
    let noida = Noida::start(&program).await;
    let mut target = target(&noida.bootstrap(), std::path::Path::new("unused"), SCANNER);
    target.security.protocol = SecurityProtocol::Plaintext;
    target.security.ca_file = None;
    let records = scan(&target, true).await;

    for unsupported in
        ["kafka:DescribeQuorum", "kafka:DescribeUserScramCredentials", "kafka:DescribeClientQuotas"]
    {
        let record = only(&records, unsupported);
        assert_eq!(record.outcome, Outcome::Failed, "{record:#?}");
        assert_eq!(record.problem.as_ref().unwrap().code, "unsupported-api");
    }
    let acls = only(&records, "kafka:DescribeAcls");
    assert_eq!((acls.outcome, &*acls.problem.as_ref().unwrap().code), (Outcome::Absent, "SECURITY_DISABLED"));
    assert_eq!(only(&records, "kafka:Metadata").outcome, Outcome::Observed);
    let anonymous =
        probe(&records, "probe:AnonymousConnection", &noida.bootstrap(), ("transport", "plaintext"));
    assert_eq!(anonymous.response["served"], json!(true));
    for record in all(&records, "probe:DeniedOperation") {
        assert_eq!(record.response["refused"], json!(false), "{record:#?}");
    }
}
