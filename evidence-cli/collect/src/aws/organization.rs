//! Organizations: the tree of accounts, and the policies that bound them from above.

use aws_sdk_organizations::types::{
    Account as MemberAccount, Organization, PolicySummary, PolicyType, PolicyTypeSummary, Root,
};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use serde_json::{Value, json};

use super::Account;
use super::call::IN_FLIGHT;
use super::shape::Object;
use crate::CollectError;

/// How deep units nest at most, by the service's own quota, with room to spare.
const MAXIMUM_DEPTH: usize = 10;

/// Collects the organization, as far as the account may see it.
pub(super) async fn collect(account: &Account<'_>) -> Result<(), CollectError> {
    let client = account.session.organizations();
    account
        .ask(
            account.whole("organizations:DescribeOrganization"),
            client.describe_organization().send(),
            |answer| Object::new().nested("Organization", answer.organization(), organization_json).build(),
        )
        .await?;
    // Asked in any case: outside an organization each of these is answered with its absence, which is an answer.
    try_join!(
        tree(account, &client),
        policies(account, &client, PolicyType::ServiceControlPolicy),
        policies(account, &client, PolicyType::ResourceControlPolicy),
    )?;
    Ok(())
}

async fn tree(account: &Account<'_>, client: &aws_sdk_organizations::Client) -> Result<(), CollectError> {
    let pages = account
        .ask_pages(
            account.whole("organizations:ListRoots"),
            |token| client.list_roots().set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Roots", page.roots(), root_json).build(),
        )
        .await?;
    let roots = pages.iter().flat_map(|page| page.roots());
    let mut level: Vec<(String, String)> =
        roots.filter_map(|root| Some((root.id()?.to_owned(), root.arn()?.to_owned()))).collect();
    for _ in 0..MAXIMUM_DEPTH {
        let below: Vec<Vec<(String, String)>> = stream::iter(&level)
            .map(|(id, arn)| children(account, client, id, arn))
            .buffer_unordered(IN_FLIGHT)
            .try_collect()
            .await?;
        level = below.into_iter().flatten().collect();
        if level.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Asks for the accounts and the units below a root or unit, and hands on the units.
async fn children(
    account: &Account<'_>,
    client: &aws_sdk_organizations::Client,
    parent: &str,
    arn: &str,
) -> Result<Vec<(String, String)>, CollectError> {
    let request = json!({"ParentId": parent});
    account
        .ask_pages(
            account.about("organizations:ListAccountsForParent", arn, request.clone()),
            |token| client.list_accounts_for_parent().parent_id(parent).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Accounts", page.accounts(), member_json).build(),
        )
        .await?;
    let pages = account
        .ask_pages(
            account.about("organizations:ListOrganizationalUnitsForParent", arn, request),
            |token| {
                client.list_organizational_units_for_parent().parent_id(parent).set_next_token(token).send()
            },
            |page| page.next_token(),
            |page| {
                Object::new()
                    .list("OrganizationalUnits", page.organizational_units(), |unit| {
                        Object::new()
                            .text("Id", unit.id())
                            .text("Arn", unit.arn())
                            .text("Name", unit.name())
                            .build()
                    })
                    .build()
            },
        )
        .await?;
    let units = pages.iter().flat_map(|page| page.organizational_units());
    Ok(units.filter_map(|unit| Some((unit.id()?.to_owned(), unit.arn()?.to_owned()))).collect())
}

async fn policies(
    account: &Account<'_>,
    client: &aws_sdk_organizations::Client,
    kind: PolicyType,
) -> Result<(), CollectError> {
    let mut question = account.whole("organizations:ListPolicies");
    question.request = json!({"Filter": kind.as_str()});
    // Both kinds are lists over the whole account: the kind keeps the two questions apart.
    question.subject = format!("{}/{}", account.id, kind.as_str());
    let pages = account
        .ask_pages(
            question,
            |token| client.list_policies().filter(kind.clone()).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Policies", page.policies(), summary_json).build(),
        )
        .await?;
    let policies = pages
        .iter()
        .flat_map(|page| page.policies())
        .filter_map(|policy| Some((policy.id()?, policy.arn()?)));
    stream::iter(policies)
        .map(|(id, arn)| policy(account, client, id, arn))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn policy(
    account: &Account<'_>,
    client: &aws_sdk_organizations::Client,
    id: &str,
    arn: &str,
) -> Result<(), CollectError> {
    let request = json!({"PolicyId": id});
    account
        .ask(
            account.about("organizations:DescribePolicy", arn, request.clone()),
            client.describe_policy().policy_id(id).send(),
            |answer| {
                Object::new()
                    .nested("Policy", answer.policy(), |policy| {
                        Object::new()
                            .nested("PolicySummary", policy.policy_summary(), summary_json)
                            .document("Content", policy.content())
                            .build()
                    })
                    .build()
            },
        )
        .await?;
    account
        .ask_pages(
            account.about("organizations:ListTargetsForPolicy", arn, request),
            |token| client.list_targets_for_policy().policy_id(id).set_next_token(token).send(),
            |page| page.next_token(),
            |page| {
                Object::new()
                    .list("Targets", page.targets(), |target| {
                        Object::new()
                            .text("TargetId", target.target_id())
                            .text("Arn", target.arn())
                            .text("Name", target.name())
                            .text("Type", target.r#type().map(|kind| kind.as_str()))
                            .build()
                    })
                    .build()
            },
        )
        .await?;
    Ok(())
}

fn organization_json(organization: &Organization) -> Value {
    Object::new()
        .text("Id", organization.id())
        .text("Arn", organization.arn())
        .text("FeatureSet", organization.feature_set().map(|set| set.as_str()))
        .text("MasterAccountArn", organization.master_account_arn())
        .text("MasterAccountId", organization.master_account_id())
        .list("AvailablePolicyTypes", organization.available_policy_types(), policy_type_json)
        .build()
}

fn root_json(root: &Root) -> Value {
    Object::new()
        .text("Id", root.id())
        .text("Arn", root.arn())
        .text("Name", root.name())
        .list("PolicyTypes", root.policy_types(), policy_type_json)
        .build()
}

fn policy_type_json(kind: &PolicyTypeSummary) -> Value {
    Object::new()
        .text("Type", kind.r#type().map(|kind| kind.as_str()))
        .text("Status", kind.status().map(|status| status.as_str()))
        .build()
}

/// Without the owner's address, which is personal data that no control needs.
fn member_json(member: &MemberAccount) -> Value {
    Object::new()
        .text("Id", member.id())
        .text("Arn", member.arn())
        .text("Name", member.name())
        .text("Status", member.status().map(|status| status.as_str()))
        .text("JoinedMethod", member.joined_method().map(|method| method.as_str()))
        .time("JoinedTimestamp", member.joined_timestamp())
        .build()
}

fn summary_json(policy: &PolicySummary) -> Value {
    Object::new()
        .text("Id", policy.id())
        .text("Arn", policy.arn())
        .text("Name", policy.name())
        .text("Description", policy.description())
        .text("Type", policy.r#type().map(|kind| kind.as_str()))
        .flag("AwsManaged", Some(policy.aws_managed()))
        .build()
}
