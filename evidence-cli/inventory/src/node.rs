//! A place inside a record's response, and reading what stands there without ever guessing.

use cadastre_model::asset::{PolicyDocument, PolicyKind, StatementRef};
use cadastre_model::inventory::Unreadable;
use cadastre_model::shared::SharedDocument;
use cadastre_model::{Record, Timestamp};
use ipnet::IpNet;
use serde_json::Value;

/// What could not be read, and where; boxed because it is rare.
pub(crate) type Defect = Box<Unreadable>;

/// The result of reading one thing.
pub(crate) type Read<T> = Result<T, Defect>;

/// A JSON value in a record, with the pointer that leads to it.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) record: &'a Record,
    pub(crate) value: &'a Value,
    /// RFC 6901, from the root of the record.
    pub(crate) pointer: String,
}

impl<'a> Node<'a> {
    /// The response of a record.
    pub(crate) fn response(record: &'a Record) -> Self {
        Self { record, value: &record.response, pointer: "/response".to_owned() }
    }

    /// The request of a record.
    pub(crate) fn request(record: &'a Record) -> Self {
        Self { record, value: &record.request, pointer: "/request".to_owned() }
    }

    /// A defect at this place.
    pub(crate) fn defect(&self, expected: &str) -> Defect {
        self.defect_at(self.pointer.clone(), expected)
    }

    fn member_defect(&self, member: &str, expected: &str) -> Defect {
        self.defect_at(self.member_pointer(member), expected)
    }

    fn defect_at(&self, pointer: String, expected: &str) -> Defect {
        Box::new(Unreadable {
            record: self.record.id().clone(),
            operation: self.record.operation.clone(),
            subject: self.record.subject.clone(),
            pointer,
            problem: expected.to_owned(),
        })
    }

    fn member_pointer(&self, member: &str) -> String {
        format!("{}/{}", self.pointer, member.replace('~', "~0").replace('/', "~1"))
    }

    /// The account that was asked.
    pub(crate) fn account(&self) -> Read<&'a str> {
        let account = self.record.scope.account.as_deref();
        account.ok_or_else(|| self.defect_at("/scope/account".to_owned(), "an account"))
    }

    /// The region that was asked.
    pub(crate) fn region(&self) -> Read<&'a str> {
        let region = self.record.scope.region.as_deref();
        region.ok_or_else(|| self.defect_at("/scope/region".to_owned(), "a region"))
    }

    /// A member's value; `null` counts as left out.
    fn value_of(&self, member: &str) -> Read<Option<&'a Value>> {
        match self.value {
            Value::Object(members) => Ok(members.get(member).filter(|value| !value.is_null())),
            _ => Err(self.defect("an object")),
        }
    }

    /// A member that may be left out.
    pub(crate) fn member(&self, member: &str) -> Read<Option<Self>> {
        let value = self.value_of(member)?;
        Ok(value.map(|value| Self { record: self.record, value, pointer: self.member_pointer(member) }))
    }

    fn read<T>(
        &self,
        member: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Read<Option<T>> {
        match self.value_of(member)? {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.member_defect(member, expected)),
        }
    }

    fn required<T>(&self, member: &str, expected: &str, read: Option<T>) -> Read<T> {
        read.ok_or_else(|| self.member_defect(member, expected))
    }

    pub(crate) fn optional_text(&self, member: &str) -> Read<Option<&'a str>> {
        self.read(member, "a string", Value::as_str)
    }

    pub(crate) fn text(&self, member: &str) -> Read<&'a str> {
        self.required(member, "a string", self.optional_text(member)?)
    }

    pub(crate) fn owned_text(&self, member: &str) -> Read<String> {
        self.text(member).map(str::to_owned)
    }

    pub(crate) fn optional_owned_text(&self, member: &str) -> Read<Option<String>> {
        Ok(self.optional_text(member)?.map(str::to_owned))
    }

    pub(crate) fn optional_boolean(&self, member: &str) -> Read<Option<bool>> {
        self.read(member, "true or false", Value::as_bool)
    }

    pub(crate) fn boolean(&self, member: &str) -> Read<bool> {
        self.required(member, "true or false", self.optional_boolean(member)?)
    }

    pub(crate) fn optional_integer(&self, member: &str) -> Read<Option<i64>> {
        self.read(member, "a whole number", Value::as_i64)
    }

    /// A whole number within the bounds of its type.
    pub(crate) fn integer<T: TryFrom<i64>>(&self, member: &str) -> Read<T> {
        let integer = self.required(member, "a whole number", self.optional_integer(member)?)?;
        T::try_from(integer).ok().ok_or_else(|| self.member_defect(member, "a whole number within bounds"))
    }

    /// How many of something.
    pub(crate) fn count(&self, member: &str) -> Read<u64> {
        self.integer::<u64>(member)
    }

    pub(crate) fn optional_time(&self, member: &str) -> Read<Option<Timestamp>> {
        self.read(member, "a time (RFC 3339)", |value| value.as_str()?.parse().ok())
    }

    pub(crate) fn time(&self, member: &str) -> Read<Timestamp> {
        self.required(member, "a time (RFC 3339)", self.optional_time(member)?)
    }

    pub(crate) fn optional_range(&self, member: &str) -> Read<Option<IpNet>> {
        self.read(member, "an address range", |value| {
            value.as_str()?.parse::<IpNet>().ok().map(|range| range.trunc())
        })
    }

    pub(crate) fn range(&self, member: &str) -> Read<IpNet> {
        self.required(member, "an address range", self.optional_range(member)?)
    }

    pub(crate) fn optional_object(&self, member: &str) -> Read<Option<Self>> {
        match self.member(member)? {
            Some(node) if !node.value.is_object() => Err(node.defect("an object")),
            node => Ok(node),
        }
    }

    pub(crate) fn object(&self, member: &str) -> Read<Self> {
        self.required(member, "an object", self.optional_object(member)?)
    }

    /// A list that may be left out, which then counts as empty. Only for what the service leaves out when
    /// there is none.
    pub(crate) fn optional_list(&self, member: &str) -> Read<Vec<Self>> {
        Ok(self.list_or_none(member)?.unwrap_or_default())
    }

    pub(crate) fn list(&self, member: &str) -> Read<Vec<Self>> {
        self.required(member, "a list", self.list_or_none(member)?)
    }

    fn list_or_none(&self, member: &str) -> Read<Option<Vec<Self>>> {
        let Some(node) = self.member(member)? else { return Ok(None) };
        let Value::Array(items) = node.value else { return Err(node.defect("a list")) };
        let items = items.iter().enumerate();
        Ok(Some(
            items
                .map(|(index, value)| Self {
                    record: self.record,
                    value,
                    pointer: format!("{}/{index}", node.pointer),
                })
                .collect(),
        ))
    }

    /// A list of strings.
    pub(crate) fn texts(&self, member: &str) -> Read<Vec<String>> {
        self.list(member)?.iter().map(Self::own_text).collect()
    }

    /// A list of strings that may be left out.
    pub(crate) fn optional_texts(&self, member: &str) -> Read<Vec<String>> {
        self.optional_list(member)?.iter().map(Self::own_text).collect()
    }

    /// The node itself as a string.
    pub(crate) fn own_text(&self) -> Read<String> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.defect("a string"))
    }

    /// The same member of every item of a list, where it is there.
    pub(crate) fn texts_of(&self, list: &str, member: &str) -> Read<Vec<String>> {
        let items = self.optional_list(list)?;
        items.iter().filter_map(|item| item.optional_owned_text(member).transpose()).collect()
    }

    /// The same range of every item of a list, where it is there.
    pub(crate) fn ranges_of(&self, list: &str, member: &str) -> Read<Vec<IpNet>> {
        let items = self.optional_list(list)?;
        items.iter().filter_map(|item| item.optional_range(member).transpose()).collect()
    }

    /// A policy document in a member that may be left out. One that its collector could not parse is a
    /// string, and is kept as that.
    pub(crate) fn policy(&self, member: &str, name: &str, kind: PolicyKind) -> Read<Option<PolicyDocument>> {
        self.member(member)?.map(|node| node.as_policy(name, kind)).transpose()
    }

    /// The node itself as a policy document.
    pub(crate) fn as_policy(&self, name: &str, kind: PolicyKind) -> Read<PolicyDocument> {
        self.as_policy_sharing(name, kind, &self.value.clone().into())
    }

    /// The same, with a document that others share.
    pub(crate) fn as_policy_sharing(
        &self,
        name: &str,
        kind: PolicyKind,
        document: &SharedDocument,
    ) -> Read<PolicyDocument> {
        if !self.value.is_object() && !self.value.is_string() {
            return Err(self.defect("a policy document"));
        }
        Ok(PolicyDocument {
            name: name.to_owned(),
            kind,
            record: self.record.id().clone(),
            pointer: self.pointer.clone(),
            document: document.clone(),
        })
    }

    /// The node as the proof of a decision.
    pub(crate) fn as_statement(&self, policy: &str) -> StatementRef {
        StatementRef {
            policy: policy.into(),
            record: self.record.id().clone(),
            pointer: self.pointer.as_str().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::record::Page;
    use cadastre_model::{Observation, Outcome, Scope};
    use serde_json::json;

    fn record(response: Value) -> Record {
        Observation {
            collector: "aws".into(),
            operation: "s3:GetBucketPolicy".into(),
            scope: Scope::account("111122223333"),
            subject: "arn:aws:s3:::b".into(),
            caller: String::new(),
            observed_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            outcome: Outcome::Observed,
            request: json!({}),
            response,
            problem: None,
            page: Page::ONLY,
        }
        .seal()
        .unwrap()
    }

    #[track_caller]
    fn check(response: Value, read: impl Fn(&Node<'_>) -> Option<Defect>, pointer: &str) {
        let record = record(response);
        let defect = read(&Node::response(&record)).unwrap();
        assert_eq!(defect.pointer, pointer);
        assert_eq!(&defect.record, record.id());
    }

    #[test]
    fn what_is_not_as_expected_is_named_by_its_pointer() {
        check(json!([]), |node| node.text("A").err(), "/response");
        check(json!(null), |node| node.optional_text("A").err(), "/response");
        check(json!({}), |node| node.text("A").err(), "/response/A");
        check(json!({"A": null}), |node| node.boolean("A").err(), "/response/A");
        check(json!({"A": 1}), |node| node.optional_text("A").err(), "/response/A");
        check(json!({"A": 70_000}), |node| node.integer::<u16>("A").err(), "/response/A");
        check(json!({"A": "x"}), |node| node.list("A").err(), "/response/A");
        check(json!({"A": [{"B": 1}]}), |node| node.texts_of("A", "B").err(), "/response/A/0/B");
        check(json!({"A": ["x", 1]}), |node| node.texts("A").err(), "/response/A/1");
        check(json!({"A": "10.0.0.0/40"}), |node| node.range("A").err(), "/response/A");
        check(json!({"A": "soon"}), |node| node.time("A").err(), "/response/A");
        check(json!({"A": 5}), |node| node.policy("A", "p", PolicyKind::Resource).err(), "/response/A");
        check(json!({"a/b~c": 1}), |node| node.text("a/b~c").err(), "/response/a~1b~0c");
    }

    #[test]
    fn a_policy_document_points_back_into_its_record() {
        let record = record(json!({"Policy": {"Statement": []}}));
        let policy =
            Node::response(&record).policy("Policy", "bucket-policy", PolicyKind::Resource).unwrap().unwrap();
        let whole = serde_json::to_value(&record).unwrap();
        assert_eq!(whole.pointer(&policy.pointer), Some(&*policy.document));
    }
}
