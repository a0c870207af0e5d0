//! Corners of the rules, worked out by hand from AWS's documentation: what is easily got wrong where rules meet. Pages are
//! named as in the other vectors.

use cadastre_access::batch::Outcome;
use serde_json::{Value, json};

use crate::support::*;

const LOGIC: &str = "IAM, Policy evaluation logic";
const ACROSS: &str = "IAM, Cross-account policy evaluation logic";
const OPERATORS: &str = "IAM, IAM JSON policy elements: Condition operators";
const SETS: &str = "IAM, Set operators for multivalued context keys";
const VARIABLES: &str = "IAM, IAM policy elements: Variables and tags";
const ROOT_OF_ALL: &str = "IAM, AWS account root user";
const SCPS: &str = "ORG, SCP evaluation";
const RCPS: &str = "ORG, RCP evaluation";
const CONSTRAINTS: &str = "KMS, Using grant constraints";

fn get(principal: &str) -> Ask {
    ask(principal, "s3:GetObject", OBJECT)
}

/// What a user is answered whose policy allows under a condition.
#[track_caller]
fn under(page: &str, condition: Value, context: Value, expected: Outcome) {
    get(USER).identity(when(may("s3:*"), condition)).context(context).is(page, expected);
}

fn full() -> Value {
    policy(may("*"))
}

#[test]
fn a_key_that_is_not_there_is_absent_or_open_as_the_case_says() {
    let limited = || when(may("s3:*"), json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}));
    get(USER).identity(limited()).deny(LOGIC);
    get(USER).identity(limited()).open().when(LOGIC, "aws:SourceVpce in [vpce-1]");
    get(USER).identity(limited()).open().context(json!({"aws:sourcevpce": "vpce-1"})).allow(LOGIC);
    get(USER).identity(limited()).open().context(json!({"aws:SourceVpce": "vpce-2"})).deny(LOGIC);
    get(USER).identity(may("s3:*")).open().allow(LOGIC);
    get(USER).identity(json!([limited(), not("s3:GetObject")])).open().deny(LOGIC);
    let outside = when(not("s3:*"), json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}));
    get(USER).identity(json!([may("s3:*"), outside.clone()])).deny(LOGIC);
    get(USER).identity(json!([may("s3:*"), outside])).open().when(LOGIC, "aws:SourceVpce in [vpce-1]");
    // A second way that asks for nothing settles it.
    get(USER).identity(json!([limited(), may("s3:Get*")])).open().allow(LOGIC);
    // Whatever the key is, one of the two holds.
    let opposite = when(may("s3:*"), json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}));
    get(USER).identity(json!([limited(), opposite])).open().allow(LOGIC);
}

#[test]
fn every_level_of_an_organization_has_to_allow() {
    let user = || get(USER).identity(may("s3:*"));
    user().scp(json!([])).allow(SCPS);
    user().scp(json!([[]])).deny(SCPS);
    user().scp(json!([[full()], []])).deny(SCPS);
    user().scp(json!([[full()], [policy(may("ec2:*"))]])).deny(SCPS);
    user().scp(json!([[full()], [policy(may("ec2:*")), policy(may("s3:Get*"))]])).allow(SCPS);
    user().scp(json!([[full(), policy(not("s3:*"))], [full()]])).deny(SCPS);
    let other_than_reading = json!({"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"});
    user().scp(json!([[full(), policy(other_than_reading)]])).allow(SCPS);
    let within = json!({"StringEquals": {"aws:RequestedRegion": "eu-central-1"}});
    let limited = || json!([[policy(when(may("*"), within.clone()))]]);
    user().scp(limited()).deny(SCPS);
    user().scp(limited()).context(json!({"aws:RequestedRegion": "eu-central-1"})).allow(SCPS);
    // They grant nothing.
    get(USER).scp(json!([[full()]])).deny(SCPS);
    // What a resource's policy grants to a principal of the organization is bound as well.
    get(USER).resource(lets(aws(USER), "s3:*")).scp(json!([[policy(may("ec2:*"))]])).deny(SCPS);
}

#[test]
fn resource_control_binds_strangers_and_root_where_the_service_supports_it() {
    let refuses = || json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    get("*").resource(lets(json!("*"), "s3:*")).rcp(refuses()).deny(RCPS);
    get(ROOT).rcp(refuses()).deny(RCPS);
    ask(USER, "ec2:StartInstances", "*").identity(may("ec2:*")).rcp(refuses()).allow(RCPS);
    ask(USER, "sns:Publish", "arn:aws:sns:us-east-1:111122223333:t")
        .identity(may("sns:*"))
        .rcp(refuses())
        .allow(RCPS);
    ask(USER, "kms:Decrypt", KEY).identity(may("kms:*")).resource(delegating()).rcp(refuses()).deny(RCPS);
    // Without the policy that allows everything a level allows nothing.
    get(USER).identity(may("s3:*")).with("rcp", json!([[]])).deny(RCPS);
    ask(USER, "ec2:StartInstances", "*").identity(may("ec2:*")).with("rcp", json!([[]])).allow(RCPS);
    let elsewhere = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}});
    let user = || get(USER).identity(may("s3:*")).rcp(elsewhere.clone());
    user().context(json!({"aws:PrincipalOrgID": "o-1", "aws:PrincipalIsAWSService": "false"})).allow(RCPS);
    user().context(json!({"aws:PrincipalOrgID": "o-2", "aws:PrincipalIsAWSService": "false"})).deny(RCPS);
}

#[test]
fn root_has_everything_that_nothing_denies() {
    get(ROOT).allow(ROOT_OF_ALL);
    get(ROOT).scp(json!([[policy(may("ec2:*"))]])).deny(ROOT_OF_ALL);
    get(ROOT).scp(json!([[full(), policy(not("s3:GetObject"))]])).deny(ROOT_OF_ALL);
    let refuses = json!({"Effect": "Deny", "Principal": {"AWS": ROOT}, "Action": "s3:*", "Resource": "*"});
    get(ROOT).resource(refuses).deny(ROOT_OF_ALL);
    // Another account's root needs to be let in, by its account's name.
    get(OTHER_ROOT).deny(ACROSS);
    get(OTHER_ROOT).resource(lets(aws("444455556666"), "s3:*")).allow(ACROSS);
    // Its own key's policy still has to name the account.
    ask(ROOT, "kms:Decrypt", KEY).resource(lets(aws(USER), "kms:*")).deny("KMS, Key policies in AWS KMS");
    ask(ROOT, "kms:Decrypt", KEY).resource(delegating()).allow("KMS, Key policies in AWS KMS");
}

#[test]
fn whoever_does_not_sign_is_let_in_by_everybody_alone() {
    let page = "IAM, AWS JSON policy elements: Principal, All principals";
    get("*").deny(page);
    get("*").resource(lets(json!("*"), "s3:GetObject")).allow(page);
    get("*").resource(lets(json!({"AWS": "*"}), "s3:GetObject")).allow(page);
    get("*").resource(lets(aws(ROOT), "s3:GetObject")).deny(page);
    get("*").resource(lets(json!({"Service": "s3.amazonaws.com"}), "s3:GetObject")).deny(page);
    get("*").identity(may("s3:*")).deny(page);
    let from =
        |range: &str| when(lets(json!("*"), "s3:GetObject"), json!({"IpAddress": {"aws:SourceIp": range}}));
    let asked = |range: &str| get("*").resource(from(range)).context(json!({"aws:SourceIp": "192.0.2.9"}));
    asked("192.0.2.0/24").allow(page);
    asked("198.51.100.0/24").deny(page);
    let signed = when(lets(json!("*"), "s3:*"), json!({"Null": {"aws:PrincipalArn": "false"}}));
    get("*").resource(signed).deny(page);
    let but_ann =
        json!({"Effect": "Allow", "NotPrincipal": {"AWS": USER}, "Action": "s3:*", "Resource": "*"});
    get("*").resource(but_ann.clone()).allow("IAM, AWS JSON policy elements: NotPrincipal");
    get(USER).resource(but_ann).deny("IAM, AWS JSON policy elements: NotPrincipal");
    // Organizations' policies for principals do not bind whoever is in no account.
    get("*").resource(lets(json!("*"), "s3:*")).scp(json!([[]])).allow(SCPS);
}

#[test]
fn addresses_belong_to_their_family() {
    use Outcome::{Allow, Deny};
    let six = || json!({"aws:SourceIp": "2001:db8::1"});
    let four = || json!({"aws:SourceIp": "203.0.113.7"});
    under(OPERATORS, json!({"IpAddress": {"aws:SourceIp": "::/0"}}), four(), Deny);
    under(OPERATORS, json!({"IpAddress": {"aws:SourceIp": "::/0"}}), six(), Allow);
    under(OPERATORS, json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), six(), Deny);
    under(OPERATORS, json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}}), six(), Allow);
    under(OPERATORS, json!({"NotIpAddress": {"aws:SourceIp": "::/0"}}), four(), Allow);
    under(OPERATORS, json!({"IpAddress": {"aws:SourceIp": "203.0.113.7"}}), four(), Allow);
    under(OPERATORS, json!({"IpAddress": {"aws:SourceIp": "203.0.113.99/24"}}), four(), Allow);
    under(OPERATORS, json!({"IpAddress": {"aws:SourceIp": "2001:DB8:0:0::/64"}}), six(), Allow);
    under(OPERATORS, json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), json!({}), Allow);
    under(OPERATORS, json!({"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}), json!({}), Allow);
}

#[test]
fn numbers_dates_and_flags_are_compared_as_such() {
    use Outcome::{Allow, Deny};
    let age = |value: Value| json!({"aws:MultiFactorAuthAge": value});
    under(OPERATORS, json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}), age(json!(299)), Allow);
    under(OPERATORS, json!({"NumericLessThan": {"aws:MultiFactorAuthAge": 300}}), age(json!("300")), Deny);
    under(
        OPERATORS,
        json!({"NumericLessThanEquals": {"aws:MultiFactorAuthAge": 300}}),
        age(json!("300.0")),
        Allow,
    );
    under(OPERATORS, json!({"NumericEquals": {"aws:MultiFactorAuthAge": "1e2"}}), age(json!(100)), Allow);
    under(OPERATORS, json!({"NumericGreaterThan": {"aws:MultiFactorAuthAge": "9"}}), age(json!("10")), Allow);
    under(OPERATORS, json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}), json!({}), Deny);
    let now = |value: Value| json!({"aws:CurrentTime": value});
    let before = || json!({"DateLessThan": {"aws:CurrentTime": "2026-07-01T00:00:00Z"}});
    under(OPERATORS, before(), now(json!("2026-06-30T23:59:59Z")), Allow);
    under(OPERATORS, before(), now(json!("2026-07-01T00:00:00Z")), Deny);
    under(OPERATORS, before(), now(json!("2026-07-01T01:00:00+02:00")), Allow);
    under(
        OPERATORS,
        json!({"DateGreaterThan": {"aws:EpochTime": "2026-07-01T00:00:00Z"}}),
        json!({"aws:EpochTime": 1_782_864_001}),
        Allow,
    );
    under(
        OPERATORS,
        json!({"DateGreaterThanEquals": {"aws:EpochTime": "1782864000"}}),
        json!({"aws:EpochTime": "1782864000"}),
        Allow,
    );
    let through = |value: Value| json!({"aws:ViaAWSService": value});
    under(OPERATORS, json!({"Bool": {"aws:ViaAWSService": "true"}}), through(json!(true)), Allow);
    under(OPERATORS, json!({"Bool": {"aws:ViaAWSService": true}}), through(json!("True")), Allow);
    under(OPERATORS, json!({"Bool": {"aws:ViaAWSService": "false"}}), through(json!(true)), Deny);
    under(OPERATORS, json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}}), json!({}), Deny);
    under(OPERATORS, json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}), json!({}), Allow);
}

#[test]
fn names_of_keys_and_actions_have_no_case_and_values_have() {
    use Outcome::{Allow, Deny};
    let tagged = |value: &str| json!({"aws:PrincipalTag/Team": value});
    under(OPERATORS, json!({"StringEquals": {"AWS:principaltag/team": "red"}}), tagged("red"), Allow);
    under(OPERATORS, json!({"StringEquals": {"aws:PrincipalTag/team": "red"}}), tagged("Red"), Deny);
    under(
        OPERATORS,
        json!({"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "red"}}),
        tagged("Red"),
        Allow,
    );
    under(OPERATORS, json!({"StringLike": {"aws:PrincipalTag/team": "R?d*"}}), tagged("red"), Deny);
    under(OPERATORS, json!({"StringLike": {"aws:PrincipalTag/team": "R?d*"}}), tagged("Red"), Allow);
    under(OPERATORS, json!({"StringEquals": {"aws:PrincipalTag/team": "R*"}}), tagged("Red"), Deny);
    under(OPERATORS, json!({"stringequals": {"aws:PrincipalTag/team": "Red"}}), tagged("Red"), Allow);
    let page = "IAM, IAM JSON policy elements: Action";
    get(USER).identity(may("S3:getOBJECT")).allow(page);
    get(USER).identity(may("s3:Get?bject")).allow(page);
    get(USER).identity(may("s3:*Acl")).deny(page);
    let of = |resource: &str| json!({"Effect": "Allow", "Action": "s3:*", "Resource": resource});
    get(USER).identity(of("arn:aws:s3:::data/Logs/a")).deny("IAM, IAM JSON policy elements: Resource");
    get(USER).identity(of("arn:aws:s3:::data/logs/?")).allow("IAM, IAM JSON policy elements: Resource");
}

#[test]
fn wildcards_of_arns_stay_within_their_part() {
    use Outcome::{Allow, Deny};
    let source = || json!({"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:topic:a"});
    under(OPERATORS, json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:topic:*"}}), source(), Allow);
    under(OPERATORS, json!({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}), source(), Allow);
    under(OPERATORS, json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:topic:*"}}), source(), Deny);
    under(
        OPERATORS,
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:s*:us-east-?:111122223333:*"}}),
        source(),
        Allow,
    );
    under(OPERATORS, json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:sqs:*:*:*"}}), source(), Allow);
    under(OPERATORS, json!({"ArnNotEquals": {"aws:SourceArn": "arn:aws:sqs:*:*:*"}}), json!({}), Allow);
    // `StringLike` knows no parts.
    under(OPERATORS, json!({"StringLike": {"aws:SourceArn": "arn:aws:sns:*:topic:*"}}), source(), Allow);
}

#[test]
fn set_operators_look_at_each_value() {
    use Outcome::{Allow, Deny};
    let keys = |values: Value| json!({"aws:TagKeys": values});
    let all = || json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}});
    under(SETS, all(), keys(json!(["a"])), Allow);
    under(SETS, all(), keys(json!(["a", "b"])), Allow);
    under(SETS, all(), keys(json!(["a", "c"])), Deny);
    under(SETS, all(), keys(json!("a")), Allow);
    // Present, and all of a list: the absent key that the first lets through is stopped by the second.
    let both =
        || json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}, "Null": {"aws:TagKeys": "false"}});
    under(SETS, both(), json!({}), Deny);
    under(SETS, both(), keys(json!(["a"])), Allow);
    let any = || json!({"ForAnyValue:StringLike": {"aws:CalledVia": ["ath*"]}});
    under(
        SETS,
        any(),
        json!({"aws:CalledVia": ["cloudformation.amazonaws.com", "athena.amazonaws.com"]}),
        Allow,
    );
    under(SETS, any(), json!({"aws:CalledVia": ["cloudformation.amazonaws.com"]}), Deny);
    let none = || json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["secret"]}});
    under(SETS, none(), keys(json!(["a", "secret"])), Deny);
    under(SETS, none(), keys(json!(["a"])), Allow);
    under(OPERATORS, json!({"Null": {"aws:TokenIssueTime": "true"}}), json!({}), Allow);
    under(
        OPERATORS,
        json!({"Null": {"aws:TokenIssueTime": "true"}}),
        json!({"aws:TokenIssueTime": "2026-07-01T00:00:00Z"}),
        Deny,
    );
}

#[test]
fn variables_take_their_default_only_where_the_key_is_absent() {
    let home = |text: &str| json!({"Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::data/{text}/a")});
    let asked = |text: &str, context: Value| get(USER).identity(home(text)).context(context);
    let logs = || json!({"aws:PrincipalTag/home": "logs"});
    asked("${aws:PrincipalTag/home, 'public'}", logs()).allow(VARIABLES);
    asked("${aws:PrincipalTag/Home}", logs()).allow(VARIABLES);
    asked("${aws:PrincipalTag/home, 'logs'}", json!({})).allow(VARIABLES);
    asked("${aws:PrincipalTag/home,'logs'}", json!({})).allow(VARIABLES);
    asked("${aws:PrincipalTag/home, 'logs'}", json!({"aws:PrincipalTag/home": "other"})).deny(VARIABLES);
    asked("${aws:PrincipalTag/home}", json!({"aws:PrincipalTag/home": "*"})).deny(VARIABLES);
    // Several values are none that could be put in.
    asked("${aws:TagKeys}", json!({"aws:TagKeys": ["logs", "x"]})).deny(VARIABLES);
    asked("${aws:PrincipalTag/home}", json!({}))
        .open()
        .when(VARIABLES, "resource like [arn:aws:s3:::data/${aws:PrincipalTag/home}/a]");
    let same = json!({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}});
    let tags = |own: &str, its: &str| json!({"aws:PrincipalTag/team": own, "aws:ResourceTag/team": its});
    under(VARIABLES, same.clone(), tags("red", "red"), Outcome::Allow);
    under(VARIABLES, same.clone(), tags("red", "Red"), Outcome::Deny);
    under(VARIABLES, same, json!({}), Outcome::Deny);
}

#[test]
fn constraints_of_grants_compare_keys_and_values_to_the_letter() {
    let decrypt = |kind: &str, context: Value| {
        let pairs = json!({"dept": "it"});
        ask(SESSION, "kms:Decrypt", KEY)
            .grant(constrained(grant(ROLE, &["Decrypt"]), kind, pairs))
            .context(context)
    };
    let dept = "kms:EncryptionContext:dept";
    decrypt("EncryptionContextSubset", json!({dept: "it"})).allow(CONSTRAINTS);
    decrypt("EncryptionContextSubset", json!({dept: "it", "kms:EncryptionContext:x": "1"}))
        .allow(CONSTRAINTS);
    decrypt("EncryptionContextSubset", json!({dept: "IT"})).deny(CONSTRAINTS);
    decrypt("EncryptionContextSubset", json!({"kms:EncryptionContext:Dept": "it"})).deny(CONSTRAINTS);
    decrypt("EncryptionContextSubset", json!({})).deny(CONSTRAINTS);
    decrypt("EncryptionContextEquals", json!({dept: "it"})).allow(CONSTRAINTS);
    decrypt("EncryptionContextEquals", json!({dept: "it", "kms:EncryptionContext:x": "1"})).deny(CONSTRAINTS);
    decrypt("EncryptionContextEquals", json!({})).deny(CONSTRAINTS);
    let page = "KMS, Grants in AWS KMS, Grantee principal";
    let to = |grantee: &str| ask(SESSION, "kms:Decrypt", KEY).grant(grant(grantee, &["Decrypt"]));
    to(ROLE).allow(page);
    to(SESSION).allow(page);
    to("arn:aws:sts::111122223333:assumed-role/app/two").deny(page);
    to("arn:aws:iam::444455556666:role/app").deny(page);
    to(ROLE).scp(json!([[policy(may("s3:*"))]])).deny("KMS, Grants in AWS KMS; SCP evaluation");
    ask(SESSION, "kms:Encrypt", KEY).grant(grant(ROLE, &["Decrypt"])).deny(page);
}

#[test]
fn across_accounts_both_sides_are_needed_within_every_limit() {
    let other = "arn:aws:sts::444455556666:assumed-role/batch/one";
    let role = "arn:aws:iam::444455556666:role/batch";
    let eve = |named: &str| get(other).resource(lets(aws(named), "s3:GetObject"));
    eve(role).deny(ACROSS);
    eve(role).identity(may("s3:*")).allow(ACROSS);
    eve("444455556666").identity(may("s3:*")).allow(ACROSS);
    eve(role).identity(may("s3:*")).session(may("ec2:*")).deny(ACROSS);
    eve(role).identity(may("s3:*")).boundary(may("ec2:*")).deny(ACROSS);
    // Naming the session itself spares it the resource's side only.
    eve(other).deny(ACROSS);
    eve(other).identity(may("s3:*")).allow(ACROSS);
    eve(other).identity(may("s3:*")).session(may("ec2:*")).deny(ACROSS);
    eve(role).identity(may("s3:*")).scp(json!([[policy(may("ec2:*"))]])).deny(ACROSS);
    get(other).identity(may("s3:*")).deny(ACROSS);
}

#[test]
fn what_passes_an_endpoint_has_to_be_allowed_there_too() {
    let page = "AWS PrivateLink Guide, Control access to VPC endpoints using endpoint policies";
    let user = || get(USER).identity(may("s3:*"));
    let through = |statement: Value| user().with("endpoint", policy(statement));
    through(lets(json!("*"), "*")).allow(page);
    through(lets(json!("*"), "s3:PutObject")).deny(page);
    through(json!([lets(json!("*"), "*"), {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]))
        .deny(page);
    let own = json!({"StringEquals": {"aws:PrincipalAccount": "111122223333"}});
    let limited = || through(when(lets(json!("*"), "*"), own.clone()));
    limited().context(json!({"aws:PrincipalAccount": "111122223333"})).allow(page);
    limited().context(json!({"aws:PrincipalAccount": "444455556666"})).deny(page);
    // It grants nothing.
    get(USER).with("endpoint", policy(lets(json!("*"), "*"))).deny(page);
}

#[test]
fn inverted_elements_leave_out_what_they_name() {
    let page = "IAM, IAM JSON policy elements: NotAction; NotResource";
    let but =
        |element: &str, value: &str, other: &str| json!({"Effect": "Allow", element: value, other: "*"});
    get(USER).identity(but("NotAction", "iam:*", "Resource")).allow(page);
    get(USER).identity(but("NotAction", "s3:Get*", "Resource")).deny(page);
    get(USER).identity(but("NotResource", "arn:aws:s3:::data/*", "Action")).deny(page);
    get(USER).identity(but("NotResource", "arn:aws:s3:::other/*", "Action")).allow(page);
    let everything_else = json!({"Effect": "Deny", "Action": "s3:*", "NotResource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]});
    get(USER).identity(json!([may("s3:*"), everything_else.clone()])).allow(page);
    ask(USER, "s3:GetObject", "arn:aws:s3:::other/x")
        .identity(json!([may("s3:*"), everything_else]))
        .deny(page);
}

#[test]
fn a_role_is_entered_by_its_trust_and_what_it_asks_for() {
    let page = "IAM, How to use an external ID";
    let assume = |principal: &str, trust: Value| ask(principal, "sts:AssumeRole", TARGET).resource(trust);
    let named = || when(trusts(aws(OTHER_USER)), json!({"StringEquals": {"sts:ExternalId": "42"}}));
    let eve = || assume(OTHER_USER, named()).identity(may("sts:AssumeRole"));
    eve().deny(page);
    eve().context(json!({"sts:ExternalId": "42"})).allow(page);
    eve().context(json!({"sts:ExternalId": "43"})).deny(page);
    eve().open().when(page, "sts:ExternalId in [42]");
    let page = "IAM, Policy evaluation for requests within a single account";
    assume(USER, trusts(aws(USER))).allow(page);
    assume(USER, trusts(aws(ROOT))).deny(page);
    assume(USER, trusts(aws(ROOT))).identity(may("sts:AssumeRole")).allow(page);
    assume(USER, trusts(aws(OTHER_USER))).identity(may("sts:AssumeRole")).deny(page);
    let service = trusts(json!({"Service": "ec2.amazonaws.com"}));
    assume("ec2.amazonaws.com", service.clone()).allow(page);
    assume("lambda.amazonaws.com", service).deny(page);
}
