//! The Azure collector: every read call that the controls need, in every declared subscription, over the REST API of Azure
//! Resource Manager.
//!
//! Each call becomes a record, with the outcome it had; nothing a service does ends the scan. The shapes of the records
//! are described in `docs/formats/azure-records.md`, the calls in [`permissions`].

mod call;
mod http;
pub mod permissions;
mod token;

use std::collections::BTreeSet;

use cadastre_model::progress::Progress;
use cadastre_model::record::RecordSink;
use cadastre_model::time::Clock;
use futures::future::try_join_all;
use futures::try_join;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::CollectError;
use call::{Question, Recorder, Session};
pub use token::AzureCredential;

/// The public cloud's management endpoint.
const ENDPOINT: &str = "https://management.azure.com";
const NETWORK: &str = "2024-05-01";
const AUTHORIZATION: &str = "2022-04-01";

/// What lists a whole subscription: the operation without `/read`, and the version of the API.
const LISTS: [(&str, &str); 12] = [
    ("Microsoft.Network/networkSecurityGroups/read", NETWORK),
    ("Microsoft.Network/routeTables/read", NETWORK),
    ("Microsoft.Network/networkInterfaces/read", NETWORK),
    ("Microsoft.Network/publicIPAddresses/read", NETWORK),
    ("Microsoft.Network/natGateways/read", NETWORK),
    ("Microsoft.Network/loadBalancers/read", NETWORK),
    ("Microsoft.Network/privateEndpoints/read", NETWORK),
    ("Microsoft.Network/privateLinkServices/read", NETWORK),
    ("Microsoft.Compute/virtualMachines/read", "2024-07-01"),
    ("Microsoft.ManagedIdentity/userAssignedIdentities/read", "2023-01-31"),
    ("Microsoft.Authorization/roleAssignments/read", AUTHORIZATION),
    ("Microsoft.Authorization/roleDefinitions/read", AUTHORIZATION),
];

/// What to scan, and as whom.
#[derive(Debug, Clone, Default)]
pub struct AzureTarget {
    /// The management endpoint, instead of the public cloud's: a sovereign cloud's, or a stand-in.
    pub endpoint_url: Option<String>,
    /// Credentials, instead of those that the environment names.
    pub credential: Option<AzureCredential>,
    /// The subscriptions to scan.
    pub subscriptions: Vec<String>,
}

/// Scans everything the target names and keeps a record of every call.
///
/// Ends early, with what it has, when `cancelled` is: the caller marks the evidence as incomplete.
///
/// # Errors
/// When a record cannot be kept. Whatever a service does is a record and no error.
pub async fn collect(
    target: &AzureTarget,
    sink: &dyn RecordSink,
    clock: &dyn Clock,
    progress: &dyn Progress,
    cancelled: &CancellationToken,
) -> Result<(), CollectError> {
    let recorder = Recorder::new(sink, clock, progress, cancelled);
    let endpoint = target.endpoint_url.as_deref().unwrap_or(ENDPOINT).trim_end_matches('/');
    let client = match http::client() {
        Ok(client) => client,
        Err(problem) => {
            progress.warn(&format!("nothing of Azure can be asked: {problem}"));
            return Ok(());
        }
    };
    let credential = target.credential.clone().or_else(AzureCredential::from_environment);
    let token = match &credential {
        None => Err("the environment names no credential for Azure".to_owned()),
        Some(credential) => credential.token(&client, audience(endpoint)).await,
    };
    try_join_all(target.subscriptions.iter().map(|subscription| {
        let session = Session {
            recorder: &recorder,
            client: &client,
            endpoint,
            token: token.clone(),
            subscription: subscription.to_lowercase(),
        };
        async move { subscription_of(&session).await }
    }))
    .await?;
    Ok(())
}

/// For whom a token is: the endpoint itself in sovereign clouds, the public one's for stand-ins.
fn audience(endpoint: &str) -> &str {
    let host = endpoint.trim_start_matches("https://");
    if host.starts_with("management.") { endpoint } else { ENDPOINT }
}

async fn subscription_of(session: &Session<'_>) -> Result<(), CollectError> {
    let own = format!("/subscriptions/{}", session.subscription);
    let itself = Question {
        operation: "Microsoft.Resources/subscriptions/read",
        subject: session.subscription.clone(),
        path: own.clone(),
        version: "2022-12-01",
        post: false,
        thing: false,
    };
    try_join!(
        async { session.ask(&itself).await.map(|_| ()) },
        async {
            try_join_all(LISTS.iter().map(|(list, version)| listed(session, list, version))).await.map(|_| ())
        },
        async {
            listed(session, "Microsoft.Authorization/denyAssignments/read", AUTHORIZATION).await.map(|_| ())
        },
        async { listed(session, "Microsoft.EventHub/namespaces/read", "2024-01-01").await.map(|_| ()) },
        networks(session),
        vaults(session),
        storage(session),
        async { diagnostics(session, &own).await },
    )?;
    Ok(())
}

/// What a list of the whole subscription holds.
async fn listed(
    session: &Session<'_>,
    operation: &'static str,
    version: &'static str,
) -> Result<Vec<Value>, CollectError> {
    let kind = operation.strip_suffix("/read").unwrap_or(operation);
    let question = Question {
        operation,
        subject: session.subscription.clone(),
        path: format!("/subscriptions/{}/providers/{kind}", session.subscription),
        version,
        post: false,
        thing: false,
    };
    items(session, &question).await
}

async fn items(session: &Session<'_>, question: &Question) -> Result<Vec<Value>, CollectError> {
    let pages = session.ask(question).await?;
    let lists = pages.into_iter().filter_map(|mut page| match page.get_mut("value").map(Value::take) {
        Some(Value::Array(items)) => Some(items),
        _ => None,
    });
    Ok(lists.flatten().collect())
}

/// Ids as they are spelled, which is how they are asked about; what is no id below the subscription is not asked about.
fn ids(session: &Session<'_>, items: &[Value]) -> Vec<String> {
    let own = format!("/subscriptions/{}/", session.subscription);
    let ids = items.iter().filter_map(|item| item.get("id")?.as_str());
    ids.filter(|id| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.()".contains(&byte);
        id.to_lowercase().starts_with(&own) && id.bytes().all(plain) && !id.contains("..")
    })
    .map(str::to_owned)
    .collect()
}

fn about(operation: &'static str, id: &str, below: &str, version: &'static str) -> Question {
    Question {
        operation,
        subject: id.to_lowercase(),
        path: format!("{id}{below}"),
        version,
        post: false,
        thing: true,
    }
}

async fn networks(session: &Session<'_>) -> Result<(), CollectError> {
    let networks = listed(session, "Microsoft.Network/virtualNetworks/read", NETWORK).await?;
    let rules = ids(session, &networks).into_iter().map(|id| {
        let operation =
            "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action";
        let below = "/listNetworkManagerEffectiveSecurityAdminRules";
        let question = Question { post: true, ..about(operation, &id, below, NETWORK) };
        async move { session.ask(&question).await }
    });
    try_join_all(rules).await?;
    // The region names the version of the list and filters nothing ("Service Tags - List").
    let regions: BTreeSet<&str> =
        networks.iter().filter_map(|network| network.get("location")?.as_str()).collect();
    if let Some(region) =
        regions.first().filter(|region| region.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.Network/locations/{region}/serviceTags",
            session.subscription
        );
        let tags = Question {
            subject: path.to_lowercase(),
            ..about("Microsoft.Network/locations/serviceTags/read", &path, "", NETWORK)
        };
        session.ask(&tags).await?;
    }
    Ok(())
}

async fn vaults(session: &Session<'_>) -> Result<(), CollectError> {
    const VERSION: &str = "2023-07-01";
    const KEYS: &str = "Microsoft.KeyVault/vaults/keys/read";
    let vaults = listed(session, "Microsoft.KeyVault/vaults/read", VERSION).await?;
    let each = ids(session, &vaults).into_iter().map(|vault| async move {
        let keys = items(session, &about(KEYS, &vault, "/keys", VERSION)).await?;
        let keys = ids(session, &keys)
            .into_iter()
            .map(|key| async move { session.ask(&about(KEYS, &key, "", VERSION)).await });
        try_join_all(keys).await?;
        diagnostics(session, &vault).await
    });
    try_join_all(each).await?;
    Ok(())
}

async fn storage(session: &Session<'_>) -> Result<(), CollectError> {
    const VERSION: &str = "2023-05-01";
    let accounts = listed(session, "Microsoft.Storage/storageAccounts/read", VERSION).await?;
    let each = ids(session, &accounts).into_iter().map(|account| async move {
        let service = about(
            "Microsoft.Storage/storageAccounts/blobServices/read",
            &account,
            "/blobServices/default",
            VERSION,
        );
        let containers = about(
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            &account,
            "/blobServices/default/containers",
            VERSION,
        );
        let blobs = format!("{account}/blobServices/default");
        try_join!(session.ask(&service), session.ask(&containers), diagnostics(session, &blobs))?;
        Ok::<(), CollectError>(())
    });
    try_join_all(each).await?;
    Ok(())
}

/// Where the logs of a resource, or of the subscription, go.
async fn diagnostics(session: &Session<'_>, id: &str) -> Result<(), CollectError> {
    let below = "/providers/Microsoft.Insights/diagnosticSettings";
    let question = about("Microsoft.Insights/diagnosticSettings/read", id, below, "2021-05-01-preview");
    session.ask(&question).await.map(|_| ())
}
