//! EventBridge: the rules that tell somebody when a key is disabled or deleted, and whom they tell.

use aws_sdk_eventbridge::types::{Rule, Target};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::Account;
use super::call::IN_FLIGHT;
use super::shape::Object;
use crate::CollectError;

/// Collects the rules of a region's default bus, where AWS's own events arrive.
pub(super) async fn collect(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let events = account.session.events(region);
    let pages = account
        .ask_pages(
            account.whole_in(region, "events:ListRules"),
            |token| events.list_rules().limit(100).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Rules", page.rules(), rule_json).build(),
        )
        .await?;
    let rules =
        pages.iter().flat_map(|page| page.rules()).filter_map(|rule| Some((rule.name()?, rule.arn()?)));
    stream::iter(rules)
        .map(|(name, arn)| targets(account, region, &events, name, arn))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn targets(
    account: &Account<'_>,
    region: &str,
    events: &aws_sdk_eventbridge::Client,
    name: &str,
    arn: &str,
) -> Result<(), CollectError> {
    account
        .ask_pages(
            account.about_in(region, "events:ListTargetsByRule", arn, json!({"Rule": name})),
            |token| events.list_targets_by_rule().rule(name).limit(100).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("Targets", page.targets(), target_json).build(),
        )
        .await?;
    Ok(())
}

fn rule_json(rule: &Rule) -> Value {
    Object::new()
        .text("Name", rule.name())
        .text("Arn", rule.arn())
        .document("EventPattern", rule.event_pattern())
        .text("State", rule.state().map(|state| state.as_str()))
        .text("Description", rule.description())
        .text("ScheduleExpression", rule.schedule_expression())
        .text("RoleArn", rule.role_arn())
        .text("ManagedBy", rule.managed_by())
        .text("EventBusName", rule.event_bus_name())
        .build()
}

fn target_json(target: &Target) -> Value {
    Object::new()
        .text("Id", Some(target.id()))
        .text("Arn", Some(target.arn()))
        .text("RoleArn", target.role_arn())
        .build()
}
