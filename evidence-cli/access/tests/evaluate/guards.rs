//! Guards that protect nothing, and guards that do.

use cadastre_model::access::{Damage, GuardDefect};
use serde_json::{Value, json};

use crate::support::*;

const OBJECTS: &str = "arn:aws:s3:::data/*";

/// The defects of one subject.
#[track_caller]
fn check(world: &World, subject: &str, expected: &[GuardDefect]) {
    let access = world.evaluate();
    let found: Vec<GuardDefect> =
        access.guards.iter().filter(|guard| guard.subject == subject).map(|guard| guard.defect).collect();
    assert_eq!(found, expected, "{:?}", access.guards);
    assert!(access.guards.iter().all(|guard| !guard.statements.is_empty() && !guard.told.is_empty()));
}

fn account(statements: Value) -> World {
    let mut world = World::new();
    world.bucket(json!([]));
    world.role(APP, statements);
    world
}

#[test]
fn a_deny_that_another_action_walks_around_is_dead() {
    let versions = json!([allow("s3:GetObject*", OBJECTS), deny("s3:GetObject", OBJECTS)]);
    check(&account(versions), APP, &[GuardDefect::WalkedAround]);
    let lifecycle =
        json!([allow("s3:*", "*"), deny("s3:DeleteObject", OBJECTS), deny("s3:GetObject", OBJECTS)]);
    check(&account(lifecycle), APP, &[GuardDefect::WalkedAround, GuardDefect::WalkedAround]);
    let both = json!([allow("s3:GetObject*", OBJECTS), deny("s3:GetObject*", OBJECTS)]);
    check(&account(both), APP, &[]);
    let unneeded = json!([allow("s3:PutObject", OBJECTS), deny("s3:GetObject", OBJECTS)]);
    check(&account(unneeded), APP, &[]);
}

#[test]
fn a_deny_that_names_what_is_not_there_is_dead() {
    let gone = json!([allow("s3:GetObject", "*"), deny("s3:*", "arn:aws:s3:::renamed/*")]);
    check(&account(gone), APP, &[GuardDefect::NamesNothing]);
    let here = json!([allow("s3:GetObject", "*"), deny("s3:PutObject", "arn:aws:s3:::data/*")]);
    check(&account(here), APP, &[]);
    let patterns = json!([allow("s3:GetObject", "*"), deny("s3:PutObject", "arn:aws:s3:::re*")]);
    check(&account(patterns), APP, &[]);
    let denying = |who: &str| {
        let mut world = World::new();
        world.bucket(
            json!([{"Effect": "Deny", "Principal": {"AWS": who}, "Action": "s3:*", "Resource": OBJECTS}]),
        );
        world
    };
    check(&denying("arn:aws:iam::111122223333:role/left"), BUCKET, &[GuardDefect::NamesNothing]);
    check(&denying("AROAEXAMPLEEXAMPLE"), BUCKET, &[GuardDefect::NamesNothing]);
    check(&denying(APP), BUCKET, &[]);
    // Nobody read who is in that account.
    check(&denying("arn:aws:iam::999988887777:role/unread"), BUCKET, &[]);
}

#[test]
fn a_boundary_that_comes_off_or_binds_others_only_is_dead() {
    let mut world = account(json!([allow("iam:DeleteRolePermissionsBoundary", APP)]));
    world.boundary(APP, json!([allow("iam:*", "*")]));
    check(&world, APP, &[GuardDefect::Removable]);
    let mut world = account(json!([allow("iam:DeleteRolePermissionsBoundary", APP)]));
    world.boundary(APP, json!([allow("s3:*", "*")]));
    check(&world, APP, &[]);
    let mut world = account(json!([allow("iam:PutRolePolicy", APP)]));
    let other = "arn:aws:iam::111122223333:role/other";
    world.role(other, json!([]));
    world.boundary(other, json!([allow("s3:*", "*")]));
    let boundary = world.of(other).boundary.clone();
    let cadastre_model::Known::Observed(mut document) = boundary else { panic!("it was just set") };
    document.name = "arn:aws:iam::111122223333:policy/boundary".into();
    world.of(other).boundary = cadastre_model::Known::Observed(document);
    check(&world, APP, &[GuardDefect::AttachedToOthers]);
    check(&world, other, &[]);
}

#[test]
fn a_condition_that_everybody_passes_is_dead() {
    let open = |condition: Value| {
        let mut world = World::new();
        world.bucket(json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": condition}]));
        world
    };
    check(&open(json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})), BUCKET, &[GuardDefect::AlwaysTrue]);
    check(&open(json!({"Bool": {"aws:SecureTransport": "true"}})), BUCKET, &[GuardDefect::AlwaysTrue]);
    check(
        &open(json!({"StringEquals": {"aws:UserAgent": "internal"}})),
        BUCKET,
        &[GuardDefect::SelfSatisfied],
    );
    check(
        &open(json!({"ForAllValues:StringEquals": {"aws:SourceVpce": "vpce-1"}})),
        BUCKET,
        &[GuardDefect::SelfSatisfied],
    );
    check(&open(json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}})), BUCKET, &[]);
    check(&open(json!({"StringEquals": {"aws:PrincipalOrgID": "o-example"}})), BUCKET, &[]);
}

#[test]
fn destruction_needs_no_permission_to_delete() {
    let mut world = account(json!([
        allow("s3:PutLifecycleConfiguration", BUCKET),
        allow("kms:ScheduleKeyDeletion", KEY),
        allow("s3:PutBucketPolicy", BUCKET)
    ]));
    world
        .key(json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}]));
    let access = world.evaluate();
    let found: Vec<(Damage, &str, bool)> = access
        .destruction
        .iter()
        .filter(|found| found.principal == APP)
        .map(|found| (found.damage, found.action.as_str(), found.disguised))
        .collect();
    assert_eq!(
        found,
        [
            (Damage::Destroy, "kms:ScheduleKeyDeletion", true),
            (Damage::Destroy, "s3:PutLifecycleConfiguration", true),
            (Damage::LockOut, "s3:PutBucketPolicy", true),
        ]
    );
}
