//! The Azure collector against a server on loopback that answers as Azure Resource Manager does: pages, throttling, refusals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cadastre_collect::azure::permissions::ACTIONS;
use cadastre_collect::azure::{self, AzureCredential, AzureTarget};
use cadastre_model::progress::Silent;
use cadastre_model::record::{MemorySink, Outcome, Record};
use cadastre_model::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SUBSCRIPTION: &str = "3f2a1b0c-0000-4000-8000-000000000001";
const VAULT: &str = "/subscriptions/3F2A1B0C-0000-4000-8000-000000000001/resourceGroups/RG/providers/Microsoft.KeyVault/vaults/v";
const NETWORK: &str = "/subscriptions/3f2a1b0c-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/n";

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000).unwrap()
    }
}

/// One answer: status, further headers, body.
type Answer = (u16, String, Value);
type Respond = dyn Fn(&str, &str, u32) -> Option<Answer> + Send + Sync;

/// A server that is asked by method and path; what it does not know is an empty list.
struct Server {
    url: String,
    asked: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Server {
    async fn start(respond: Box<Respond>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
        let (seen, own, respond) = (Arc::clone(&asked), url.clone(), Arc::new(respond));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, own, respond) = (Arc::clone(&seen), own.clone(), Arc::clone(&respond));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    let mut byte = [0_u8; 1];
                    while !head.ends_with(b"\r\n\r\n") && head.len() < 16_384 {
                        if stream.read_exact(&mut byte).await.is_err() {
                            return;
                        }
                        head.extend_from_slice(&byte);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let mut line = head.split_whitespace();
                    let (method, path) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
                    if stream.read_exact(&mut body).await.is_err() {
                        return;
                    }
                    let path = format!("{path}{}", String::from_utf8_lossy(&body));
                    let times = {
                        let mut seen = seen.lock().unwrap();
                        let times = seen.entry(path.clone()).or_default();
                        *times += 1;
                        *times
                    };
                    let authorised = head.to_lowercase().contains("authorization: bearer opaque");
                    let (status, headers, body) = if authorised {
                        respond(method, &path, times).unwrap_or((200, String::new(), json!({"value": []})))
                    } else {
                        (401, String::new(), json!({"error": {"code": "InvalidAuthenticationToken"}}))
                    };
                    let body = body.to_string().replace("{base}", &own);
                    let text = format!(
                        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
                        body.len()
                    );
                    let _closed = stream.write_all(text.as_bytes()).await;
                });
            }
        });
        Self { url, asked }
    }

    fn times(&self, part: &str) -> u32 {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|(path, _)| path.contains(part))
            .map(|(_, times)| times)
            .sum()
    }
}

fn target(server: &Server) -> (AzureTarget, tempfile::NamedTempFile) {
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "opaque\n").unwrap();
    let target = AzureTarget {
        endpoint_url: Some(server.url.clone()),
        credential: Some(AzureCredential::TokenFile(token.path().to_owned())),
        subscriptions: vec![SUBSCRIPTION.to_uppercase()],
    };
    (target, token)
}

async fn scan(server: &Server) -> Vec<Record> {
    let (target, _token) = target(server);
    let sink = MemorySink::default();
    azure::collect(&target, &sink, &Fixed, &Silent, &CancellationToken::new()).await.unwrap();
    sink.into_records()
}

fn of<'a>(records: &'a [Record], operation: &str) -> Vec<&'a Record> {
    records.iter().filter(|record| record.operation == operation).collect()
}

fn ok(body: Value) -> Option<Answer> {
    Some((200, String::new(), body))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_permitted_operation_is_asked_and_no_other() {
    let server = Server::start(Box::new(|_, path, _| {
        if path.contains("/virtualNetworks?") {
            return ok(json!({"value": [{"id": NETWORK, "name": "n", "location": "westeurope"}]}));
        }
        if path.contains("/vaults?") {
            return ok(json!({"value": [{"id": VAULT, "name": "v"}]}));
        }
        if path.contains("/vaults/v/keys?") {
            return ok(json!({"value": [{"id": format!("{VAULT}/keys/k"), "name": "k"}]}));
        }
        if path.contains("/storageAccounts?") {
            let id = VAULT.replace("KeyVault/vaults", "Storage/storageAccounts");
            return ok(json!({"value": [{"id": id, "name": "v", "properties": {"primaryKey": "hunter2"}}]}));
        }
        None
    }))
    .await;
    let records = scan(&server).await;
    let mut operations: Vec<&str> = records.iter().map(|record| record.operation.as_str()).collect();
    operations.sort_unstable();
    operations.dedup();
    assert_eq!(operations, ACTIONS);
    assert!(records.iter().all(|record| record.outcome == Outcome::Observed && record.page.last));
    assert!(records.iter().all(|record| record.scope.account.as_deref() == Some(SUBSCRIPTION)));
    let keys = of(&records, "Microsoft.KeyVault/vaults/keys/read");
    let subjects: Vec<&str> = keys.iter().map(|record| record.subject.as_str()).collect();
    assert!(subjects.contains(&VAULT.to_lowercase().as_str()));
    assert!(subjects.contains(&format!("{}/keys/k", VAULT.to_lowercase()).as_str()));
    assert!(!serde_json::to_string(&records).unwrap().contains("hunter2"));
    // No question is asked twice.
    let mut questions: Vec<(&str, &str)> =
        records.iter().map(|record| (record.operation.as_str(), record.subject.as_str())).collect();
    let all = questions.len();
    questions.sort_unstable();
    questions.dedup();
    assert_eq!(questions.len(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_followed_to_the_last_and_links_to_elsewhere_are_not() {
    let server = Server::start(Box::new(|_, path, _| {
        if path.contains("/routeTables?") {
            let next = "{base}/subscriptions/x/page?";
            return match path.contains("page=2") {
                true => ok(json!({"value": [{"id": "b"}]})),
                false => {
                    ok(json!({"value": [{"id": "a"}], "nextLink": format!("{next}/routeTables?page=2")}))
                }
            };
        }
        if path.contains("/natGateways?") {
            return ok(json!({"value": [], "nextLink": "http://203.0.113.1/steal"}));
        }
        if path.contains("/loadBalancers?") {
            return ok(json!({"value": [], "nextLink": "{base}/loadBalancers?again"}));
        }
        None
    }))
    .await;
    let records = scan(&server).await;
    let pages: Vec<(u32, bool)> = of(&records, "Microsoft.Network/routeTables/read")
        .iter()
        .map(|record| (record.page.number, record.page.last))
        .collect();
    assert_eq!(pages, [(1, false), (2, true)]);
    for operation in ["Microsoft.Network/natGateways/read", "Microsoft.Network/loadBalancers/read"] {
        let asked = of(&records, operation);
        let last = asked.last().unwrap();
        assert_eq!(last.outcome, Outcome::Truncated, "{operation}");
        assert_eq!(last.problem.as_ref().unwrap().code, "page-loop");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_for_and_what_does_not_end_is_a_record() {
    let server = Server::start(Box::new(|_, path, times| {
        let busy =
            || Some((429, "retry-after: 0\r\n".to_owned(), json!({"error": {"code": "TooManyRequests"}})));
        if path.contains("/publicIPAddresses?") && times < 3 {
            return busy();
        }
        if path.contains("/networkInterfaces?") {
            return busy();
        }
        if path.contains("/privateEndpoints?") {
            return Some((429, "retry-after: 86400\r\n".to_owned(), json!({})));
        }
        None
    }))
    .await;
    let records = scan(&server).await;
    let outcome = |operation: &str| {
        let record = of(&records, operation).into_iter().next().unwrap();
        (record.outcome, record.problem.as_ref().map(|problem| problem.code.clone()))
    };
    assert_eq!(outcome("Microsoft.Network/publicIPAddresses/read"), (Outcome::Observed, None));
    let throttled = (Outcome::Failed, Some("throttled".to_owned()));
    assert_eq!(outcome("Microsoft.Network/networkInterfaces/read"), throttled);
    assert_eq!(outcome("Microsoft.Network/privateEndpoints/read"), throttled);
    assert_eq!(server.times("/publicIPAddresses?"), 3);
    assert_eq!(server.times("/networkInterfaces?"), 5);
    assert_eq!(server.times("/privateEndpoints?"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_absences_and_nonsense_are_records_of_their_kind() {
    let server = Server::start(Box::new(|_, path, _| {
        let refused = |status, code: &str| {
            Some((status, String::new(), json!({"error": {"code": code, "message": "no"}})))
        };
        if path.contains("/roleAssignments?") {
            return refused(403, "AuthorizationFailed");
        }
        if path.contains("/Microsoft.EventHub/namespaces?") {
            return refused(409, "MissingSubscriptionRegistration");
        }
        if path.contains("/virtualMachines?") {
            return refused(404, "SubscriptionNotFound");
        }
        if path.contains("/diagnosticSettings?") {
            return refused(404, "ResourceNotFound");
        }
        if path.contains("/routeTables?") {
            return ok(json!(["not", "an", "object"]));
        }
        None
    }))
    .await;
    let records = scan(&server).await;
    let check = |operation: &str, outcome: Outcome, code: &str| {
        let record = of(&records, operation).into_iter().next().unwrap();
        assert_eq!(record.outcome, outcome, "{operation}");
        assert_eq!(record.problem.as_ref().unwrap().code, code);
        assert_eq!(record.response, Value::Null);
    };
    check("Microsoft.Authorization/roleAssignments/read", Outcome::Denied, "AuthorizationFailed");
    check("Microsoft.EventHub/namespaces/read", Outcome::Absent, "MissingSubscriptionRegistration");
    check("Microsoft.Compute/virtualMachines/read", Outcome::Failed, "SubscriptionNotFound");
    check("Microsoft.Insights/diagnosticSettings/read", Outcome::Absent, "ResourceNotFound");
    check("Microsoft.Network/routeTables/read", Outcome::Failed, "not-an-answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_post_are_asked_for_by_token() {
    let server = Server::start(Box::new(|method, path, _| {
        if path.contains("/virtualNetworks?") {
            return ok(json!({"value": [{"id": NETWORK, "name": "n", "location": "westeurope"}]}));
        }
        if path.contains("listNetworkManagerEffectiveSecurityAdminRules") {
            assert_eq!(method, "POST");
            return match path.contains("skipToken") {
                true => ok(json!({"value": [{"id": "b"}], "skipToken": ""})),
                false => ok(json!({"value": [{"id": "a"}], "skipToken": "next"})),
            };
        }
        None
    }))
    .await;
    let records = scan(&server).await;
    let operation = "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action";
    let pages: Vec<bool> = of(&records, operation).iter().map(|record| record.page.last).collect();
    assert_eq!(pages, [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_list_is_a_failed_record() {
    let server = Server::start(Box::new(|_, _, _| None)).await;
    let (mut target, _token) = target(&server);
    target.credential = Some(AzureCredential::TokenFile("/nowhere/token".into()));
    let sink = MemorySink::default();
    azure::collect(&target, &sink, &Fixed, &Silent, &CancellationToken::new()).await.unwrap();
    let records = sink.into_records();
    assert!(records.len() >= 18, "{}", records.len());
    for record in &records {
        assert_eq!(record.outcome, Outcome::Failed);
        assert_eq!(record.problem.as_ref().unwrap().code, "no-credentials");
    }
    assert_eq!(server.times("/"), 0);
}
