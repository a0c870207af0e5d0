//! What must hold for all sets of edges.

use cadastre_model::access::Capability;
use proptest::prelude::*;

use crate::support::*;

const PEOPLE: [&str; 4] = [APP, BROKER, AGENT, "account:999988887777"];

/// Any edge that derivations look at, on any of a few statements.
fn edge() -> impl Strategy<Value = (usize, usize, Vec<usize>)> {
    (0..PEOPLE.len(), 0..10_usize, prop::collection::vec(0..8_usize, 1..3))
}

fn add(deployment: &mut Deployment, (who, what, statements): &(usize, usize, Vec<usize>)) {
    let names: Vec<String> = statements.iter().map(|number| format!("statement-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (capability, target, action) = match what {
        0 => (Capability::ReadObjects, BUCKET, "s3:GetObject"),
        1 => (Capability::Decrypt, KEY, "kms:Decrypt"),
        2 => (Capability::Assume, APP, "sts:AssumeRole"),
        3 => (Capability::Assume, BROKER, "sts:AssumeRole"),
        4 => (Capability::OperateHost, HOST, "ssm:StartSession"),
        5 => (Capability::ManageKey, KEY, "kms:PutKeyPolicy"),
        6 => (Capability::ChangePolicy, BUCKET, "s3:PutBucketPolicy"),
        7 => (Capability::ChangePolicy, BROKER, "iam:UpdateAssumeRolePolicy"),
        8 => (Capability::ReadObjects, SNAPSHOT, "ebs:GetSnapshotBlock"),
        _ => (Capability::ChangePolicy, KEY, "iam:PutRolePolicy"),
    };
    deployment.edge(PEOPLE[*who], capability, target, action, &names);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_cut_closes_every_witness(edges in prop::collection::vec(edge(), 0..12)) {
        let mut deployment = Deployment::new();
        for edge in &edges {
            add(&mut deployment, edge);
        }
        for path in deployment.graph().paths {
            // Looks the path up again and checks that its cut leaves no way.
            deployment.path(&path.principal, &path.target);
        }
    }

    #[test]
    fn one_more_allow_only_adds(edges in prop::collection::vec(edge(), 0..8), further in edge()) {
        let mut deployment = Deployment::new();
        for edge in &edges {
            add(&mut deployment, edge);
        }
        let before = deployment.graph();
        add(&mut deployment, &further);
        let after = deployment.graph();
        for path in before.paths {
            prop_assert!(after.paths.iter().any(|kept| kept.principal == path.principal && kept.target == path.target));
        }
        for edge in before.edges {
            prop_assert!(after.edges.iter().any(|kept| kept.from == edge.from && kept.to == edge.to && kept.relation == edge.relation));
        }
    }
}
