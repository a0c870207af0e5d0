//! EventBridge rules and their targets.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::logging::EventRule;
use serde_json::Value;

use crate::reader::Reader;

/// Reads every rule.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<EventRule> {
    reader.assets("events:ListRules", "Rules", |reader, rule| {
        let arn = rule.owned_text("Arn")?;
        let pattern = rule.member("EventPattern")?;
        let mut evidence = EvidenceIds::new();
        Ok(Some(EventRule {
            name: rule.owned_text("Name")?,
            account: rule.account()?.to_owned(),
            region: rule.region()?.to_owned(),
            state: rule.owned_text("State")?,
            pattern: pattern.map_or(Value::Null, |pattern| pattern.value.clone()),
            targets: reader.known("events:ListTargetsByRule", &arn, &mut evidence, |pages| {
                let mut targets = pages.all("Targets", |target| target.owned_text("Arn"))?;
                targets.sort();
                Ok(Some(targets))
            }),
            arn,
            evidence,
        }))
    })
}
