//! ACLs, SCRAM credentials and quotas, as an administrator sets them.

use cadastre_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use cadastre_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use cadastre_protocol::messages::create_acls_request::AclCreation;
use cadastre_protocol::messages::delete_acls_request::DeleteAclsFilter;
use cadastre_protocol::messages::describe_client_quotas_request::ComponentData;
use cadastre_protocol::messages::describe_user_scram_credentials_request::UserName;
use cadastre_protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, CreateAclsRequest,
    CreateDelegationTokenRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
    DescribeDelegationTokenRequest, DescribeUserScramCredentialsRequest,
};

use super::text;
use crate::pair::Pair;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    acls(pair).await?;
    credentials(pair).await?;
    quotas(pair).await?;
    pair.ask_all("where tokens are not enabled", |_| CreateDelegationTokenRequest::default()).await?;
    pair.ask_all("where tokens are not enabled", |_| {
        DescribeDelegationTokenRequest::default().with_owners(None)
    })
    .await
}

/// Kind, name, pattern, principal, host, operation, permission.
type Acl<'a> = (i8, &'a str, i8, &'a str, &'a str, i8, i8);

fn creation((kind, name, pattern, principal, host, operation, permission): Acl<'_>) -> AclCreation {
    AclCreation::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_resource_pattern_type(pattern)
        .with_principal(text(principal))
        .with_host(text(host))
        .with_operation(operation)
        .with_permission_type(permission)
}

async fn acls(pair: &mut Pair) -> anyhow::Result<()> {
    let cases: &[(&str, Acl<'_>)] = &[
        ("read a topic", (2, "ledger", 3, "User:alice", "*", 3, 3)),
        ("read a topic again", (2, "ledger", 3, "User:alice", "*", 3, 3)),
        ("write topics with a prefix", (2, "led", 4, "User:alice", "127.0.0.1", 4, 3)),
        ("deny a group", (3, "team", 3, "User:bob", "*", 3, 2)),
        ("any topic", (2, "*", 3, "User:*", "*", 8, 3)),
        ("the cluster", (4, "kafka-cluster", 3, "User:carol", "*", 10, 3)),
        ("another cluster", (4, "other", 3, "User:carol", "*", 10, 3)),
        ("a pattern that matches", (2, "ledger", 2, "User:alice", "*", 3, 3)),
        ("any pattern", (2, "ledger", 1, "User:alice", "*", 3, 3)),
        ("any operation", (2, "ledger", 3, "User:alice", "*", 1, 3)),
        ("an operation that is none", (2, "ledger", 3, "User:alice", "*", 99, 3)),
        ("any permission", (2, "ledger", 3, "User:alice", "*", 3, 1)),
        ("a kind that is none", (99, "ledger", 3, "User:alice", "*", 3, 3)),
        ("any kind", (1, "ledger", 3, "User:alice", "*", 3, 3)),
        ("an empty name", (2, "", 3, "User:alice", "*", 3, 3)),
        ("a principal without a type", (2, "ledger", 3, "alice", "*", 3, 3)),
        ("an empty principal", (2, "ledger", 3, "", "*", 3, 3)),
        ("an empty host", (2, "ledger", 3, "User:alice", "", 3, 3)),
        ("a transactional id", (5, "mover", 3, "User:alice", "*", 4, 3)),
        ("a token", (6, "token", 3, "User:alice", "*", 8, 3)),
        ("a user", (7, "User:dave", 3, "User:alice", "*", 13, 3)),
        ("an operation that topics do not have", (2, "ledger", 3, "User:alice", "*", 12, 3)),
    ];
    for (case, acl) in cases {
        pair.ask_all(case, |_| CreateAclsRequest::default().with_creations(vec![creation(*acl)])).await?;
    }
    pair.ask_all("none", |_| CreateAclsRequest::default().with_creations(Vec::new())).await?;
    /// Kind, name, pattern, principal, host, operation, permission.
    type Filter<'a> = (i8, Option<&'a str>, i8, Option<&'a str>, Option<&'a str>, i8, i8);
    let filters: &[(&str, Filter<'_>)] = &[
        ("every ACL", (1, None, 1, None, None, 1, 1)),
        ("of a topic by its name", (2, Some("ledger"), 3, None, None, 1, 1)),
        ("of what covers a topic", (2, Some("ledger"), 2, None, None, 1, 1)),
        ("of a prefix", (2, Some("led"), 4, None, None, 1, 1)),
        ("of a principal", (1, None, 1, Some("User:alice"), None, 1, 1)),
        ("of a host", (1, None, 1, None, Some("127.0.0.1"), 1, 1)),
        ("of an operation", (1, None, 1, None, None, 3, 1)),
        ("that deny", (1, None, 1, None, None, 1, 2)),
        ("of what is absent", (2, Some("absent"), 3, None, None, 1, 1)),
        ("of a kind that is none", (99, None, 1, None, None, 1, 1)),
        ("of an operation that is none", (1, None, 1, None, None, 99, 1)),
        ("of a pattern that is none", (1, None, 99, None, None, 1, 1)),
        ("of a permission that is none", (1, None, 1, None, None, 1, 99)),
    ];
    for (case, (kind, name, pattern, principal, host, operation, permission)) in filters {
        pair.ask_all(case, |_| {
            DescribeAclsRequest::default()
                .with_resource_type_filter(*kind)
                .with_resource_name_filter(name.map(text))
                .with_pattern_type_filter(*pattern)
                .with_principal_filter(principal.map(text))
                .with_host_filter(host.map(text))
                .with_operation(*operation)
                .with_permission_type(*permission)
        })
        .await?;
    }
    for (case, (kind, name, pattern, principal, host, operation, permission)) in filters.iter().rev() {
        pair.ask_all(case, |_| {
            let filter = DeleteAclsFilter::default()
                .with_resource_type_filter(*kind)
                .with_resource_name_filter(name.map(text))
                .with_pattern_type_filter(*pattern)
                .with_principal_filter(principal.map(text))
                .with_host_filter(host.map(text))
                .with_operation(*operation)
                .with_permission_type(*permission);
            DeleteAclsRequest::default().with_filters(vec![filter])
        })
        .await?;
    }
    Ok(())
}

async fn credentials(pair: &mut Pair) -> anyhow::Result<()> {
    let upsert = |name: &str, mechanism: i8, iterations: i32| {
        let credential = ScramCredentialUpsertion::default()
            .with_name(text(name))
            .with_mechanism(mechanism)
            .with_iterations(iterations)
            .with_salt(vec![7; 16].into())
            .with_salted_password(vec![9; 32].into());
        AlterUserScramCredentialsRequest::default().with_upsertions(vec![credential])
    };
    for (case, name, mechanism, iterations) in [
        ("SCRAM-SHA-256", "alice", 1, 4_096),
        ("SCRAM-SHA-512", "alice", 2, 8_192),
        ("a mechanism that is none", "alice", 9, 4_096),
        ("too few iterations", "alice", 1, 4_095),
        ("too many iterations", "alice", 1, 16_385),
        ("an empty name", "", 1, 4_096),
    ] {
        pair.ask_all(case, |_| upsert(name, mechanism, iterations)).await?;
    }
    let ask = |names: Option<&[&str]>| {
        let users =
            names.map(|names| names.iter().map(|name| UserName::default().with_name(text(name))).collect());
        DescribeUserScramCredentialsRequest::default().with_users(users)
    };
    pair.ask_all("one user", |_| ask(Some(&["alice"]))).await?;
    pair.ask_all("an unknown user", |_| ask(Some(&["absent"]))).await?;
    pair.ask_all("the same user twice", |_| ask(Some(&["alice", "alice"]))).await?;
    pair.ask_all("an empty name", |_| ask(Some(&[""]))).await?;
    let delete = |name: &str, mechanism: i8| {
        let credential = ScramCredentialDeletion::default().with_name(text(name)).with_mechanism(mechanism);
        AlterUserScramCredentialsRequest::default().with_deletions(vec![credential])
    };
    for (case, name, mechanism) in [
        ("one", "alice", 1),
        ("the same one again", "alice", 1),
        ("of an unknown user", "absent", 1),
        ("of a mechanism that is none", "alice", 9),
        ("of an empty name", "", 1),
    ] {
        pair.ask_all(&format!("deleted: {case}"), |_| delete(name, mechanism)).await?;
    }
    let both = ScramCredentialDeletion::default().with_name(text("alice")).with_mechanism(2);
    pair.ask_all("set and deleted at once", |_| upsert("alice", 2, 4_096).with_deletions(vec![both.clone()]))
        .await
}

async fn quotas(pair: &mut Pair) -> anyhow::Result<()> {
    type Entity<'a> = &'a [(&'a str, Option<&'a str>)];
    let alter = |entity: Entity<'_>, key: &str, value: Option<f64>| {
        let entity = entity
            .iter()
            .map(|(kind, name)| {
                EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
            })
            .collect();
        let change = OpData::default()
            .with_key(text(key))
            .with_value(value.unwrap_or_default())
            .with_remove(value.is_none());
        AlterClientQuotasRequest::default()
            .with_entries(vec![EntryData::default().with_entity(entity).with_ops(vec![change])])
    };
    let cases: &[(&str, Entity<'_>, &str, Option<f64>)] = &[
        ("a user's", &[("user", Some("alice"))], "producer_byte_rate", Some(1e6)),
        ("every user's", &[("user", None)], "consumer_byte_rate", Some(2e6)),
        ("a client's", &[("client-id", Some("etl"))], "request_percentage", Some(50.0)),
        (
            "a user's client's",
            &[("user", Some("alice")), ("client-id", Some("etl"))],
            "producer_byte_rate",
            Some(5e5),
        ),
        ("an address's", &[("ip", Some("127.0.0.1"))], "connection_creation_rate", Some(10.0)),
        (
            "an address's that no address is",
            &[("ip", Some("no such host at all"))],
            "connection_creation_rate",
            Some(10.0),
        ),
        ("an address's bytes", &[("ip", Some("127.0.0.1"))], "producer_byte_rate", Some(10.0)),
        ("a key that is none", &[("user", Some("alice"))], "no_such_rate", Some(1.0)),
        ("nothing", &[("user", Some("alice"))], "producer_byte_rate", Some(0.0)),
        ("less than nothing", &[("user", Some("alice"))], "producer_byte_rate", Some(-1.0)),
        ("half a byte", &[("user", Some("alice"))], "producer_byte_rate", Some(0.5)),
        ("an entity that is none", &[("team", Some("a"))], "producer_byte_rate", Some(1.0)),
        ("no entity", &[], "producer_byte_rate", Some(1.0)),
        (
            "an address and a user",
            &[("ip", Some("127.0.0.1")), ("user", Some("alice"))],
            "connection_creation_rate",
            Some(1.0),
        ),
        ("an empty name", &[("user", Some(""))], "producer_byte_rate", Some(1.0)),
        ("a user's, removed", &[("user", Some("alice"))], "producer_byte_rate", None),
        ("what was not there, removed", &[("user", Some("absent"))], "producer_byte_rate", None),
    ];
    for (case, entity, key, value) in cases {
        pair.ask_all(&format!("{case}, only validated"), |_| {
            alter(entity, key, *value).with_validate_only(true)
        })
        .await?;
        pair.ask_all(case, |_| alter(entity, key, *value)).await?;
    }
    let describe = |components: &[(&str, i8, Option<&str>)], strict| {
        let components = components
            .iter()
            .map(|(kind, how, name)| {
                ComponentData::default()
                    .with_entity_type(text(kind))
                    .with_match_type(*how)
                    .with_match(name.map(text))
            })
            .collect();
        DescribeClientQuotasRequest::default().with_components(components).with_strict(strict)
    };
    for (case, components, strict) in [
        ("every quota", &[][..], false),
        ("every quota, strictly", &[][..], true),
        ("a user's", &[("user", 0, Some("alice"))][..], false),
        ("a user's, strictly", &[("user", 0, Some("alice"))][..], true),
        ("every user's", &[("user", 1, None)][..], false),
        ("of any user", &[("user", 2, None)][..], false),
        ("of any client, strictly", &[("client-id", 2, None)][..], true),
        ("of an entity that is none", &[("team", 2, None)][..], false),
        ("an exact match of nothing", &[("user", 0, None)][..], false),
        ("a match that is none", &[("user", 9, None)][..], false),
        ("of a user twice", &[("user", 2, None), ("user", 2, None)][..], false),
        ("of addresses and users", &[("ip", 2, None), ("user", 2, None)][..], false),
    ] {
        pair.ask_all(case, |_| describe(components, strict)).await?;
    }
    Ok(())
}
