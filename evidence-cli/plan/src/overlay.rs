//! The evidence as it would be: records of a scan with the plan's difference laid over them.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::record::{Page, Problem};
use cadastre_model::{Observation, Outcome, Record, Timestamp};
use serde_json::{Map, Value, json};

use crate::azure;
use crate::error::PlanError;
use crate::merge;
use crate::world::{Answer, Gap, Identity, Item, ListKey, Question, World};

/// Who asked, in records that rest on a plan.
pub(crate) const CALLER: &str = "terraform-plan";

/// The code of what is known only after apply.
const AFTER_APPLY: &str = "known-after-apply";

/// The code of what a plan alone does not show.
const PLAN_ONLY: &str = "only-the-plan";

/// Records being changed.
#[derive(Debug)]
pub(crate) struct Overlay {
    observations: Vec<Observation>,
    by_question: BTreeMap<Question, Vec<usize>>,
    at: Timestamp,
    /// Questions that only the plan speaks to.
    partial: BTreeSet<Question>,
}

/// The question that a record answers. Only operations that the plan speaks to are told apart.
fn question(
    observation: &Observation,
    operations: &BTreeMap<&str, (&'static str, &'static str)>,
) -> Option<Question> {
    let (operation, collector) = *operations.get(observation.operation.as_str())?;
    Some(Question {
        collector,
        operation,
        scope: observation.scope.clone(),
        subject: observation.subject.clone(),
    })
}

impl Overlay {
    /// Starts from the records of a scan; `at` is the time of what is added.
    pub(crate) fn new(records: &[Record], worlds: &[&World], at: Timestamp) -> Self {
        let mut operations: BTreeMap<&str, (&'static str, &'static str)> = BTreeMap::new();
        for question in worlds.iter().flat_map(|world| {
            let lists = world.lists.keys().map(|key| &key.question);
            lists.chain(world.answers.keys()).chain(world.gaps.iter().map(|gap| &gap.question))
        }) {
            operations.insert(question.operation, (question.operation, question.collector));
        }
        let observations: Vec<Observation> =
            records.iter().map(|record| record.clone().into_observation()).collect();
        let mut by_question: BTreeMap<Question, Vec<usize>> = BTreeMap::new();
        for (index, observation) in observations.iter().enumerate() {
            if let Some(question) = question(observation, &operations) {
                by_question.entry(question).or_default().push(index);
            }
        }
        Self { observations, by_question, at, partial: BTreeSet::new() }
    }

    /// Lays the difference between two worlds over the records. Answers what could not be laid over anything.
    pub(crate) fn apply(&mut self, before: &World, after: &World) -> Vec<(String, String)> {
        let mut lost = Vec::new();
        let keys: BTreeSet<&ListKey> = before.lists.keys().chain(after.lists.keys()).collect();
        for key in keys {
            let (old, new) = (before.lists.get(key), after.lists.get(key));
            let empty = BTreeMap::new();
            let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
            let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let complete = after.complete.contains(&key.question);
            for id in ids {
                if old.get(id) != new.get(id) && !self.item(key, id, old.get(id), new.get(id), complete) {
                    lost.push((key.question.operation.to_owned(), id.clone()));
                }
            }
            if complete && self.records_of(&key.question).is_empty() {
                self.new_list(key, complete);
            }
            if ["RouteTables", "NetworkAcls"].contains(&key.member) {
                self.move_subnets(key, old, new);
            }
        }
        let questions: BTreeSet<&Question> = before.answers.keys().chain(after.answers.keys()).collect();
        for question in questions {
            let (old, new) = (before.answers.get(question), after.answers.get(question));
            if old != new {
                self.answer(question, old, new);
            }
        }
        for gap in after.gaps.difference(&before.gaps) {
            self.gap(gap);
        }
        lost
    }

    /// Changes one item of a list; false where it is attached to something that nobody shows.
    fn item(
        &mut self,
        key: &ListKey,
        id: &str,
        old: Option<&Item>,
        new: Option<&Item>,
        complete: bool,
    ) -> bool {
        let nothing = json!({});
        let found = self.find(key, id);
        match (found, old, new) {
            (Some((record, index)), Some(old), None) if old.whole => {
                if let Some(items) = self.items(record, key.member)
                    && index < items.len()
                {
                    items.remove(index);
                }
                true
            }
            (Some((record, index)), old, new) => {
                let before = old.map_or(&nothing, |item| &item.value);
                let after = new.map_or(&nothing, |item| &item.value);
                if let Some(item) = self.items(record, key.member).and_then(|items| items.get_mut(index)) {
                    match key.question.collector {
                        "azure" => azure::nested(item),
                        _ => flatten_permissions(item),
                    }
                    *item = merge::three_way("", item, before, after);
                }
                true
            }
            (None, _, Some(new)) if new.whole => {
                let record = match self.last_page(&key.question) {
                    Some(record) => record,
                    None => self.new_list(key, complete),
                };
                if let Some(items) = self.items(record, key.member) {
                    items.push(new.value.clone());
                }
                true
            }
            (None, _, None) => true,
            (None, old, Some(new)) => old.map(|old| &old.value) == Some(&new.value),
        }
    }

    /// A subnet has one route table and one network ACL: what the plan gives it takes it from another, and what the
    /// plan takes from it gives it back to the default one.
    fn move_subnets(&mut self, key: &ListKey, old: &BTreeMap<String, Item>, new: &BTreeMap<String, Item>) {
        let (before, after) = (associated(old), associated(new));
        let identity = identity(key.question.operation, key.member);
        let network_acls = key.member == "NetworkAcls";
        for record in self.records_of(&key.question) {
            for item in self.items(record, key.member).into_iter().flatten() {
                let Some(id) = identify(identity, item) else { continue };
                let default = network_acls && item.get("IsDefault") == Some(&Value::Bool(true));
                let Some(Value::Array(associations)) = item.get_mut("Associations") else { continue };
                associations.retain(|association| {
                    let subnet = association.get("SubnetId").and_then(Value::as_str);
                    subnet.is_none_or(|subnet| {
                        before.get(subnet) == after.get(subnet)
                            || after.get(subnet).is_none_or(|owner| *owner == id)
                    })
                });
                if default {
                    let freed = before.keys().filter(|subnet| !after.contains_key(*subnet));
                    associations.extend(freed.map(|subnet| json!({"SubnetId": subnet})));
                }
            }
        }
    }

    /// The records of a question; what is asked about an ARN is the same question whoever asked.
    fn records_of(&self, question: &Question) -> Vec<usize> {
        if let Some(records) = self.by_question.get(question) {
            return records.clone();
        }
        if !question.subject.starts_with("arn:") {
            return Vec::new();
        }
        let same =
            |other: &Question| other.operation == question.operation && other.subject == question.subject;
        let found = self.by_question.iter().find(|(other, _)| same(other));
        found.map(|(_, records)| records.clone()).unwrap_or_default()
    }

    /// The last record of a question that holds a response.
    fn last_page(&self, question: &Question) -> Option<usize> {
        let records = self.records_of(question);
        let answered = |index: &&usize| {
            self.observations.get(**index).is_some_and(|observation| observation.response.is_object())
        };
        records
            .iter()
            .filter(answered)
            .max_by_key(|index| self.observations.get(**index).map(|o| o.page))
            .copied()
    }

    fn items(&mut self, record: usize, member: &str) -> Option<&mut Vec<Value>> {
        let response = self.observations.get_mut(record)?.response.as_object_mut()?;
        response.entry(member).or_insert_with(|| json!([])).as_array_mut()
    }

    fn find(&self, key: &ListKey, id: &str) -> Option<(usize, usize)> {
        let identity = identity(key.question.operation, key.member);
        for record in self.records_of(&key.question) {
            let items = self.observations.get(record).and_then(|o| o.response.get(key.member)?.as_array());
            let position =
                items.into_iter().flatten().position(|item| identify(identity, item).as_deref() == Some(id));
            if let Some(position) = position {
                return Some((record, position));
            }
        }
        None
    }

    fn new_list(&mut self, key: &ListKey, complete: bool) -> usize {
        let response = json!({key.member: []});
        if !complete {
            self.partial.insert(key.question.clone());
        }
        self.push(&key.question, Outcome::Observed, request(&key.question), response, None)
    }

    fn push(
        &mut self,
        question: &Question,
        outcome: Outcome,
        request: Value,
        response: Value,
        problem: Option<Problem>,
    ) -> usize {
        let index = self.observations.len();
        self.observations.push(Observation {
            collector: question.collector.to_owned(),
            operation: question.operation.to_owned(),
            scope: question.scope.clone(),
            subject: question.subject.clone(),
            caller: CALLER.to_owned(),
            observed_at: self.at,
            outcome,
            request,
            response,
            problem,
            page: Page::ONLY,
        });
        self.by_question.entry(question.clone()).or_default().push(index);
        index
    }

    fn answer(&mut self, question: &Question, old: Option<&Answer>, new: Option<&Answer>) {
        let record = self.records_of(question).last().copied();
        let index = match (record, new) {
            (Some(record), _) => record,
            (None, None) => return,
            (None, Some(_)) => self.push(question, Outcome::Observed, request(question), json!({}), None),
        };
        let Some(observation) = self.observations.get_mut(index) else { return };
        let (outcome, response, problem) = match new {
            Some(Answer::Stated(new)) => {
                let base = match (&observation.response, old) {
                    (base @ Value::Object(_), Some(Answer::Stated(old))) => {
                        merge::three_way("", base, old, new)
                    }
                    (Value::Object(base), _) => {
                        let mut merged = Value::Object(base.clone());
                        let members = new.as_object().cloned().unwrap_or_default();
                        for (name, value) in members {
                            if let Value::Object(merged) = &mut merged {
                                merged.insert(name, value);
                            }
                        }
                        merged
                    }
                    _ => new.clone(),
                };
                (Outcome::Observed, base, None)
            }
            Some(Answer::Absent) | None => {
                let message = format!("{} will find none", question.operation);
                (Outcome::Absent, Value::Null, Some(Problem { code: "NotFound".to_owned(), message }))
            }
            Some(Answer::Unknown(what)) => (Outcome::Failed, Value::Null, Some(after_apply(what))),
        };
        observation.outcome = outcome;
        observation.response = response;
        observation.problem = problem;
        observation.page = Page::ONLY;
    }

    /// A further way of putting the question that has no answer, so that the whole of it has none.
    fn gap(&mut self, gap: &Gap) {
        let what = format!("{}.{}", gap.address, gap.argument);
        let problem = after_apply(&what);
        self.unanswered(&gap.question, json!({"plan": what}), problem);
    }

    fn unanswered(&mut self, question: &Question, request: Value, problem: Problem) {
        let index = self.push(question, Outcome::Failed, request, Value::Null, Some(problem));
        let earliest = self
            .records_of(question)
            .into_iter()
            .filter_map(|index| self.observations.get(index))
            .map(|observation| observation.observed_at)
            .min();
        if let (Some(earliest), Some(observation)) = (earliest, self.observations.get_mut(index)) {
            // The newest series speaks for a property; this one only says that the whole is not known.
            observation.observed_at =
                Timestamp::from_seconds(earliest.seconds().saturating_sub(1)).unwrap_or(earliest);
        }
        if let Some(records) = self.by_question.get_mut(question) {
            records.retain(|known| *known != index);
        }
    }

    /// Seals everything.
    pub(crate) fn into_records(mut self) -> Result<Vec<Record>, PlanError> {
        for question in std::mem::take(&mut self.partial) {
            let message = "a plan shows what it manages, and nobody scanned for the rest".to_owned();
            let problem = Problem { code: PLAN_ONLY.to_owned(), message };
            self.unanswered(&question, json!({"plan": "everything else"}), problem);
        }
        let sealed: Result<Vec<Record>, _> = self.observations.into_iter().map(Observation::seal).collect();
        Ok(sealed?)
    }
}

/// Subnets by what the items associate them with.
fn associated(items: &BTreeMap<String, Item>) -> BTreeMap<&str, &str> {
    let mut owners = BTreeMap::new();
    for (id, item) in items {
        for association in item.value.get("Associations").and_then(Value::as_array).into_iter().flatten() {
            if let Some(subnet) = association.get("SubnetId").and_then(Value::as_str) {
                owners.insert(subnet, id.as_str());
            }
        }
    }
    owners
}

fn after_apply(what: &str) -> Problem {
    Problem { code: AFTER_APPLY.to_owned(), message: format!("{what} is known only after apply") }
}

/// How items of a list are told apart.
pub(crate) fn identity(operation: &str, member: &str) -> Identity {
    match (operation, member) {
        (_, "UserDetailList" | "RoleDetailList" | "GroupDetailList" | "Policies") => Identity::At("/Arn"),
        (_, "InstanceProfiles") => Identity::At("/Arn"),
        (_, "Roles") => Identity::At("/Arn"),
        (_, "Keys") => Identity::At("/KeyArn"),
        (_, "Aliases") => Identity::At("/AliasName"),
        (_, "Grants") => Identity::At("/GrantId"),
        (_, "Buckets") => Identity::At("/Name"),
        (_, "Vpcs") => Identity::At("/VpcId"),
        (_, "Subnets") => Identity::At("/SubnetId"),
        (_, "RouteTables") => Identity::At("/RouteTableId"),
        (_, "SecurityGroups") => Identity::At("/GroupId"),
        (_, "NetworkAcls") => Identity::At("/NetworkAclId"),
        (_, "InternetGateways") => Identity::At("/InternetGatewayId"),
        (_, "EgressOnlyInternetGateways") => Identity::At("/EgressOnlyInternetGatewayId"),
        (_, "NatGateways") => Identity::At("/NatGatewayId"),
        (_, "NetworkInterfaces") => Identity::At("/NetworkInterfaceId"),
        (_, "Addresses") => Identity::At("/AllocationId"),
        (_, "VpcEndpoints") => Identity::At("/VpcEndpointId"),
        (_, "VpcPeeringConnections") => Identity::At("/VpcPeeringConnectionId"),
        (_, "FlowLogs") => Identity::At("/FlowLogId"),
        (_, "Reservations") => Identity::At("/Instances/0/InstanceId"),
        (_, "Volumes") => Identity::At("/VolumeId"),
        (_, "trailList") => Identity::At("/TrailARN"),
        (_, "logGroups") => Identity::At("/logGroupName"),
        (_, "topics") => Identity::At("/name"),
        (_, "resources") => Identity::At("/resource_name"),
        (_, "users") => Identity::At("/user"),
        (operation, "value") if operation.starts_with("Microsoft.") => Identity::Folded("/id"),
        _ => Identity::Whole,
    }
}

/// The text that tells an item apart.
pub(crate) fn identify(identity: Identity, item: &Value) -> Option<String> {
    match identity {
        Identity::At(pointer) => item.pointer(pointer)?.as_str().map(str::to_owned),
        Identity::Folded(pointer) => item.pointer(pointer)?.as_str().map(str::to_lowercase),
        Identity::Whole => serde_json_canonicalizer::to_string(item).ok(),
    }
}

/// The request that the collector makes for a question.
fn request(question: &Question) -> Value {
    let subject = question.subject.as_str();
    match question.operation {
        "kms:GetKeyPolicy" => json!({"KeyId": subject, "PolicyName": "default"}),
        operation if operation.starts_with("kms:") && subject.contains(":key/") => json!({"KeyId": subject}),
        operation if operation.starts_with("s3:") && subject.starts_with("arn:") => {
            json!({"Bucket": subject.rsplit(':').next()})
        }
        "cloudtrail:GetTrailStatus" => json!({"Name": subject}),
        "cloudtrail:GetEventSelectors" => json!({"TrailName": subject}),
        "kafka:DescribeConfigs" => json!({"resource_type": "TOPIC", "resource_names": []}),
        _ => json!({}),
    }
}

/// One permission for each peer, as the plan's side writes them, so that one peer can be taken away.
fn flatten_permissions(item: &mut Value) {
    const PEERS: [&str; 4] = ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"];
    for list in ["IpPermissions", "IpPermissionsEgress"] {
        let Some(Value::Array(permissions)) = item.get_mut(list) else { continue };
        let mut flat = Vec::new();
        for permission in permissions.iter() {
            let Value::Object(members) = permission else { continue };
            let mut common: Map<String, Value> = members.clone();
            common.retain(|name, _| !PEERS.contains(&name.as_str()));
            for peers in PEERS {
                for peer in members.get(peers).and_then(Value::as_array).into_iter().flatten() {
                    let mut one = common.clone();
                    one.insert(peers.to_owned(), json!([peer]));
                    flat.push(Value::Object(one));
                }
            }
        }
        *permissions = flat;
    }
}
