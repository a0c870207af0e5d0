//! The rules of Kafka's `StandardAuthorizer`, one case a line.
//!
//! An ACL is written `allow|deny PRINCIPAL OPERATION TYPE:NAME [HOST]`, a name ending in `…` is a prefix. A question is
//! `PRINCIPAL OPERATION TYPE:NAME [HOST]`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a malformed case should fail its test")]

use cadastre_security::acl::{AclBinding, HostPattern, ResourcePattern};
use cadastre_security::{
    Authorizer, Decision, MatchedRule, Operation, PatternType, Permission, Principal, ResourceType,
    SuperUsers,
};

const HOST: &str = "192.0.2.1";

fn acl(text: &str) -> AclBinding {
    let mut words = text.split(' ');
    let permission = words.next().unwrap().parse::<Permission>().unwrap();
    let principal = words.next().unwrap().parse::<Principal>().unwrap();
    let operation = words.next().unwrap().parse::<Operation>().unwrap();
    let (resource_type, name) = words.next().unwrap().split_once(':').unwrap();
    let (name, pattern_type) = match name.strip_suffix('…') {
        Some(prefix) => (prefix, PatternType::Prefixed),
        None => (name, PatternType::Literal),
    };
    let resource = ResourcePattern {
        resource_type: resource_type.parse().unwrap(),
        name: name.to_owned(),
        pattern_type,
    };
    let host = HostPattern::parse(words.next().unwrap_or("*")).unwrap();
    AclBinding::new(resource, principal, host, operation, permission).unwrap()
}

fn authorizer(acls: &[&str], default_allow: bool) -> Authorizer {
    let super_users = SuperUsers::parse("User:root; User:CN=ops,O=Example;Group:admins").unwrap();
    Authorizer::new(acls.iter().map(|text| acl(text)), super_users, default_allow)
}

fn ask(authorizer: &Authorizer, question: &str) -> Decision {
    let words: Vec<&str> = question.split(' ').collect();
    let (resource_type, name) = words[2].split_once(':').unwrap();
    authorizer.authorize(
        &words[0].parse().unwrap(),
        words.get(3).unwrap_or(&HOST).parse().unwrap(),
        words[1].parse().unwrap(),
        resource_type.parse().unwrap(),
        name,
    )
}

/// What the table expects: the rule, which settles whether it is allowed.
enum Expected {
    Super,
    Acl(&'static str),
    DefaultAllow,
    DefaultDeny,
}
use Expected::{Acl, DefaultAllow, DefaultDeny, Super};

#[track_caller]
fn check_decision(decision: Decision, expected: Expected, context: &str) {
    let (allowed, rule) = match expected {
        Super => (true, MatchedRule::SuperUser),
        Acl(text) => {
            (text.starts_with("allow"), MatchedRule::MatchingAcl { binding: std::sync::Arc::new(acl(text)) })
        }
        DefaultAllow => (true, MatchedRule::DefaultAllow),
        DefaultDeny => (false, MatchedRule::DefaultDeny),
    };
    assert_eq!(decision, Decision { allowed, rule }, "{context}");
}

#[track_caller]
fn check(acls: &[&str], question: &str, expected: Expected) {
    check_decision(ask(&authorizer(acls, false), question), expected, question);
}

#[track_caller]
fn check_open(acls: &[&str], question: &str, expected: Expected) {
    check_decision(ask(&authorizer(acls, true), question), expected, question);
}

const ALICE_READS: &str = "allow User:alice READ topic:orders";
const EVERYONE_DENIED: &str = "deny User:* ALL topic:*";

#[test]
fn super_users_come_first() {
    check(&[], "User:root WRITE topic:orders", Super);
    check(&[EVERYONE_DENIED], "User:root WRITE topic:orders", Super);
    check(&["deny User:root ALL topic:orders"], "User:root READ topic:orders", Super);
    check(&[], "User:CN=ops,O=Example ALTER cluster:kafka-cluster", Super);
    check(&[], "Group:admins ALTER cluster:kafka-cluster", Super);
    check(&[], "User:admins ALTER cluster:kafka-cluster", DefaultDeny);
    check(&[], "User:Root WRITE topic:orders", DefaultDeny);
}

#[test]
fn an_allow_grants_what_it_names_and_no_more() {
    check(&[ALICE_READS], "User:alice READ topic:orders", Acl(ALICE_READS));
    check(&[ALICE_READS], "User:alice WRITE topic:orders", DefaultDeny);
    check(&[ALICE_READS], "User:bob READ topic:orders", DefaultDeny);
    check(&[ALICE_READS], "User:alice READ topic:payments", DefaultDeny);
    check(&[ALICE_READS], "User:alice READ group:orders", DefaultDeny);
    check(&[ALICE_READS], "User:alice READ topic:orders2", DefaultDeny);
    check(&[ALICE_READS], "User:alice READ topic:order", DefaultDeny);
    check(&[ALICE_READS], "User:alice READ topic:Orders", DefaultDeny);
    check(&[ALICE_READS], "User:ALICE READ topic:orders", DefaultDeny);
    check(&[ALICE_READS], "Group:alice READ topic:orders", DefaultDeny);
}

#[test]
fn a_deny_wins_over_every_allow() {
    let deny = "deny User:alice READ topic:orders";
    check(&[ALICE_READS, deny], "User:alice READ topic:orders", Acl(deny));
    check(&[ALICE_READS, EVERYONE_DENIED], "User:alice READ topic:orders", Acl(EVERYONE_DENIED));
    check(
        &[ALICE_READS, "deny User:* READ topic:o…"],
        "User:alice READ topic:orders",
        Acl("deny User:* READ topic:o…"),
    );
    check(&["allow User:* ALL topic:*", deny], "User:alice READ topic:orders", Acl(deny));
    check(
        &["allow User:* ALL topic:*", deny],
        "User:alice WRITE topic:orders",
        Acl("allow User:* ALL topic:*"),
    );
    check(&["allow User:* ALL topic:*", deny], "User:bob READ topic:orders", Acl("allow User:* ALL topic:*"));
    check(&["allow User:alice ALL topic:orders", deny], "User:alice READ topic:orders", Acl(deny));
}

#[test]
fn describe_is_implied_by_allows_of_read_write_delete_and_alter() {
    let question = "User:alice DESCRIBE topic:orders";
    check(&[ALICE_READS], question, Acl(ALICE_READS));
    check(&["allow User:alice WRITE topic:orders"], question, Acl("allow User:alice WRITE topic:orders"));
    check(&["allow User:alice DELETE topic:orders"], question, Acl("allow User:alice DELETE topic:orders"));
    check(&["allow User:alice ALTER topic:orders"], question, Acl("allow User:alice ALTER topic:orders"));
    check(
        &["allow User:alice DESCRIBE topic:orders"],
        question,
        Acl("allow User:alice DESCRIBE topic:orders"),
    );
    check(&["allow User:alice CREATE topic:orders"], question, DefaultDeny);
    check(&["allow User:alice ALTER_CONFIGS topic:orders"], question, DefaultDeny);
    check(&["allow User:alice DESCRIBE_CONFIGS topic:orders"], question, DefaultDeny);
    check(&["allow User:alice DESCRIBE topic:orders"], "User:alice READ topic:orders", DefaultDeny);
}

#[test]
fn describe_configs_is_implied_by_an_allow_of_alter_configs() {
    let question = "User:alice DESCRIBE_CONFIGS topic:orders";
    let alter = "allow User:alice ALTER_CONFIGS topic:orders";
    check(&[alter], question, Acl(alter));
    check(&["allow User:alice ALTER topic:orders"], question, DefaultDeny);
    check(&[ALICE_READS], question, DefaultDeny);
    check(
        &["allow User:alice DESCRIBE_CONFIGS topic:orders"],
        "User:alice ALTER_CONFIGS topic:orders",
        DefaultDeny,
    );
}

#[test]
fn a_deny_implies_nothing() {
    let deny_read = "deny User:alice READ topic:orders";
    let allow_describe = "allow User:alice DESCRIBE topic:orders";
    check(&[deny_read, allow_describe], "User:alice DESCRIBE topic:orders", Acl(allow_describe));
    check(
        &[deny_read, "allow User:alice WRITE topic:orders"],
        "User:alice DESCRIBE topic:orders",
        Acl("allow User:alice WRITE topic:orders"),
    );
    check(
        &["deny User:alice DESCRIBE topic:orders", ALICE_READS],
        "User:alice READ topic:orders",
        Acl(ALICE_READS),
    );
    check(
        &["deny User:alice DESCRIBE topic:orders", ALICE_READS],
        "User:alice DESCRIBE topic:orders",
        Acl("deny User:alice DESCRIBE topic:orders"),
    );
    check(
        &["deny User:alice ALTER_CONFIGS topic:orders"],
        "User:alice DESCRIBE_CONFIGS topic:orders",
        DefaultDeny,
    );
}

#[test]
fn all_matches_every_operation() {
    let all = "allow User:alice ALL topic:orders";
    check(&[all], "User:alice READ topic:orders", Acl(all));
    check(&[all], "User:alice DESCRIBE topic:orders", Acl(all));
    check(&[all], "User:alice ALTER_CONFIGS topic:orders", Acl(all));
    let deny_all = "deny User:alice ALL topic:orders";
    check(&[ALICE_READS, deny_all], "User:alice READ topic:orders", Acl(deny_all));
    check(&[ALICE_READS, deny_all], "User:alice DESCRIBE topic:orders", Acl(deny_all));
    check(
        &["allow User:alice ALL cluster:kafka-cluster"],
        "User:alice IDEMPOTENT_WRITE cluster:kafka-cluster",
        Acl("allow User:alice ALL cluster:kafka-cluster"),
    );
}

#[test]
fn prefixes_and_the_wildcard_cover_names() {
    let prefix = "allow User:alice READ topic:ord…";
    check(&[prefix], "User:alice READ topic:orders", Acl(prefix));
    check(&[prefix], "User:alice READ topic:ord", Acl(prefix));
    check(&[prefix], "User:alice READ topic:or", DefaultDeny);
    check(&[prefix], "User:alice READ group:orders", DefaultDeny);
    check(&["allow User:alice READ topic:ord"], "User:alice READ topic:orders", DefaultDeny);
    check(
        &["allow User:alice READ topic:*"],
        "User:alice READ topic:anything",
        Acl("allow User:alice READ topic:*"),
    );
    check(&["allow User:alice READ topic:*"], "User:alice READ group:anything", DefaultDeny);
    check(&["allow User:alice READ topic:*…"], "User:alice READ topic:anything", DefaultDeny);
    check(
        &["allow User:alice READ topic:*…"],
        "User:alice READ topic:*x",
        Acl("allow User:alice READ topic:*…"),
    );
    check(
        &["allow User:alice READ topic:größe…"],
        "User:alice READ topic:größer",
        Acl("allow User:alice READ topic:größe…"),
    );
    check(
        &["allow User:alice READ topic:gr…"],
        "User:alice READ topic:größer",
        Acl("allow User:alice READ topic:gr…"),
    );
}

#[test]
fn the_most_specific_allow_is_named() {
    let acls = [
        "allow User:alice READ topic:*",
        "allow User:alice READ topic:o…",
        "allow User:* READ topic:ord…",
        ALICE_READS,
    ];
    check(&acls, "User:alice READ topic:orders", Acl(ALICE_READS));
    check(&acls, "User:alice READ topic:ordinary", Acl("allow User:* READ topic:ord…"));
    check(&acls, "User:alice READ topic:o", Acl("allow User:alice READ topic:o…"));
    check(&acls, "User:alice READ topic:x", Acl("allow User:alice READ topic:*"));
}

#[test]
fn everyone_means_everyone_anonymous_included() {
    let everyone = "allow User:* READ topic:orders";
    check(&[everyone], "User:alice READ topic:orders", Acl(everyone));
    check(&[everyone], "User:ANONYMOUS READ topic:orders", Acl(everyone));
    check(&[everyone], "Group:staff READ topic:orders", Acl(everyone));
    check(&["allow Group:* READ topic:orders"], "Group:staff READ topic:orders", DefaultDeny);
    check(&["allow User:al* READ topic:orders"], "User:alice READ topic:orders", DefaultDeny);
}

#[test]
fn hosts_restrict_allows_and_denies() {
    let from_host = "allow User:alice READ topic:orders 192.0.2.1";
    check(&[from_host], "User:alice READ topic:orders 192.0.2.1", Acl(from_host));
    check(&[from_host], "User:alice READ topic:orders 192.0.2.2", DefaultDeny);
    check(&[from_host], "User:alice READ topic:orders ::ffff:192.0.2.1", Acl(from_host));
    let from_network = "allow User:alice READ topic:orders 192.0.2.0/25";
    check(&[from_network], "User:alice READ topic:orders 192.0.2.127", Acl(from_network));
    check(&[from_network], "User:alice READ topic:orders 192.0.2.128", DefaultDeny);
    let deny_network = "deny User:alice READ topic:orders 192.0.2.128/25";
    check(&[ALICE_READS, deny_network], "User:alice READ topic:orders 192.0.2.200", Acl(deny_network));
    check(&[ALICE_READS, deny_network], "User:alice READ topic:orders 192.0.2.1", Acl(ALICE_READS));
    let six = "allow User:alice READ topic:orders 2001:db8::/32";
    check(&[six], "User:alice READ topic:orders 2001:db8::7", Acl(six));
    check(&[six], "User:alice READ topic:orders 192.0.2.1", DefaultDeny);
}

#[test]
fn default_allow_applies_only_where_no_acl_covers_the_resource() {
    check_open(&[], "User:alice READ topic:orders", DefaultAllow);
    check_open(&[], "User:ANONYMOUS ALTER cluster:kafka-cluster", DefaultAllow);
    check_open(&[ALICE_READS], "User:bob READ topic:orders", DefaultDeny);
    check_open(&[ALICE_READS], "User:alice WRITE topic:orders", DefaultDeny);
    check_open(&[ALICE_READS], "User:bob READ topic:payments", DefaultAllow);
    check_open(&[ALICE_READS], "User:bob READ group:orders", DefaultAllow);
    check_open(&["allow User:alice READ topic:ord…"], "User:bob READ topic:orders", DefaultDeny);
    check_open(&["allow User:alice READ topic:ord"], "User:bob READ topic:orders", DefaultAllow);
    check_open(&["allow User:alice READ topic:*"], "User:bob READ topic:anything", DefaultDeny);
    check_open(&["allow User:alice READ topic:*"], "User:bob READ group:anything", DefaultAllow);
    check_open(&["deny User:bob READ topic:orders"], "User:alice READ topic:orders", DefaultDeny);
    check_open(
        &["allow User:alice READ topic:orders 198.51.100.9"],
        "User:alice READ topic:orders",
        DefaultDeny,
    );
}

#[test]
fn removing_the_last_acl_uncovers_the_resource() {
    for text in [ALICE_READS, "allow User:alice READ topic:ord…", "allow User:* READ topic:*"] {
        let mut authorizer = authorizer(&[text], true);
        assert!(!ask(&authorizer, "User:bob WRITE topic:orders").allowed);
        assert!(authorizer.remove(&acl(text)));
        assert!(!authorizer.remove(&acl(text)));
        check_decision(ask(&authorizer, "User:bob WRITE topic:orders"), DefaultAllow, text);
    }
}

#[test]
fn adding_twice_counts_once() {
    let mut authorizer = authorizer(&[ALICE_READS], false);
    assert!(!authorizer.add(acl(ALICE_READS)));
    assert_eq!(authorizer.bindings().count(), 1);
    assert!(authorizer.remove(&acl(ALICE_READS)));
    check_decision(ask(&authorizer, "User:alice READ topic:orders"), DefaultDeny, "");
}

#[track_caller]
fn check_by_type(acls: &[&str], default_allow: bool, principal: &str, expected: Expected) {
    let decision = authorizer(acls, default_allow).authorize_by_resource_type(
        &principal.parse().unwrap(),
        HOST.parse().unwrap(),
        Operation::Write,
        ResourceType::Topic,
    );
    check_decision(decision, expected, &acls.join("; "));
}

#[test]
fn a_right_on_any_resource_of_the_type_is_enough() {
    let literal = "allow User:alice WRITE topic:orders";
    let prefix = "allow User:alice WRITE topic:ord…";
    let wildcard = "allow User:alice WRITE topic:*";
    check_by_type(&[], false, "User:alice", DefaultDeny);
    check_by_type(&[], false, "User:root", Super);
    check_by_type(&[], true, "User:alice", DefaultAllow);
    check_by_type(&[literal], false, "User:alice", Acl(literal));
    check_by_type(&[literal], false, "User:bob", DefaultDeny);
    check_by_type(&[prefix], false, "User:alice", Acl(prefix));
    check_by_type(&[wildcard], false, "User:alice", Acl(wildcard));
    check_by_type(
        &["allow User:alice ALL topic:x"],
        false,
        "User:alice",
        Acl("allow User:alice ALL topic:x"),
    );
    check_by_type(&[ALICE_READS], false, "User:alice", DefaultDeny);
    check_by_type(&["allow User:alice WRITE group:orders"], false, "User:alice", DefaultDeny);
    check_by_type(&["allow User:alice WRITE topic:x 198.51.100.9"], false, "User:alice", DefaultDeny);
    check_by_type(
        &["allow User:alice WRITE topic:x 192.0.2.0/24"],
        false,
        "User:alice",
        Acl("allow User:alice WRITE topic:x 192.0.2.0/24"),
    );
}

#[test]
fn a_dominating_deny_takes_the_right_on_any_resource_away() {
    let literal = "allow User:alice WRITE topic:orders";
    let prefix = "allow User:alice WRITE topic:ord…";
    let wildcard = "allow User:alice WRITE topic:*";
    check_by_type(
        &[literal, "deny User:alice WRITE topic:*"],
        false,
        "User:alice",
        Acl("deny User:alice WRITE topic:*"),
    );
    check_by_type(
        &[wildcard, "deny User:* ALL topic:*"],
        false,
        "User:alice",
        Acl("deny User:* ALL topic:*"),
    );
    check_by_type(&[literal, "deny User:alice WRITE topic:orders"], false, "User:alice", DefaultDeny);
    check_by_type(&[literal, "deny User:alice WRITE topic:orders…"], false, "User:alice", DefaultDeny);
    check_by_type(&[literal, "deny User:alice WRITE topic:o…"], false, "User:alice", DefaultDeny);
    check_by_type(&[literal, "deny User:alice WRITE topic:orders2…"], false, "User:alice", Acl(literal));
    check_by_type(&[literal, "deny User:bob WRITE topic:orders"], false, "User:alice", Acl(literal));
    check_by_type(&[literal, "deny User:alice READ topic:orders"], false, "User:alice", Acl(literal));
    check_by_type(&[prefix, "deny User:alice WRITE topic:ord…"], false, "User:alice", DefaultDeny);
    check_by_type(&[prefix, "deny User:alice WRITE topic:o…"], false, "User:alice", DefaultDeny);
    check_by_type(&[prefix, "deny User:alice WRITE topic:ord"], false, "User:alice", Acl(prefix));
    check_by_type(&[prefix, "deny User:alice WRITE topic:orders…"], false, "User:alice", Acl(prefix));
    check_by_type(&[wildcard, "deny User:alice WRITE topic:hardcode"], false, "User:alice", Acl(wildcard));
    check_by_type(
        &[prefix, literal, "deny User:alice WRITE topic:ord…", "allow User:alice WRITE topic:x"],
        false,
        "User:alice",
        Acl("allow User:alice WRITE topic:x"),
    );
}

#[test]
fn authorized_operations_list_what_the_type_supports() {
    let authorizer =
        authorizer(&["allow User:alice ALL topic:orders", "deny User:alice DELETE topic:orders"], false);
    let alice = "User:alice".parse().unwrap();
    let operations =
        authorizer.authorized_operations(&alice, HOST.parse().unwrap(), ResourceType::Topic, "orders");
    assert!(operations.contains(&Operation::Read) && operations.contains(&Operation::AlterConfigs));
    assert!(!operations.contains(&Operation::Delete) && !operations.contains(&Operation::ClusterAction));
}

#[test]
fn a_super_user_without_a_type_is_refused() {
    assert!(SuperUsers::parse("User:a;bob").is_err());
    assert_eq!(SuperUsers::parse(" ; User:a ;").unwrap().iter().count(), 1);
}
