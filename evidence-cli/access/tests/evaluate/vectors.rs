//! Decisions worked out by hand from the documentation; each names the page that says so.

use crate::support::Expect::{self, Allow, Deny, Unknown, When};
use crate::support::*;
use cadastre_model::Known;
use cadastre_model::access::Capability::{
    AlterLogs, Assume, ChangePolicy, Decrypt, ManageKey, OperateHost, ReadObjects, WriteObjects,
};
use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::PolicyKind;
use serde_json::{Value, json};

const OBJECTS: &str = "arn:aws:s3:::data/*";
const LOGIC: &str = "Policy evaluation logic";
const OPERATORS: &str = "IAM JSON policy elements: Condition operators";
const SETS: &str = "Set operators for multivalued context keys";
const VARIABLES: &str = "IAM policy elements: Variables and tags";
const GRAMMAR: &str = "Grammar of the IAM JSON policy language";
const CROSS: &str = "Cross-account policy evaluation logic";
const BOUNDARIES: &str = "Permissions boundaries for IAM entities";
const SCP: &str = "Service control policies (SCPs)";
const RCP: &str = "Resource control policies (RCPs)";
const KEY_POLICY: &str = "Key policies in AWS KMS";
const GRANTS: &str = "Grants in AWS KMS";
const TRUST: &str = "IAM roles: trust policies";

/// Whether role `app` with these statements reads objects of a bucket with those.
#[track_caller]
fn reads(page: &str, identity: Value, bucket: Value, expected: Expect) {
    let mut world = World::new();
    world.role(APP, identity);
    world.bucket(bucket);
    ask(&world, APP, ReadObjects, BUCKET, "s3:GetObject", expected, page);
}

#[track_caller]
fn ask(
    world: &World,
    principal: &str,
    capability: Capability,
    target: &str,
    action: &str,
    expected: Expect,
    page: &str,
) {
    expect(&decision(&world.evaluate(), principal, capability, target, action), expected, page);
}

#[test]
fn identity_policies_allow_what_they_name() {
    let page = GRAMMAR;
    reads(page, json!([]), json!([]), Deny);
    reads(page, json!([allow("s3:GetObject", OBJECTS)]), json!([]), Allow);
    reads(page, json!(allow("s3:GetObject", OBJECTS)), json!([]), Allow);
    reads(page, json!([allow("S3:getobject", OBJECTS)]), json!([]), Allow);
    reads(page, json!([allow("s3:Get*", "*")]), json!([]), Allow);
    reads(page, json!([allow("s3:Get?bject", "*")]), json!([]), Allow);
    reads(page, json!([allow("*", "*")]), json!([]), Allow);
    reads(page, json!([allow("s3:*Object", "arn:aws:s3:::*")]), json!([]), Allow);
    reads(page, json!([allow("s3:PutObject", "*")]), json!([]), Deny);
    reads(page, json!([allow("s3:GetObject", BUCKET)]), json!([]), Deny);
    reads(page, json!([allow("s3:GetObject", "arn:aws:s3:::Data/*")]), json!([]), Deny);
    reads(
        page,
        json!([{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": [BUCKET, OBJECTS]}]),
        json!([]),
        Allow,
    );
    reads(page, json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]), json!([]), Allow);
    reads(page, json!([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]), json!([]), Deny);
    reads(
        page,
        json!([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::other/*"}]),
        json!([]),
        Allow,
    );
    reads(page, json!([{"Effect": "Allow", "Action": "s3:*", "NotResource": OBJECTS}]), json!([]), Deny);
    reads(
        page,
        json!([allow("s3:GetObject", "arn:aws:s3:::data/logs/*")]),
        json!([]),
        When("resource like [arn:aws:s3:::data/logs/*]"),
    );
}

#[test]
fn an_explicit_deny_wins_wherever_it_stands() {
    let page = LOGIC;
    let may = allow("s3:GetObject", OBJECTS);
    reads(page, json!([may, deny("s3:*", "*")]), json!([]), Deny);
    reads(
        page,
        json!([may, {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"}]),
        json!([]),
        Allow,
    );
    reads(page, json!([may, {"Effect": "Deny", "Action": "*", "NotResource": OBJECTS}]), json!([]), Allow);
    reads(
        page,
        json!([may, deny("s3:GetObject", "arn:aws:s3:::data/secret/*")]),
        json!([]),
        When("resource not like [arn:aws:s3:::data/secret/*]"),
    );
    reads(
        page,
        json!([
            allow("s3:GetObject", "arn:aws:s3:::data/secret/a"),
            deny("s3:GetObject", "arn:aws:s3:::data/secret/*")
        ]),
        json!([]),
        Deny,
    );
    let everyone = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": OBJECTS});
    reads(page, json!([may]), json!([everyone]), Deny);
    let account =
        json!({"Effect": "Deny", "Principal": {"AWS": ACCOUNT}, "Action": "s3:*", "Resource": OBJECTS});
    reads(page, json!([may]), json!([account]), Deny);
    let another = json!({"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/b"}, "Action": "s3:*", "Resource": OBJECTS});
    reads(page, json!([may]), json!([another]), Allow);
    let all_but = json!({"Effect": "Deny", "NotPrincipal": {"AWS": [APP, "arn:aws:iam::111122223333:root"]}, "Action": "s3:*", "Resource": OBJECTS});
    reads("AWS JSON policy elements: NotPrincipal", json!([may]), json!([all_but]), Allow);
    let all_but_another = json!({"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:role/b"}, "Action": "s3:*", "Resource": OBJECTS});
    reads("AWS JSON policy elements: NotPrincipal", json!([may]), json!([all_but_another]), Deny);
}

/// Whether `app` reads when its one statement has this condition.
#[track_caller]
fn under(page: &str, condition: Value, expected: Expect) {
    let statement =
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": condition});
    reads(page, json!([statement]), json!([]), expected);
}

/// Whether `app` still reads when a statement with this condition denies.
#[track_caller]
fn unless(page: &str, condition: Value, expected: Expect) {
    let statement =
        json!({"Effect": "Deny", "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": condition});
    reads(page, json!([allow("s3:*", "*"), statement]), json!([]), expected);
}

#[test]
fn what_the_principal_and_the_resource_settle_is_settled() {
    let page = "AWS global condition context keys";
    under(page, json!({"ArnEquals": {"aws:PrincipalArn": APP}}), Allow);
    under(page, json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}), Allow);
    under(page, json!({"ArnNotEquals": {"aws:PrincipalArn": APP}}), Deny);
    under(page, json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}), Allow);
    under(page, json!({"StringEquals": {"aws:PrincipalAccount": OTHER}}), Deny);
    under(page, json!({"StringEquals": {"aws:PrincipalOrgID": "o-example"}}), Allow);
    under(page, json!({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}), Allow);
    under(page, json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}), Deny);
    under(page, json!({"Bool": {"aws:SecureTransport": "false"}}), Deny);
    unless(page, json!({"Bool": {"aws:SecureTransport": "false"}}), Allow);
    under(page, json!({"StringEquals": {"AWS:principaltype": "AssumedRole"}}), Allow);
    under(page, json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}}), Deny);
}

#[test]
fn what_only_the_request_settles_stays_a_condition() {
    under(
        OPERATORS,
        json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
        When("aws:SourceVpce in [vpce-1]"),
    );
    unless(
        OPERATORS,
        json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}),
        When("aws:SourceVpce in [vpce-1]"),
    );
    unless(
        OPERATORS,
        json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        When("aws:SourceIp within [10.0.0.0/8]"),
    );
    under(
        OPERATORS,
        json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}}),
        When("aws:MultiFactorAuthAge < 900"),
    );
    under(
        OPERATORS,
        json!({"Bool": {"aws:MultiFactorAuthPresent": true}}),
        When("aws:MultiFactorAuthPresent is true"),
    );
    unless(
        OPERATORS,
        json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": false}}),
        When("(aws:MultiFactorAuthPresent is not false and aws:MultiFactorAuthPresent is present)"),
    );
    under(
        OPERATORS,
        json!({"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}),
        When("aws:CurrentTime < 2027-01-01T00:00:00Z"),
    );
    under(OPERATORS, json!({"Null": {"aws:TokenIssueTime": "true"}}), When("aws:TokenIssueTime is absent"));
    under(OPERATORS, json!({"Null": {"aws:TokenIssueTime": "false"}}), When("aws:TokenIssueTime is present"));
}

/// Whether the one edge is certain and tells what the requester chose.
#[track_caller]
fn chosen(page: &str, statements: Value, choice: &str) {
    let mut world = World::new();
    world.role(APP, statements);
    world.bucket(json!([]));
    let access = world.evaluate();
    let edge = access
        .edges
        .iter()
        .find(|edge| edge.action == "s3:GetObject" && edge.capability == ReadObjects)
        .unwrap_or_else(|| panic!("{page}: nothing is read"));
    assert_eq!(edge.decision, Decision::Allow, "{page}");
    assert_eq!(edge.choices, [choice], "{page}");
}

#[test]
fn what_the_requester_chooses_or_leaves_out_is_told_and_is_no_limit() {
    let under = |condition: Value| json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": condition}]);
    let unless = |condition: Value| json!([allow("s3:*", "*"), {"Effect": "Deny", "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": condition}]);
    chosen(
        OPERATORS,
        under(json!({"StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}})),
        "aws:SourceVpce not in [vpce-1, vpce-2]",
    );
    chosen(
        OPERATORS,
        unless(json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}})),
        "aws:SourceVpce not in [vpce-1]",
    );
    chosen(
        OPERATORS,
        under(json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}})),
        "(aws:SourceVpc in [vpc-1] or aws:SourceVpc is absent)",
    );
    chosen(
        SETS,
        under(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}})),
        "all of aws:TagKeys in [a, b]",
    );
    chosen(
        SETS,
        under(json!({"ForAllValues:StringEquals": {"aws:SourceVpce": "vpce-1"}})),
        "all of aws:SourceVpce in [vpce-1]",
    );
    chosen(
        SETS,
        unless(json!({"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}})),
        "none of aws:CalledVia in [athena.amazonaws.com]",
    );
    chosen(
        "Amazon S3: condition keys",
        under(json!({"StringEquals": {"aws:UserAgent": "tool"}})),
        "aws:UserAgent in [tool]",
    );
    // Two that exclude each other cannot both be chosen.
    reads(
        OPERATORS,
        under(json!({"StringEquals": {"aws:UserAgent": "a"}, "StringLike": {"aws:useragent": "b*"}})),
        json!([]),
        Deny,
    );
}

#[test]
fn an_absent_key_fails_positive_tests_and_passes_negated_ones() {
    // A role's request carries no aws:username.
    under(OPERATORS, json!({"StringEquals": {"aws:username": "a"}}), Deny);
    under(OPERATORS, json!({"StringNotEquals": {"aws:username": "a"}}), Allow);
    under(OPERATORS, json!({"StringEqualsIfExists": {"aws:username": "a"}}), Allow);
    under(OPERATORS, json!({"StringNotEqualsIfExists": {"aws:username": "a"}}), Allow);
    under(OPERATORS, json!({"Null": {"aws:username": "true"}}), Allow);
    under(OPERATORS, json!({"Null": {"aws:username": "false"}}), Deny);
    under(SETS, json!({"ForAllValues:StringEquals": {"aws:username": "a"}}), Allow);
    under(SETS, json!({"ForAnyValue:StringEquals": {"aws:username": "a"}}), Deny);
}

#[test]
fn conditions_join_by_and_values_by_or() {
    let page = "Conditions with multiple context keys or values";
    under(page, json!({"StringEquals": {"aws:PrincipalAccount": [OTHER, ACCOUNT]}}), Allow);
    under(
        page,
        json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:PrincipalType": "User"}}),
        Deny,
    );
    under(
        page,
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        When("aws:MultiFactorAuthPresent is true and aws:SourceVpc in [vpc-1]"),
    );
}

#[test]
fn tests_that_exclude_each_other_leave_nothing() {
    let via = |vpce: &str| json!({"StringEquals": {"aws:SourceVpce": vpce}});
    let statement =
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": via("vpce-1")});
    let refusal = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": OBJECTS, "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-2"}}});
    reads(LOGIC, json!([statement]), json!([refusal]), Deny);
}

#[test]
fn what_cannot_be_read_is_unknown_and_names_its_place() {
    under(
        OPERATORS,
        json!({"StringResembles": {"aws:username": "a"}}),
        Unknown("#/response/Policy/Statement/0: operator `StringResembles`"),
    );
    under(OPERATORS, json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "soon"}}), Unknown("`soon`"));
    under(OPERATORS, json!({"StringEquals": {"aws:username": {"a": 1}}}), Unknown("odd values"));
    under(OPERATORS, json!("always"), Unknown("no object"));
    reads(
        GRAMMAR,
        json!([{"Effect": "allow", "Action": "*", "Resource": "*"}]),
        json!([]),
        Unknown("`Effect`"),
    );
    reads(
        GRAMMAR,
        json!([{"Effect": "Allow", "Action": [], "Resource": "*"}]),
        json!([]),
        Unknown("empty list"),
    );
    reads(GRAMMAR, json!([{"Effect": "Allow", "Action": "*"}]), json!([]), Unknown("names no resource"));
    reads(
        GRAMMAR,
        json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]),
        json!([]),
        Unknown("names a principal"),
    );
    reads(
        GRAMMAR,
        json!([allow("s3:*", "*"), {"Effect": "Deny", "Actions": "*", "Resource": "*"}]),
        json!([]),
        Unknown("`Actions`"),
    );
    reads(
        GRAMMAR,
        json!([allow("s3:*", "*")]),
        json!([{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}, "Action": "*", "Resource": "*"}]),
        Unknown("wildcard"),
    );

    let mut world = World::new();
    world.of(APP).policies =
        Known::Observed(vec![document("cut short", PolicyKind::Inline, json!("{\"Statement\""))]);
    world.bucket(json!([]));
    ask(&world, APP, ReadObjects, BUCKET, "", Unknown("no JSON object"), GRAMMAR);
    assert!(
        world.evaluate().unknown.iter().any(|(subject, why)| subject == APP && why.contains("cut short"))
    );
}

#[test]
fn missing_policies_leave_the_question_open() {
    let mut world = World::new();
    world.role(APP, json!([allow("s3:*", "*")]));
    world.bucket(json!([])).policy = Known::Unknown("s3:GetBucketPolicy was denied".into());
    ask(&world, APP, ReadObjects, BUCKET, "", Unknown("s3:GetBucketPolicy was denied"), LOGIC);

    let mut world = World::new();
    world.role(APP, json!([allow("kms:*", "*")]));
    world.key(json!([])).policy = Known::Unknown("kms:GetKeyPolicy was denied".into());
    ask(&world, APP, Decrypt, KEY, "", Unknown("kms:GetKeyPolicy was denied"), KEY_POLICY);

    let mut world = World::new();
    world.of(APP).policies = Known::Unknown("a page is missing".into());
    world.bucket(json!([]));
    let access = world.evaluate();
    assert!(access.unknown.contains(&(APP.to_owned(), "a page is missing".to_owned())));
}

#[test]
fn variables_are_filled_in_or_stay_symbolic() {
    let user = "arn:aws:iam::111122223333:user/alice";
    let reads_home = |version: &str, resource: &str, expected| {
        let mut world = World::new();
        let statements = json!([allow("s3:GetObject", resource)]);
        world.user(user, json!([])).policies = Known::Observed(vec![document(
            "home",
            PolicyKind::Inline,
            json!({"Version": version, "Statement": statements}),
        )]);
        world.bucket(json!([]));
        ask(&world, user, ReadObjects, BUCKET, "s3:GetObject", expected, VARIABLES);
    };
    reads_home(
        "2012-10-17",
        "arn:aws:s3:::data/${aws:username}/*",
        When("resource like [arn:aws:s3:::data/alice/*]"),
    );
    reads_home(
        "2012-10-17",
        "arn:aws:s3:::data/${aws:PrincipalTag/team, 'none'}/*",
        When("resource like [arn:aws:s3:::data/none/*]"),
    );
    reads_home("2012-10-17", "arn:aws:s3:::data/${aws:PrincipalTag/team}/*", Deny);
    reads_home(
        "2012-10-17",
        "arn:aws:s3:::data/${aws:userid}/*",
        When("resource like [arn:aws:s3:::data/${aws:userid}/*]"),
    );
    reads_home("2012-10-17", "arn:aws:s3:::${aws:username}/*", Deny);
    reads_home(
        "2008-10-17",
        "arn:aws:s3:::data/${aws:username}/*",
        When("resource like [arn:aws:s3:::data/${aws:username}/*]"),
    );
    // A role has no user name, and without a default nothing matches.
    under(VARIABLES, json!({"StringEquals": {"aws:PrincipalType": "${aws:username}"}}), Deny);
}

#[test]
fn within_an_account_either_side_suffices() {
    let by_name = json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "s3:GetObject", "Resource": OBJECTS}]);
    reads(LOGIC, json!([]), by_name, Allow);
    let by_account = json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "s3:GetObject", "Resource": OBJECTS}]);
    reads("AWS JSON policy elements: Principal", json!([]), by_account.clone(), Deny);
    reads("AWS JSON policy elements: Principal", json!([allow("s3:GetObject", OBJECTS)]), by_account, Allow);
    let everyone =
        json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": OBJECTS}]);
    reads("AWS JSON policy elements: Principal", json!([]), everyone, Allow);
    let session = json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/app/night"}, "Action": "s3:GetObject", "Resource": OBJECTS}]);
    reads("AWS JSON policy elements: Principal", json!([]), session, When("session name in [night]"));
}

#[test]
fn across_accounts_both_sides_are_needed() {
    let theirs = "arn:aws:iam::999988887777:role/reader";
    let case = |identity: Value, bucket: Value, expected| {
        let mut world = World::new();
        world.account(OTHER);
        world.role(theirs, identity);
        world.bucket(bucket);
        ask(&world, theirs, ReadObjects, BUCKET, "s3:GetObject", expected, CROSS);
    };
    let may = || json!([allow("s3:GetObject", OBJECTS)]);
    let open_to = |principal: &str| json!([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "s3:GetObject", "Resource": OBJECTS}]);
    case(may(), json!([]), Deny);
    case(json!([]), open_to(theirs), Deny);
    case(may(), open_to(theirs), Allow);
    case(may(), open_to(OTHER), Allow);
    case(may(), open_to(ACCOUNT), Deny);
}

#[test]
fn of_accounts_that_were_not_read_the_resource_side_decides() {
    let theirs = "arn:aws:iam::999988887777:role/reader";
    let open_to = |principal: Value| json!([{"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": OBJECTS}]);
    let case = |principal: Value, id: &str, expected| {
        let mut world = World::new();
        world.bucket(open_to(principal));
        ask(&world, id, ReadObjects, BUCKET, "s3:GetObject", expected, CROSS);
    };
    case(json!({"AWS": theirs}), theirs, Allow);
    case(json!({"AWS": OTHER}), "account:999988887777", Allow);
    case(json!({"Service": "logs.amazonaws.com"}), "service:logs.amazonaws.com", Allow);
    case(json!("*"), "*", Allow);
    case(
        json!({"AWS": "arn:aws:iam::111122223333:role/gone"}),
        "arn:aws:iam::111122223333:role/gone",
        Unknown("not among the observed"),
    );
    case(json!({"AWS": "AROAEXAMPLEID"}), "AROAEXAMPLEID", Deny);
    let mut world = World::new();
    let statement = json!([{"Effect": "Allow", "Principal": {"Service": "logs.amazonaws.com"}, "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}]);
    world.bucket(statement);
    ask(
        &world,
        "service:logs.amazonaws.com",
        ReadObjects,
        BUCKET,
        "",
        When("aws:SourceAccount in [111122223333]"),
        "The confused deputy problem",
    );
}

#[test]
fn a_name_in_ones_own_account_is_open_while_that_accounts_identities_were_not_read() {
    let mut world = World::new();
    world.inventory.principals.clear();
    world.bucket(json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "s3:GetObject", "Resource": OBJECTS}]));
    ask(&world, APP, ReadObjects, BUCKET, "s3:GetObject", Unknown("were not read"), LOGIC);
}

#[test]
fn a_public_access_block_stops_public_policies() {
    let page = "Blocking public access to your Amazon S3 storage";
    let open =
        || json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": OBJECTS}]);
    let mut world = World::new();
    world.bucket(open()).public_access_blocked = Known::Observed(true);
    ask(&world, "*", ReadObjects, BUCKET, "", Deny, page);
    ask(&world, APP, ReadObjects, BUCKET, "", Allow, page);
    let mut world = World::new();
    world.bucket(open()).public_access_blocked = Known::Unknown("s3:GetPublicAccessBlock was denied".into());
    ask(&world, "*", ReadObjects, BUCKET, "", Unknown("s3:GetPublicAccessBlock"), page);
    let mut world = World::new();
    let mut pinned = open();
    pinned[0]["Condition"] = json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}});
    world.bucket(pinned).public_access_blocked = Known::Observed(true);
    ask(&world, "*", ReadObjects, BUCKET, "", When("aws:SourceVpce in [vpce-1]"), page);
}

#[test]
fn a_boundary_limits_and_never_grants() {
    let case = |identity: Value, boundary: Value, bucket: Value, expected| {
        let mut world = World::new();
        world.role(APP, identity);
        world.boundary(APP, boundary);
        world.bucket(bucket);
        ask(&world, APP, ReadObjects, BUCKET, "s3:GetObject", expected, BOUNDARIES);
    };
    let may = || json!([allow("s3:GetObject", OBJECTS)]);
    let open = || json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "s3:GetObject", "Resource": OBJECTS}]);
    case(json!([]), json!([allow("*", "*")]), json!([]), Deny);
    case(may(), json!([allow("ec2:*", "*")]), json!([]), Deny);
    case(may(), json!([allow("s3:*", "*")]), json!([]), Allow);
    case(may(), json!([allow("s3:*", "*"), deny("s3:GetObject", "*")]), json!([]), Deny);
    // A bucket policy that names the role is limited by the role's boundary …
    case(json!([]), json!([allow("ec2:*", "*")]), open(), Deny);
    // … and one that names a user is not.
    let user = "arn:aws:iam::111122223333:user/alice";
    let mut world = World::new();
    world.user(user, json!([]));
    world.boundary(user, json!([allow("ec2:*", "*")]));
    world.bucket(json!([{"Effect": "Allow", "Principal": {"AWS": user}, "Action": "s3:GetObject", "Resource": OBJECTS}]));
    ask(&world, user, ReadObjects, BUCKET, "", Allow, BOUNDARIES);
    let mut world = World::new();
    world.role(APP, may()).boundary = Known::Unknown("iam:GetPolicyVersion".into());
    world.bucket(json!([]));
    ask(&world, APP, ReadObjects, BUCKET, "", Unknown("iam:GetPolicyVersion"), BOUNDARIES);
}

#[test]
fn every_level_of_service_control_must_allow() {
    let case = |levels: Value, expected| {
        let mut world = World::new();
        world.role(APP, json!([allow("s3:GetObject", OBJECTS)]));
        world.bucket(json!([]));
        world.scp(levels);
        ask(&world, APP, ReadObjects, BUCKET, "s3:GetObject", expected, SCP);
    };
    let all = || json!([allow("*", "*")]);
    case(json!([all(), all()]), Allow);
    case(json!([all(), [allow("ec2:*", "*")]]), Deny);
    case(json!([all(), [allow("*", "*"), deny("s3:*", "*")]]), Deny);
    case(
        json!([[{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}]]),
        When("aws:SourceVpce in [vpce-1]"),
    );
}

#[test]
fn the_management_account_and_service_linked_roles_are_exempt() {
    let forbidding = || json!([[allow("ec2:*", "*")]]);
    let prepared = || {
        let mut world = World::new();
        world.role(APP, json!([allow("s3:GetObject", OBJECTS)]));
        world.bucket(json!([]));
        world.scp(forbidding());
        world
    };
    let mut world = prepared();
    world.inventory.accounts[0].management = Known::Observed(true);
    ask(&world, APP, ReadObjects, BUCKET, "", Allow, SCP);
    let mut world = prepared();
    world.inventory.accounts[0].management = Known::Unknown("organizations:DescribeOrganization".into());
    ask(&world, APP, ReadObjects, BUCKET, "", Unknown("organizations:DescribeOrganization"), SCP);
    let mut world = prepared();
    world.of(APP).service_linked = true;
    ask(&world, APP, ReadObjects, BUCKET, "", Allow, SCP);
    let mut world = prepared();
    world.inventory.accounts[0].service_control =
        Known::Unknown("organizations:ListPoliciesForTarget".into());
    ask(&world, APP, ReadObjects, BUCKET, "", Unknown("organizations:ListPoliciesForTarget"), SCP);
}

#[test]
fn resource_control_binds_resources_of_the_services_it_supports() {
    let perimeter = || json!([[{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}]]);
    let theirs = "arn:aws:iam::999988887777:role/reader";
    let mut world = World::new();
    world.role(APP, json!([allow("*", "*")]));
    world.bucket(json!([{"Effect": "Allow", "Principal": {"AWS": theirs}, "Action": "s3:GetObject", "Resource": OBJECTS}]));
    world.rcp(perimeter());
    ask(&world, APP, ReadObjects, BUCKET, "", Allow, RCP);
    ask(&world, theirs, ReadObjects, BUCKET, "", When("aws:PrincipalOrgID in [o-example]"), RCP);
    world.rcp(json!([[{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]]));
    world.host();
    ask(&world, APP, ReadObjects, BUCKET, "", Deny, RCP);
    // EC2 and SSM are not among the services.
    ask(&world, APP, OperateHost, HOST, "ssm:StartSession", Allow, RCP);
}

/// Whether `app` decrypts, given its statements and the key's.
#[track_caller]
fn decrypts(page: &str, identity: Value, key: Value, expected: Expect) {
    let mut world = World::new();
    world.role(APP, identity);
    world.key(key);
    ask(&world, APP, Decrypt, KEY, "kms:Decrypt", expected, page);
}

#[test]
fn without_the_key_policy_identity_policies_do_not_count() {
    let may = || json!([allow("kms:Decrypt", "*")]);
    let root = || json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]);
    let name =
        || json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "kms:Decrypt", "Resource": "*"}]);
    decrypts(
        KEY_POLICY,
        may(),
        json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/b"}, "Action": "kms:*", "Resource": "*"}]),
        Deny,
    );
    decrypts(KEY_POLICY, may(), root(), Allow);
    decrypts(KEY_POLICY, json!([]), root(), Deny);
    decrypts(KEY_POLICY, json!([]), name(), Allow);
    decrypts(KEY_POLICY, json!([deny("kms:Decrypt", "*")]), name(), Deny);
    let via = json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": "s3.eu-central-1.amazonaws.com"}}}]);
    decrypts(
        "AWS KMS condition keys",
        json!([]),
        via,
        When("kms:ViaService in [s3.eu-central-1.amazonaws.com]"),
    );
    decrypts(
        "AWS KMS condition keys",
        json!([{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/data"}}}]),
        root(),
        Allow,
    );
    decrypts(
        "AWS KMS condition keys",
        json!([{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/logs"}}}]),
        root(),
        Deny,
    );
}

#[test]
fn grants_allow_on_their_own_and_denies_still_win() {
    let nobody = || json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/b"}, "Action": "kms:*", "Resource": "*"}]);
    let with = |granted: cadastre_model::asset::keys::Grant, key: Value| {
        let mut world = World::new();
        world.key(key).grants = Known::Observed(vec![granted]);
        world
    };
    ask(&with(grant(APP, &["Decrypt"]), nobody()), APP, Decrypt, KEY, "kms:Decrypt", Allow, GRANTS);
    ask(&with(grant(APP, &["Encrypt"]), nobody()), APP, Decrypt, KEY, "", Deny, GRANTS);
    ask(&with(grant(APP, &["CreateGrant"]), nobody()), APP, ManageKey, KEY, "kms:CreateGrant", Allow, GRANTS);
    let theirs = "arn:aws:iam::999988887777:role/reader";
    ask(&with(grant(theirs, &["Decrypt"]), nobody()), theirs, Decrypt, KEY, "", Allow, GRANTS);
    ask(
        &with(grant("ec2.eu-central-1.amazonaws.com", &["Decrypt"]), nobody()),
        "service:ec2.eu-central-1.amazonaws.com",
        Decrypt,
        KEY,
        "",
        Allow,
        GRANTS,
    );
    let mut narrow = grant(APP, &["Decrypt"]);
    narrow.constrained = true;
    narrow.constraints = json!({"EncryptionContextEquals": {"aws:ebs:id": "vol-1"}});
    ask(
        &with(narrow, nobody()),
        APP,
        Decrypt,
        KEY,
        "",
        When(r#"encryption context in [{"EncryptionContextEquals":{"aws:ebs:id":"vol-1"}}]"#),
        GRANTS,
    );
    let refusing = json!([{"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}]);
    ask(&with(grant(APP, &["Decrypt"]), refusing), APP, Decrypt, KEY, "", Deny, GRANTS);
    let mut world = with(grant(APP, &["Decrypt"]), nobody());
    world.inventory.keys[0].grants = Known::Unknown("kms:ListGrants was denied".into());
    assert!(world.evaluate().unknown.contains(&(KEY.to_owned(), "kms:ListGrants was denied".to_owned())));
}

#[test]
fn key_administration_is_its_own_capability() {
    let key = json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"], "Resource": "*"}]);
    let mut world = World::new();
    world.key(key);
    ask(&world, APP, ManageKey, KEY, "kms:PutKeyPolicy", Allow, KEY_POLICY);
    ask(&world, APP, ManageKey, KEY, "kms:ScheduleKeyDeletion", Allow, KEY_POLICY);
    ask(&world, APP, ManageKey, KEY, "kms:CreateGrant", Deny, KEY_POLICY);
    ask(&world, APP, Decrypt, KEY, "", Deny, KEY_POLICY);
}

#[test]
fn a_key_that_aws_manages_answers_to_those_its_policy_names() {
    let mut world = World::new();
    world.role(APP, json!([allow("*", "*")]));
    let key = world.key(json!([{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}}}]));
    key.manager = Known::Observed("AWS".into());
    ask(&world, "*", Decrypt, KEY, "", When("kms:CallerAccount in [111122223333]"), "AWS managed keys");
    ask(&world, APP, Decrypt, KEY, "", Deny, "AWS managed keys");
}

#[test]
fn the_managed_read_only_policy_reads_objects() {
    // An extract of the AWS managed policy ReadOnlyAccess.
    reads(
        "AWS managed policies: ReadOnlyAccess",
        json!([{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*", "kms:Describe*", "kms:Get*"], "Resource": "*"}]),
        json!([]),
        Allow,
    );
    decrypts(
        "AWS managed policies: ReadOnlyAccess",
        json!([{"Effect": "Allow", "Action": ["s3:Get*", "kms:Describe*", "kms:Get*", "kms:List*"], "Resource": "*"}]),
        json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}]),
        Deny,
    );
}

#[test]
fn trust_decides_who_becomes_a_role() {
    let target = "arn:aws:iam::111122223333:role/power";
    let case = |who: &str, identity: Value, trust: Value, expected| {
        let mut world = World::new();
        world.role(target, json!([]));
        world.trust(target, json!([{"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}]));
        world.role(APP, identity);
        ask(&world, who, Assume, target, "sts:AssumeRole", expected, TRUST);
    };
    let may = || json!([allow("sts:AssumeRole", "*")]);
    case(APP, may(), json!({"AWS": "arn:aws:iam::111122223333:role/b"}), Deny);
    case(APP, json!([]), json!({"AWS": APP}), Allow);
    case(APP, json!([]), json!({"AWS": ACCOUNT}), Deny);
    case(APP, may(), json!({"AWS": ACCOUNT}), Allow);
    case("account:999988887777", json!([]), json!({"AWS": "arn:aws:iam::999988887777:root"}), Allow);
    case("service:ec2.amazonaws.com", json!([]), json!({"Service": "ec2.amazonaws.com"}), Allow);
    let mut world = World::new();
    world.trust(APP, json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:role/v"}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "x1"}}}]));
    ask(
        &world,
        "arn:aws:iam::999988887777:role/v",
        Assume,
        APP,
        "",
        When("sts:ExternalId in [x1]"),
        "Access to AWS accounts owned by third parties",
    );
    let provider = "arn:aws:iam::111122223333:oidc-provider/token.ci.example.com";
    world.trust(APP, json!([{"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"token.ci.example.com:aud": "sts.amazonaws.com"}}}]));
    ask(
        &world,
        &format!("federated:{provider}"),
        Assume,
        APP,
        "sts:AssumeRoleWithWebIdentity",
        When("token.ci.example.com:aud in [sts.amazonaws.com]"),
        "Create a role for OpenID Connect federation",
    );
    let access = world.evaluate();
    let trust = access.trusts.iter().find(|trust| trust.role == APP).unwrap();
    assert_eq!(trust.condition_keys, ["token.ci.example.com:aud"]);
    assert_eq!(trust.account.as_deref(), Some(ACCOUNT));
}

#[test]
fn disks_are_read_through_snapshots() {
    let page = "Actions, resources, and condition keys for Amazon EC2";
    let case = |statements: Value, target: &str, expected| {
        let mut world = World::new();
        world.role(APP, statements);
        world.volume();
        world.snapshot(&[]);
        ask(&world, APP, ReadObjects, target, "", expected, page);
    };
    case(json!([allow("ec2:CreateSnapshot", "*")]), VOLUME, Deny);
    case(json!([allow("ec2:CreateSnapshot", "*"), allow("ebs:GetSnapshotBlock", "*")]), VOLUME, Allow);
    case(json!([allow("ec2:CreateSnapshot", "*"), allow("ec2:ModifySnapshotAttribute", "*")]), VOLUME, Allow);
    case(json!([allow("ebs:GetSnapshotBlock", "arn:aws:ec2:*::snapshot/*")]), SNAPSHOT, Allow);
    case(json!([allow("ec2:DeleteSnapshot", "*")]), SNAPSHOT, Deny);
}

#[test]
fn a_shared_snapshot_is_read_by_whom_it_is_shared_with() {
    let page = "Share an Amazon EBS snapshot with other AWS accounts";
    let mut world = World::new();
    world.snapshot(&[OTHER]);
    ask(&world, "account:999988887777", ReadObjects, SNAPSHOT, "", Allow, page);
    let mut world = World::new();
    world.snapshot(&["all"]);
    ask(&world, "*", ReadObjects, SNAPSHOT, "", Allow, page);
}

#[test]
fn hosts_are_operated_where_their_tags_allow() {
    let page = "Controlling access to AWS resources using tags";
    let case = |value: &str, expected| {
        let mut world = World::new();
        world.role(APP, json!([{"Effect": "Allow", "Action": "ssm:StartSession", "Resource": "arn:aws:ec2:*:111122223333:instance/*", "Condition": {"StringEquals": {"aws:ResourceTag/cluster": value}}}]));
        world.host();
        ask(&world, APP, OperateHost, HOST, "ssm:StartSession", expected, page);
    };
    case("payments", Allow);
    case("orders", Deny);
    let mut world = World::new();
    world.role(APP, json!([{"Effect": "Allow", "Action": "ssm:StartSession", "Resource": "*", "Condition": {"StringEquals": {"ssm:resourceTag/team": "kafka"}}}]));
    world.host();
    ask(&world, APP, OperateHost, HOST, "ssm:StartSession", Deny, page);
}

#[test]
fn a_principal_tag_of_a_role_is_known_and_others_may_come_with_the_session() {
    let case = |tags: &[(&str, &str)], expected| {
        let mut world = World::new();
        let condition = json!({"StringEquals": {"aws:PrincipalTag/team": "kafka"}});
        world.role(APP, json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS, "Condition": condition}])).tags =
            tags.iter().map(|(key, value)| tag(key, value)).collect();
        world.bucket(json!([]));
        ask(&world, APP, ReadObjects, BUCKET, "s3:GetObject", expected, "Pass session tags in AWS STS");
    };
    case(&[("team", "kafka")], Allow);
    case(&[("Team", "web")], Deny);
    case(&[], When("aws:PrincipalTag/team in [kafka]"));
}

#[test]
fn deleting_needs_no_permission_to_delete() {
    let mut world = World::new();
    world.role(APP, json!([allow("s3:PutLifecycleConfiguration", BUCKET)]));
    world.bucket(json!([]));
    ask(
        &world,
        APP,
        WriteObjects,
        BUCKET,
        "s3:PutLifecycleConfiguration",
        Allow,
        "Managing the lifecycle of objects",
    );
    // Only a bucket that receives logs has logs to alter.
    ask(&world, APP, AlterLogs, BUCKET, "", Deny, "Managing the lifecycle of objects");
}

#[test]
fn passing_a_role_to_a_service_is_becoming_it() {
    let page = "Grant a user permissions to pass a role to an AWS service";
    let target = "arn:aws:iam::111122223333:role/broker";
    let case = |statements: Value, service: &str, expected| {
        let mut world = World::new();
        world.bucket(json!([]));
        world.role(target, json!([allow("s3:GetObject", OBJECTS)])).instance_profiles =
            vec!["arn:aws:iam::111122223333:instance-profile/broker".into()];
        world.trust(
            target,
            json!([{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]),
        );
        world.role(APP, statements);
        ask(&world, APP, Assume, target, "", expected, page);
    };
    let both = || json!([allow("iam:PassRole", "*"), allow("ec2:RunInstances", "*")]);
    case(both(), "ec2.amazonaws.com", Allow);
    case(both(), "lambda.amazonaws.com", Deny);
    case(json!([allow("iam:PassRole", "*")]), "ec2.amazonaws.com", Deny);
    case(json!([allow("ec2:RunInstances", "*")]), "ec2.amazonaws.com", Deny);
    let limited = |service: &str| json!([{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringLike": {"iam:PassedToService": service}}}, allow("ec2:RunInstances", "*")]);
    case(limited("ec2.amazonaws.com*"), "ec2.amazonaws.com", Allow);
    case(limited("lambda.amazonaws.com"), "ec2.amazonaws.com", Deny);
    // Launching in one place only is launching: which instance it will be is the caller's choice.
    let one_region =
        json!([allow("iam:PassRole", "*"), allow("ec2:RunInstances", "arn:aws:ec2:eu-central-1:*:*")]);
    case(one_region, "ec2.amazonaws.com", Allow);
}

#[test]
fn changing_the_policy_of_what_one_is_comes_before_reading() {
    let page = "Policies and permissions in IAM";
    let mut world = World::new();
    world.role(APP, json!([allow("iam:PutRolePolicy", APP)]));
    world.bucket(json!([]));
    world
        .key(json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}]));
    ask(&world, APP, ReadObjects, BUCKET, "", Deny, page);
    ask(&world, APP, ChangePolicy, APP, "iam:PutRolePolicy", Allow, page);
    ask(&world, APP, ChangePolicy, BUCKET, "iam:PutRolePolicy", Allow, page);
    ask(&world, APP, ChangePolicy, KEY, "iam:PutRolePolicy", Allow, page);
    world.boundary(APP, json!([allow("ec2:*", "*"), allow("iam:*", "*")]));
    ask(&world, APP, ChangePolicy, BUCKET, "", Deny, BOUNDARIES);
    // Inside a boundary that allows S3 and KMS it is two steps to the data.
    world.boundary(APP, json!([allow("iam:*", "*"), allow("s3:*", "*"), allow("kms:*", "*")]));
    ask(&world, APP, ChangePolicy, BUCKET, "iam:PutRolePolicy", Allow, BOUNDARIES);
    // And a boundary that can be taken off is none.
    world.role(APP, json!([allow("iam:DeleteRolePermissionsBoundary", APP), allow("s3:GetObject", "*")]));
    world.boundary(APP, json!([allow("iam:*", "*")]));
    ask(&world, APP, ReadObjects, BUCKET, "", Deny, BOUNDARIES);
    ask(&world, APP, ChangePolicy, BUCKET, "iam:DeleteRolePermissionsBoundary", Allow, BOUNDARIES);
}

#[test]
fn an_attached_policy_that_can_be_versioned_changes_what_its_role_may() {
    let mut world = World::new();
    let name = "arn:aws:iam::111122223333:policy/app";
    world.role(APP, json!([])).policies = Known::Observed(vec![document(
        name,
        PolicyKind::Managed,
        policy(json!([allow("iam:CreatePolicyVersion", name)])),
    )]);
    world.bucket(json!([]));
    ask(&world, APP, ChangePolicy, APP, "iam:CreatePolicyVersion", Allow, "Versioning IAM policies");
    ask(&world, APP, ChangePolicy, BUCKET, "iam:CreatePolicyVersion", Allow, "Versioning IAM policies");
}

#[test]
fn whoever_makes_a_users_access_key_becomes_the_user() {
    let user = "arn:aws:iam::111122223333:user/alice";
    let mut world = World::new();
    world.bucket(json!([]));
    world.user(user, json!([allow("s3:GetObject", OBJECTS)]));
    world.role(APP, json!([allow("iam:CreateAccessKey", "*")]));
    ask(&world, APP, Assume, user, "iam:CreateAccessKey", Allow, "Manage access keys for IAM users");
}

#[test]
fn every_statement_of_an_edge_is_needed_and_each_reason_is_an_edge() {
    let mut world = World::new();
    world.role(APP, json!([allow("s3:GetObject", OBJECTS), allow("s3:*", "*")]));
    world.bucket(json!([]));
    let access = world.evaluate();
    let edges: Vec<_> = access
        .edges
        .iter()
        .filter(|edge| edge.capability == ReadObjects && edge.action == "s3:GetObject")
        .collect();
    assert_eq!(edges.len(), 2, "{edges:?}");
    assert!(edges.iter().all(|edge| edge.statements.len() == 1 && edge.decision == Decision::Allow));
    let mut world = World::new();
    world.role(APP, json!([allow("kms:Decrypt", "*")]));
    world
        .key(json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}]));
    let access = world.evaluate();
    let edge = access.edges.iter().find(|edge| edge.action == "kms:Decrypt").unwrap();
    assert_eq!(edge.statements.len(), 2, "the key policy and the identity policy: {edge:?}");
}

#[test]
fn identity_statements_are_listed_as_written() {
    let mut world = World::new();
    world.role(APP, json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}]));
    let access = world.evaluate();
    let statement = access.statements.first().unwrap();
    assert_eq!(statement.not_actions, ["iam:*"]);
    assert!(statement.actions.is_empty());
    assert_eq!(statement.condition_keys, ["aws:multifactorauthpresent"]);
    assert_eq!(statement.at.pointer, "/response/Policy/Statement/0");
}
