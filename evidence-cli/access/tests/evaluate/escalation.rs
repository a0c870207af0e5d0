//! Escalations worked out by hand: policies in, the ordered steps out; each names the page that says so.

use cadastre_access::escalation::Chains;
use cadastre_model::Known;
use cadastre_model::access::Capability::{self, Assume, Decrypt, OperateHost, ReadObjects};
use cadastre_model::access::Decision;
use cadastre_model::asset::PolicyKind;
use cadastre_model::asset::identity::Group;
use serde_json::{Value, json};

use crate::support::*;

const OBJECTS: &str = "arn:aws:s3:::data/*";
const DATA: &str = "arn:aws:iam::111122223333:role/data";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const PROFILE: &str = "arn:aws:iam::111122223333:instance-profile/data";

const PASS: &str = "Grant a user permissions to pass a role to an AWS service";
const POLICIES: &str = "Policies and permissions in IAM";
const BOUNDARIES: &str = "Permissions boundaries for IAM entities";
const CHAINING: &str = "Roles terms and concepts: role chaining";
const TAGS: &str = "Controlling access to AWS resources using tags";
const VERSIONS: &str = "Versioning IAM policies";
const SCPS: &str = "Service control policies (SCPs)";
const KEYS: &str = "Key policies in AWS KMS";
const GRANTS: &str = "Grants in AWS KMS";
const RUN: &str = "Setting up Run Command";
const SNAPSHOTS: &str = "Share an Amazon EBS snapshot with other AWS accounts";

/// `who capability what by action`, names cut to their last part.
fn told(
    access: &cadastre_model::access::Access,
    world: &World,
    target: &str,
    gains: Capability,
) -> Vec<String> {
    let short = |text: &str| text.rsplit(['/', ':']).next().unwrap_or(text).to_owned();
    let chains = Chains::new(&world.inventory, access);
    let found = chains.of(APP).into_iter().find(|found| found.target == target && found.capability == gains);
    let steps = found.into_iter().flat_map(|found| found.steps);
    steps
        .map(|step| {
            let certainty = match step.decision {
                Decision::Allow => String::new(),
                Decision::Conditional(text) => format!(" when {text}"),
                Decision::Unknown(_) => " perhaps".to_owned(),
                Decision::Deny => " never".to_owned(),
            };
            format!(
                "{} {} {} by {}{certainty}",
                short(&step.principal),
                step.capability,
                short(&step.target),
                step.action
            )
        })
        .collect()
}

#[track_caller]
fn check(page: &str, world: &World, gains: Capability, target: &str, expected: &[&str]) {
    let access = world.evaluate();
    assert_eq!(told(&access, world, target, gains), expected, "{page}");
}

/// `app` with these statements in an account with the bucket, and role `data` that reads it.
fn account(statements: Value) -> World {
    let mut world = World::new();
    world.bucket(json!([]));
    world.role(DATA, json!([allow("s3:GetObject", OBJECTS)]));
    world.role(APP, statements);
    world
}

/// The same, where the role trusts a service.
fn trusting(service: &str, statements: Value) -> World {
    let mut world = account(statements);
    world.of(DATA).instance_profiles = vec![PROFILE.into()];
    world.trust(
        DATA,
        json!([{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]),
    );
    world
}

fn when(action: &str, resource: &str, condition: Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition})
}

#[track_caller]
fn reads(page: &str, statements: Value, expected: &[&str]) {
    check(page, &account(statements), ReadObjects, BUCKET, expected);
}

#[track_caller]
fn reads_by_passing(service: &str, statements: Value, expected: &[&str]) {
    check(PASS, &trusting(service, statements), ReadObjects, BUCKET, expected);
}

const DATA_READS: &str = "data read-objects data by s3:GetObject";

#[test]
fn its_own_policies() {
    let own = |action: &str| {
        vec![format!("app change-policy app by {action}"), "app read-objects data by s3:GetObject".to_owned()]
    };
    for action in ["iam:PutRolePolicy", "iam:AttachRolePolicy"] {
        let expected = own(action);
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        reads(POLICIES, json!([allow(action, APP)]), &expected);
        reads(POLICIES, json!([allow(action, "arn:aws:iam::111122223333:role/a*")]), &expected);
        reads(POLICIES, json!([allow(action, DATA)]), &[]);
        reads(POLICIES, json!([allow(action, APP), deny(action, "*")]), &[]);
        reads(POLICIES, json!([allow(action, APP), deny("iam:*", APP)]), &[]);
    }
    // What is held already is no escalation.
    reads(POLICIES, json!([allow("iam:PutRolePolicy", APP), allow("s3:GetObject", OBJECTS)]), &[]);
    // Only what is read is another's.
    reads(
        POLICIES,
        json!([when(
            "iam:AttachRolePolicy",
            APP,
            json!({"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"}})
        )]),
        &[
            "app change-policy app by iam:AttachRolePolicy when iam:PolicyARN like [arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess]",
            "app read-objects data by s3:GetObject",
        ],
    );
    reads(
        POLICIES,
        json!([when(
            "iam:AttachRolePolicy",
            APP,
            json!({"ArnNotEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}})
        )]),
        &["app change-policy app by iam:AttachRolePolicy", "app read-objects data by s3:GetObject"],
    );
}

#[test]
fn versions_of_an_attached_policy() {
    let name = "arn:aws:iam::111122223333:policy/app";
    let attached = |action: &str| {
        let mut world = account(json!([]));
        world.of(APP).policies =
            Known::Observed(vec![document(name, PolicyKind::Managed, policy(json!([allow(action, name)])))]);
        world
    };
    for action in ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"] {
        let steps = [
            format!("app change-policy app by {action}"),
            "app read-objects data by s3:GetObject".to_owned(),
        ];
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        check(VERSIONS, &attached(action), ReadObjects, BUCKET, &steps);
    }
    // A policy that nobody carries changes nothing.
    reads(VERSIONS, json!([allow("iam:CreatePolicyVersion", "arn:aws:iam::111122223333:policy/other")]), &[]);
}

#[test]
fn boundaries() {
    let both = ["app change-policy app by iam:PutRolePolicy", "app read-objects data by s3:GetObject"];
    let mut world = account(json!([allow("iam:PutRolePolicy", APP)]));
    world.boundary(APP, json!([allow("iam:*", "*")]));
    check(BOUNDARIES, &world, ReadObjects, BUCKET, &[]);
    world.boundary(APP, json!([allow("iam:*", "*"), allow("s3:*", "*")]));
    check(BOUNDARIES, &world, ReadObjects, BUCKET, &both);
    world.boundary(APP, json!([allow("s3:*", "*")]));
    check(BOUNDARIES, &world, ReadObjects, BUCKET, &[]);
    world.boundary(APP, json!([allow("*", "*"), deny("iam:Put*", "*")]));
    check(BOUNDARIES, &world, ReadObjects, BUCKET, &[]);
    // Taken off, it lets through what the policies allow.
    for action in ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"] {
        let mut world = account(json!([allow(action, APP), allow("s3:GetObject", "*")]));
        world.boundary(APP, json!([allow("iam:*", "*")]));
        let first = format!("app change-policy app by {action}");
        check(BOUNDARIES, &world, ReadObjects, BUCKET, &[&first, "app read-objects data by s3:GetObject"]);
    }
    // Put on again as it is, it binds as before.
    let mut world = account(json!([
        when(
            "iam:PutRolePermissionsBoundary",
            APP,
            json!({"ArnEquals": {"iam:PermissionsBoundary": format!("boundary of {APP}")}})
        ),
        allow("s3:GetObject", "*")
    ]));
    world.boundary(APP, json!([allow("iam:*", "*")]));
    check(BOUNDARIES, &world, ReadObjects, BUCKET, &[]);
    // Policies may be put on identities with a certain boundary only, and this one has it, or another.
    let only_bounded = |name: &str| {
        let mut world = account(json!([when(
            "iam:PutRolePolicy",
            APP,
            json!({"StringEquals": {"iam:PermissionsBoundary": name}})
        )]));
        world.boundary(APP, json!([allow("iam:*", "*"), allow("s3:*", "*")]));
        world
    };
    check(BOUNDARIES, &only_bounded(&format!("boundary of {APP}")), ReadObjects, BUCKET, &both);
    check(BOUNDARIES, &only_bounded("arn:aws:iam::111122223333:policy/strict"), ReadObjects, BUCKET, &[]);
}

#[test]
fn control_policies_bind_what_is_changed_as_well() {
    let both = ["app change-policy app by iam:PutRolePolicy", "app read-objects data by s3:GetObject"];
    let mut world = account(json!([allow("iam:PutRolePolicy", APP)]));
    world.scp(json!([[allow("*", "*")]]));
    check(SCPS, &world, ReadObjects, BUCKET, &both);
    world.scp(json!([[allow("*", "*"), deny("s3:GetObject*", "*")]]));
    check(SCPS, &world, ReadObjects, BUCKET, &[]);
    world.scp(json!([[allow("*", "*"), deny("iam:PutRolePolicy", "*")]]));
    check(SCPS, &world, ReadObjects, BUCKET, &[]);
    world.scp(json!([[allow("s3:*", "*")]]));
    check(SCPS, &world, ReadObjects, BUCKET, &[]);
    let mut world = account(json!([allow("iam:PutRolePolicy", APP)]));
    world.rcp(json!([[{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]]));
    check("Resource control policies (RCPs)", &world, ReadObjects, BUCKET, &[]);
}

#[test]
fn roles_that_let_it_in() {
    let by_trust = |trust: Value, statements: Value| {
        let mut world = account(statements);
        world.trust(DATA, json!([{"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}]));
        world
    };
    let steps = ["app assume data by sts:AssumeRole", DATA_READS];
    check(CHAINING, &by_trust(json!({"AWS": APP}), json!([])), ReadObjects, BUCKET, &steps);
    let may = || json!([allow("sts:AssumeRole", DATA)]);
    check(CHAINING, &by_trust(json!({"AWS": ACCOUNT}), may()), ReadObjects, BUCKET, &steps);
    check(CHAINING, &by_trust(json!({"AWS": ACCOUNT}), json!([])), ReadObjects, BUCKET, &[]);
    check(CHAINING, &by_trust(json!({"AWS": OTHER}), may()), ReadObjects, BUCKET, &[]);
    // Over one that stands between.
    let between = "arn:aws:iam::111122223333:role/between";
    let mut world = by_trust(json!({"AWS": between}), json!([]));
    world.role(between, json!([]));
    world.trust(between, json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "sts:AssumeRole"}]));
    let over = ["app assume between by sts:AssumeRole", "between assume data by sts:AssumeRole", DATA_READS];
    check(CHAINING, &world, ReadObjects, BUCKET, &over);
    // A session name is its own choice, an external id is a limit.
    let named = |key: &str| {
        let mut world = account(json!([]));
        let condition = json!({"StringEquals": {key: "x"}});
        world.trust(DATA, json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "sts:AssumeRole", "Condition": condition}]));
        world
    };
    check(CHAINING, &named("sts:RoleSessionName"), ReadObjects, BUCKET, &steps);
    let limited = ["app assume data by sts:AssumeRole when sts:ExternalId in [x]", DATA_READS];
    check(
        "Access to AWS accounts owned by third parties",
        &named("sts:ExternalId"),
        ReadObjects,
        BUCKET,
        &limited,
    );
}

#[test]
fn trust_policies_that_it_edits() {
    let page = "Update a role trust policy";
    let steps = [
        "app change-policy data by iam:UpdateAssumeRolePolicy",
        "app assume data by sts:AssumeRole",
        DATA_READS,
    ];
    reads(page, json!([allow("iam:UpdateAssumeRolePolicy", DATA)]), &steps);
    reads(page, json!([allow("iam:UpdateAssumeRolePolicy", APP)]), &[]);
    let mut world = account(json!([allow("iam:UpdateAssumeRolePolicy", DATA)]));
    world.of(DATA).service_linked = true;
    check("Create a service-linked role", &world, ReadObjects, BUCKET, &[]);
}

/// "Grant a user permissions to pass a role to an AWS service", IAM User Guide: the role's trust policy lets the service in.
#[test]
fn passing_a_role_rests_on_each_statement_that_trusts_the_service() {
    let trusts = |service: &str| json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    let mut world = account(json!([
        allow("iam:PassRole", DATA),
        allow("lambda:CreateFunction", "*"),
        allow("ecs:RunTask", "*")
    ]));
    // Two statements let the same service in: taking one away closes nothing.
    world.trust(
        DATA,
        json!([
            trusts("lambda.amazonaws.com"),
            trusts("ecs-tasks.amazonaws.com"),
            trusts("lambda.amazonaws.com")
        ]),
    );
    let access = cadastre_access::evaluate(&world.inventory, &world.declaration);
    let cited = |action: &str| {
        let mut cited: Vec<String> = access
            .edges
            .iter()
            .filter(|edge| edge.principal == APP && edge.target == DATA && edge.action.ends_with(action))
            .flat_map(|edge| &edge.statements)
            .filter(|statement| statement.policy.starts_with("trust"))
            .map(|statement| statement.pointer.to_string())
            .collect();
        cited.sort();
        cited
    };
    assert_eq!(
        cited("lambda:CreateFunction"),
        ["/response/Policy/Statement/0", "/response/Policy/Statement/2"]
    );
    assert_eq!(cited("ecs:RunTask"), ["/response/Policy/Statement/1"]);
}

#[test]
fn passing_a_role_to_each_service_that_runs_code() {
    let services = [
        ("ec2.amazonaws.com", "ec2:RunInstances"),
        ("ec2.amazonaws.com", "ec2:RequestSpotInstances"),
        ("lambda.amazonaws.com", "lambda:CreateFunction"),
        ("lambda.amazonaws.com", "lambda:UpdateFunctionConfiguration"),
        ("ecs-tasks.amazonaws.com", "ecs:RunTask"),
        ("ecs-tasks.amazonaws.com", "ecs:StartTask"),
        ("glue.amazonaws.com", "glue:CreateJob"),
        ("glue.amazonaws.com", "glue:CreateSession"),
        ("glue.amazonaws.com", "glue:CreateDevEndpoint"),
        ("codebuild.amazonaws.com", "codebuild:CreateProject"),
        ("cloudformation.amazonaws.com", "cloudformation:CreateStack"),
        ("sagemaker.amazonaws.com", "sagemaker:CreateNotebookInstance"),
        ("sagemaker.amazonaws.com", "sagemaker:CreateTrainingJob"),
        ("states.amazonaws.com", "states:CreateStateMachine"),
        ("scheduler.amazonaws.com", "scheduler:CreateSchedule"),
        ("ssm.amazonaws.com", "ssm:StartAutomationExecution"),
        ("pods.eks.amazonaws.com", "eks:CreatePodIdentityAssociation"),
        ("eks-fargate-pods.amazonaws.com", "eks:CreateFargateProfile"),
        ("ec2.amazonaws.com", "eks:CreateNodegroup"),
        ("ec2.amazonaws.com", "elasticmapreduce:RunJobFlow"),
        ("tasks.apprunner.amazonaws.com", "apprunner:CreateService"),
    ];
    for (service, action) in services {
        let first = format!("app assume data by iam:PassRole and {action}");
        let steps = [first.as_str(), DATA_READS];
        reads_by_passing(service, json!([allow("iam:PassRole", DATA), allow(action, "*")]), &steps);
        // Each of the three is needed.
        reads_by_passing(service, json!([allow("iam:PassRole", DATA)]), &[]);
        reads_by_passing(
            "tasks.example.amazonaws.com",
            json!([allow("iam:PassRole", DATA), allow(action, "*")]),
            &[],
        );
        let another = when(
            "iam:PassRole",
            "*",
            json!({"StringEquals": {"iam:PassedToService": "monitoring.rds.amazonaws.com"}}),
        );
        reads_by_passing(service, json!([another, allow(action, "*")]), &[]);
        let same = when("iam:PassRole", "*", json!({"StringEquals": {"iam:PassedToService": service}}));
        reads_by_passing(service, json!([same, allow(action, "*")]), &steps);
    }
    let several = [
        ("ec2.amazonaws.com", "autoscaling:CreateLaunchConfiguration", "autoscaling:CreateAutoScalingGroup"),
        ("ecs-tasks.amazonaws.com", "ecs:RegisterTaskDefinition", "ecs:CreateService"),
        ("ecs-tasks.amazonaws.com", "ecs:RegisterTaskDefinition", "ecs:UpdateService"),
        ("ecs-tasks.amazonaws.com", "batch:RegisterJobDefinition", "batch:SubmitJob"),
        ("ec2.amazonaws.com", "ec2:AssociateIamInstanceProfile", "ssm:StartSession"),
    ];
    for (service, action, further) in several {
        let first = format!("app assume data by iam:PassRole and {action} and {further}");
        let all = json!([allow("iam:PassRole", DATA), allow(action, "*"), allow(further, "*")]);
        reads_by_passing(service, all, &[&first, DATA_READS]);
        reads_by_passing(service, json!([allow("iam:PassRole", DATA), allow(action, "*")]), &[]);
    }
}

#[test]
fn passing_is_limited_by_what_cannot_be_chosen() {
    let steps = ["app assume data by iam:PassRole and ec2:RunInstances", DATA_READS];
    let launch =
        |condition: Value| json!([allow("iam:PassRole", DATA), when("ec2:RunInstances", "*", condition)]);
    // Chosen with the request.
    reads_by_passing(
        "ec2.amazonaws.com",
        launch(json!({"StringEquals": {"ec2:InstanceType": "m5.large"}})),
        &steps,
    );
    reads_by_passing(
        "ec2.amazonaws.com",
        launch(json!({"StringEquals": {"aws:RequestTag/owner": "app"}})),
        &steps,
    );
    reads_by_passing(
        "ec2.amazonaws.com",
        launch(json!({"StringEquals": {"aws:RequestedRegion": "eu-central-1"}})),
        &steps,
    );
    reads_by_passing(
        "ec2.amazonaws.com",
        launch(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["owner"]}})),
        &steps,
    );
    // The instance profile is the role's own, or another's.
    reads_by_passing(
        "ec2.amazonaws.com",
        launch(json!({"ArnEquals": {"ec2:InstanceProfile": PROFILE}})),
        &steps,
    );
    reads_by_passing(
        "ec2.amazonaws.com",
        launch(
            json!({"ArnEquals": {"ec2:InstanceProfile": "arn:aws:iam::111122223333:instance-profile/web"}}),
        ),
        &[],
    );
    // From one network only.
    reads_by_passing(
        "ec2.amazonaws.com",
        launch(json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})),
        &[
            "app assume data by iam:PassRole and ec2:RunInstances when aws:SourceIp within [192.0.2.0/24]",
            DATA_READS,
        ],
    );
    reads_by_passing(
        "ec2.amazonaws.com",
        json!([
            allow("iam:PassRole", "arn:aws:iam::111122223333:role/web-*"),
            allow("ec2:RunInstances", "*")
        ]),
        &[],
    );
    // Without an instance profile, one has to be made to carry the role.
    let bare = |statements: Value| {
        let mut world = trusting("ec2.amazonaws.com", statements);
        world.of(DATA).instance_profiles.clear();
        world
    };
    let two = || vec![allow("iam:PassRole", DATA), allow("ec2:RunInstances", "*")];
    check("Use instance profiles", &bare(json!(two())), ReadObjects, BUCKET, &[]);
    let mut three = two();
    three.push(allow("iam:AddRoleToInstanceProfile", "*"));
    check("Use instance profiles", &bare(json!(three)), ReadObjects, BUCKET, &steps);
}

#[test]
fn code_that_runs_already() {
    let page = "Deploy Lambda functions";
    let steps = ["app assume data by lambda:UpdateFunctionCode perhaps", DATA_READS];
    check(
        page,
        &trusting("lambda.amazonaws.com", json!([allow("lambda:UpdateFunctionCode", "*")])),
        ReadObjects,
        BUCKET,
        &steps,
    );
    check(
        page,
        &trusting("ec2.amazonaws.com", json!([allow("lambda:UpdateFunctionCode", "*")])),
        ReadObjects,
        BUCKET,
        &[],
    );
    let template =
        json!([allow("ec2:CreateLaunchTemplateVersion", "*"), allow("ec2:ModifyLaunchTemplate", "*")]);
    check(
        "Modify a launch template (manage launch template versions)",
        &trusting("ec2.amazonaws.com", template),
        ReadObjects,
        BUCKET,
        &[
            "app assume data by ec2:CreateLaunchTemplateVersion and ec2:ModifyLaunchTemplate perhaps",
            DATA_READS,
        ],
    );
}

#[test]
fn hosts_that_run_as_the_role() {
    let on_host = |statements: Value| {
        let mut world = account(statements);
        world.host().role = Known::Observed(DATA.into());
        world
    };
    let takes = |action: &str| {
        [
            format!("app operate-host i-1 by {action}"),
            "i-1 assume data by instance profile".to_owned(),
            DATA_READS.to_owned(),
        ]
    };
    let actions = [
        "ssm:StartSession",
        "ssm:SendCommand",
        "ec2-instance-connect:SendSSHPublicKey",
        "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
        "ec2:ModifyInstanceAttribute",
        "ec2:CreateReplaceRootVolumeTask",
    ];
    for action in actions {
        let steps = takes(action);
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        check(
            "Connect to your EC2 instance",
            &on_host(json!([allow(action, "*")])),
            ReadObjects,
            BUCKET,
            &steps,
        );
    }
    // A command is asked about with its document.
    let instance_only = json!([allow("ssm:SendCommand", "arn:aws:ec2:*:*:instance/*")]);
    check(RUN, &on_host(instance_only), ReadObjects, BUCKET, &[]);
    let harmless = json!([
        allow("ssm:SendCommand", "arn:aws:ec2:*:*:instance/*"),
        allow("ssm:SendCommand", "arn:aws:ssm:*:*:document/AWS-UpdateSSMAgent")
    ]);
    check(RUN, &on_host(harmless), ReadObjects, BUCKET, &[]);
    let shell = json!([
        allow("ssm:SendCommand", "arn:aws:ec2:*:*:instance/*"),
        allow("ssm:SendCommand", "arn:aws:ssm:*:*:document/AWS-RunShellScript")
    ]);
    let steps = takes("ssm:SendCommand");
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    check(RUN, &on_host(shell), ReadObjects, BUCKET, &steps);
}

#[test]
fn tags_that_it_sets_first() {
    let session =
        |tag: &str| when("ssm:StartSession", "*", json!({"StringEquals": {"aws:ResourceTag/team": tag}}));
    let with_host = |statements: Value| {
        let mut world = account(statements);
        world.host();
        world
    };
    let steps = ["app change-policy i-1 by ec2:CreateTags", "app operate-host i-1 by ssm:StartSession"];
    check(TAGS, &with_host(json!([session("app")])), OperateHost, HOST, &[]);
    check(TAGS, &with_host(json!([session("app"), allow("ec2:CreateTags", "*")])), OperateHost, HOST, &steps);
    let only = |condition: Value| json!([session("app"), when("ec2:CreateTags", "*", condition)]);
    check(
        TAGS,
        &with_host(only(json!({"StringEquals": {"aws:RequestTag/team": "app"}}))),
        OperateHost,
        HOST,
        &steps,
    );
    check(
        TAGS,
        &with_host(only(json!({"StringEquals": {"aws:RequestTag/team": "web"}}))),
        OperateHost,
        HOST,
        &[],
    );
    check(
        TAGS,
        &with_host(only(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}))),
        OperateHost,
        HOST,
        &steps,
    );
    check(
        TAGS,
        &with_host(only(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["name"]}}))),
        OperateHost,
        HOST,
        &[],
    );
    check(
        TAGS,
        &with_host(json!([session("app"), allow("ec2:CreateTags", "*"), deny("ec2:CreateTags", HOST)])),
        OperateHost,
        HOST,
        &[],
    );
    // Its own tag.
    let reader =
        || when("s3:GetObject", OBJECTS, json!({"StringEquals": {"aws:PrincipalTag/team": "kafka"}}));
    let mut world = account(json!([reader(), allow("iam:TagRole", APP)]));
    world.of(APP).tags = vec![tag("team", "web")];
    check(
        "IAM tutorial: Define permissions to access AWS resources based on tags",
        &world,
        ReadObjects,
        BUCKET,
        &["app change-policy app by iam:TagRole", "app read-objects data by s3:GetObject"],
    );
    let mut world = account(json!([reader()]));
    world.of(APP).tags = vec![tag("team", "web")];
    check(
        "IAM tutorial: Define permissions to access AWS resources based on tags",
        &world,
        ReadObjects,
        BUCKET,
        &[],
    );
}

#[test]
fn users_whose_credentials_it_makes() {
    let with_user = |statements: Value| {
        let mut world = account(statements);
        world.user(ALICE, json!([allow("s3:GetObject", OBJECTS)]));
        world
    };
    for action in ["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"] {
        let first = format!("app assume alice by {action}");
        let steps = [first.as_str(), "alice read-objects data by s3:GetObject"];
        let page = "Manage access keys for IAM users";
        check(page, &with_user(json!([allow(action, ALICE)])), ReadObjects, BUCKET, &steps);
        check(
            page,
            &with_user(json!([allow(action, "arn:aws:iam::111122223333:user/${aws:username}")])),
            ReadObjects,
            BUCKET,
            &[],
        );
        check(page, &with_user(json!([allow(action, "*"), deny("iam:*", ALICE)])), ReadObjects, BUCKET, &[]);
    }
}

#[test]
fn groups_of_a_user() {
    let mut world = World::new();
    world.bucket(json!([]));
    world.user(ALICE, json!([])).groups = vec!["readers".into()];
    world.role(
        APP,
        json!([
            allow("iam:PutGroupPolicy", "arn:aws:iam::111122223333:group/readers"),
            allow("iam:CreateAccessKey", ALICE)
        ]),
    );
    check(
        "IAM user groups",
        &world,
        ReadObjects,
        BUCKET,
        &[
            "app change-policy alice by iam:PutGroupPolicy",
            "app assume alice by iam:CreateAccessKey",
            "alice read-objects data by s3:GetObject",
        ],
    );
    world.role(APP, json!([allow("iam:PutGroupPolicy", "*")]));
    check("IAM user groups", &world, ReadObjects, BUCKET, &[]);
}

#[test]
fn groups_that_a_user_is_put_into() {
    let page = "IAM user groups; Actions, resources, and condition keys for IAM: AddUserToGroup";
    let group = "arn:aws:iam::111122223333:group/readers";
    let with = |statements: Value, of_group: Value| {
        let mut world = World::new();
        world.bucket(json!([]));
        world.user(ALICE, json!([]));
        world.role(APP, statements);
        world.inventory.groups.push(Group {
            arn: group.into(),
            account: ACCOUNT.into(),
            name: "readers".into(),
            policies: Known::Observed(vec![document("readers", PolicyKind::Inline, policy(of_group))]),
            evidence: [record(group)].into(),
        });
        world
    };
    let steps = [
        "app change-policy alice by iam:AddUserToGroup",
        "app assume alice by iam:CreateAccessKey",
        "alice read-objects data by s3:GetObject",
    ];
    let both = || json!([allow("iam:AddUserToGroup", group), allow("iam:CreateAccessKey", ALICE)]);
    let reading = || json!([allow("s3:GetObject", OBJECTS)]);
    check(page, &with(both(), reading()), ReadObjects, BUCKET, &steps);
    // A group gives what its policies give, and nothing to whom it is in already or whose boundary keeps it out.
    check(page, &with(both(), json!([allow("s3:PutObject", OBJECTS)])), ReadObjects, BUCKET, &[]);
    check(
        page,
        &with(both(), json!([allow("s3:*", OBJECTS), deny("s3:Get*", "*")])),
        ReadObjects,
        BUCKET,
        &[],
    );
    check(page, &with(json!([allow("iam:AddUserToGroup", "*")]), reading()), ReadObjects, BUCKET, &[]);
    check(page, &with(json!([allow("iam:CreateAccessKey", "*")]), reading()), ReadObjects, BUCKET, &[]);
    let mut bounded = with(both(), reading());
    bounded.boundary(ALICE, json!([allow("ec2:*", "*")]));
    check(BOUNDARIES, &bounded, ReadObjects, BUCKET, &[]);
    // A user puts itself in.
    let mut own = with(json!([]), reading());
    own.user(ALICE, json!([allow("iam:AddUserToGroup", group)]));
    let access = own.evaluate();
    let gained = access.edges.iter().find(|edge| edge.principal == ALICE && edge.target == BUCKET).unwrap();
    assert_eq!((gained.action.as_str(), gained.statements.len()), ("iam:AddUserToGroup", 2));
    assert_eq!(gained.enables.as_ref().unwrap().capability, ReadObjects);
}

#[test]
fn tags_that_it_sends_along_with_a_role() {
    let page = "Pass session tags in AWS STS";
    let red = || json!({"StringEquals": {"aws:PrincipalTag/team": "red"}});
    let with = |trusted: Value, own: Value| {
        let mut world = account(own);
        world.role(DATA, json!([when("s3:GetObject", OBJECTS, red())]));
        let trust = json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": trusted}]);
        world.trust(DATA, trust);
        world
    };
    let tags = || json!(["sts:AssumeRole", "sts:TagSession"]);
    let steps =
        ["app assume data by sts:AssumeRole and sts:TagSession", "data read-objects data by s3:GetObject"];
    check(page, &with(tags(), json!([])), ReadObjects, BUCKET, &steps);
    // The role's own tag gives way to the session's.
    let mut blue = with(tags(), json!([]));
    blue.of(DATA).tags = vec![tag("team", "blue")];
    check(page, &blue, ReadObjects, BUCKET, &steps);
    // Without leave to send tags the condition stays, and with another tag of the role nothing is left.
    let conditional = "data read-objects data by s3:GetObject when aws:PrincipalTag/team in [red]";
    let plain = with(json!("sts:AssumeRole"), json!([]));
    check(page, &plain, ReadObjects, BUCKET, &["app assume data by sts:AssumeRole", conditional]);
    let mut blue = with(json!("sts:AssumeRole"), json!([]));
    blue.of(DATA).tags = vec![tag("team", "blue")];
    check(page, &blue, ReadObjects, BUCKET, &[]);
    // A trust policy that lets only other tags be sent.
    let mut limited = blue.clone();
    limited.trust(
        DATA,
        json!([
            {"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "sts:TagSession", "Condition": {"StringEquals": {"aws:RequestTag/team": "green"}}}
        ]),
    );
    check(page, &limited, ReadObjects, BUCKET, &[]);
    let denied = json!([deny("sts:TagSession", "*")]);
    let mut denied = with(tags(), denied);
    denied.of(DATA).tags = vec![tag("team", "blue")];
    check(page, &denied, ReadObjects, BUCKET, &[]);
}

#[test]
fn a_trust_that_it_rewrites_opens_what_the_role_may_and_no_more() {
    let page = "Update a role trust policy; Permissions boundaries for IAM entities; SCP evaluation";
    let mut bounded = account(json!([allow("iam:UpdateAssumeRolePolicy", DATA)]));
    bounded.boundary(DATA, json!([allow("ec2:*", "*")]));
    check(page, &bounded, ReadObjects, BUCKET, &[]);
    let mut controlled = account(json!([allow("iam:UpdateAssumeRolePolicy", DATA)]));
    controlled.scp(json!([[allow("*", "*"), deny("s3:GetObject", "*")]]));
    check(page, &controlled, ReadObjects, BUCKET, &[]);
    let mut refused = account(json!([allow("iam:UpdateAssumeRolePolicy", DATA)]));
    refused.scp(json!([[allow("*", "*"), deny("iam:UpdateAssumeRolePolicy", "*")]]));
    check(page, &refused, ReadObjects, BUCKET, &[]);
}

#[test]
fn keys_and_stores_whose_policies_it_edits() {
    let delegating =
        || json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}]);
    let with_key = |statements: Value| {
        let mut world = account(statements);
        world.key(delegating());
        world
    };
    for (page, action) in [(KEYS, "kms:PutKeyPolicy"), (GRANTS, "kms:CreateGrant")] {
        let first = format!("app manage-key 1 by {action}");
        check(
            page,
            &with_key(json!([allow(action, KEY)])),
            Decrypt,
            KEY,
            &[&first, "app decrypt 1 by kms:Decrypt"],
        );
        check(page, &with_key(json!([allow(action, KEY), deny("kms:*", "*")])), Decrypt, KEY, &[]);
    }
    let for_services = when("kms:CreateGrant", KEY, json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}));
    check(
        GRANTS,
        &with_key(json!([for_services])),
        Decrypt,
        KEY,
        &[
            "app manage-key 1 by kms:CreateGrant when kms:GrantIsForAWSResource is true",
            "app decrypt 1 by kms:Decrypt",
        ],
    );
    reads(
        "Bucket policies for Amazon S3",
        json!([allow("s3:PutBucketPolicy", BUCKET)]),
        &["app change-policy data by s3:PutBucketPolicy", "app read-objects data by s3:GetObject"],
    );
    reads("Bucket policies for Amazon S3", json!([allow("s3:DeleteBucketPolicy", BUCKET)]), &[]);
}

#[test]
fn snapshots_and_images_are_read_by_whoever_can_hand_them_on() {
    let with_disks = |statements: Value| {
        let mut world = account(statements);
        world.volume();
        world.snapshot(&[]);
        world
            .trust(DATA, json!([{"Effect": "Allow", "Principal": {"AWS": APP}, "Action": "sts:AssumeRole"}]));
        world
    };
    let as_data = |statements: Value| {
        let mut world = with_disks(json!([]));
        let name = "disks of data";
        world.of(DATA).policies =
            Known::Observed(vec![document(name, PolicyKind::Inline, policy(statements))]);
        world
    };
    let by = |action: &str| {
        ["app assume data by sts:AssumeRole".to_owned(), format!("data read-objects snap-1 by {action}")]
    };
    for (statements, action) in [
        (json!([allow("ec2:ModifySnapshotAttribute", "*")]), "ec2:ModifySnapshotAttribute"),
        (json!([allow("ebs:GetSnapshotBlock", "*")]), "ebs:GetSnapshotBlock"),
        (
            json!([allow("ec2:RegisterImage", "*"), allow("ec2:ModifyImageAttribute", "*")]),
            "ec2:RegisterImage",
        ),
    ] {
        let steps = by(action);
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        check(SNAPSHOTS, &as_data(statements), ReadObjects, SNAPSHOT, &steps);
    }
    check(SNAPSHOTS, &as_data(json!([allow("ec2:RegisterImage", "*")])), ReadObjects, SNAPSHOT, &[]);
    let image = json!([allow("ec2:CreateImage", "*"), allow("ec2:ModifyImageAttribute", "*")]);
    check(
        "Create an Amazon EBS-backed AMI",
        &as_data(image),
        ReadObjects,
        VOLUME,
        &["app assume data by sts:AssumeRole", "data read-objects vol-1 by ec2:CreateImage"],
    );
}

#[test]
fn two_ways_at_once_are_told_by_the_more_certain_one() {
    let mut world = trusting(
        "ec2.amazonaws.com",
        json!([
            allow("iam:PassRole", DATA),
            when("ec2:RunInstances", "*", json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})),
            allow("iam:UpdateAssumeRolePolicy", DATA)
        ]),
    );
    world.host();
    check(
        CHAINING,
        &world,
        Assume,
        DATA,
        &["app change-policy data by iam:UpdateAssumeRolePolicy", "app assume data by sts:AssumeRole"],
    );
}
