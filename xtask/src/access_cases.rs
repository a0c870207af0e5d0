//! Generated cases for batch evaluation: every kind of principal, policy, operator and special rule, from a seed.
//!
//! Words are drawn from small pools, so that what policies say and what requests carry meet often.

use serde_json::{Map, Value, json};

use crate::access_scenarios::{Scenario, scenario};

pub(crate) const HOME: &str = "111122223333";
pub(crate) const AWAY: &str = "444455556666";

/// A small generator of numbers (splitmix64), so that a seed gives the same cases everywhere.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of some.
    pub(crate) fn one<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }
}

/// The kinds of value that condition keys have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Arn,
    Number,
    Date,
    Flag,
    Address,
    Several,
}

/// Keys that every request may carry, with their values.
const KEYS: [(&str, Kind, &[&str]); 22] = [
    (
        "aws:SourceIp",
        Kind::Address,
        &["10.0.0.1", "192.0.2.44", "203.0.113.7", "2001:db8::1", "2001:db8:1:2::3"],
    ),
    ("aws:VpcSourceIp", Kind::Address, &["10.0.0.1", "10.9.8.7"]),
    ("aws:SourceVpce", Kind::Text, &["vpce-1a2b", "vpce-3c4d"]),
    ("aws:SourceVpc", Kind::Text, &["vpc-1", "vpc-2"]),
    ("aws:PrincipalTag/team", Kind::Text, &["red", "Blue", "blue", "r*d"]),
    ("aws:RequestTag/env", Kind::Text, &["prod", "test"]),
    ("aws:PrincipalOrgID", Kind::Text, &["o-example1", "o-example2"]),
    ("aws:userid", Kind::Text, &["AIDAEXAMPLE", "AROAEXAMPLE:one"]),
    ("aws:username", Kind::Text, &["ann", "bob"]),
    ("aws:UserAgent", Kind::Text, &["aws-cli/2", "UmVk"]),
    ("aws:RequestedRegion", Kind::Text, &["us-east-1", "eu-west-1"]),
    ("aws:SourceAccount", Kind::Text, &[HOME, AWAY]),
    (
        "aws:PrincipalArn",
        Kind::Arn,
        &["arn:aws:iam::111122223333:role/app", "arn:aws:iam::111122223333:user/ann"],
    ),
    ("aws:SourceArn", Kind::Arn, &["arn:aws:s3:::data", "arn:aws:sns:us-east-1:111122223333:topic-a"]),
    ("aws:MultiFactorAuthAge", Kind::Number, &["10", "900", "3600"]),
    ("aws:CurrentTime", Kind::Date, &["2026-07-01T00:00:00Z", "2026-07-02T12:30:00Z"]),
    ("aws:TokenIssueTime", Kind::Date, &["2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z"]),
    ("aws:MultiFactorAuthPresent", Kind::Flag, &["true", "false"]),
    ("aws:SecureTransport", Kind::Flag, &["true", "false"]),
    ("aws:TagKeys", Kind::Several, &["team", "env", "Env", "cost"]),
    ("aws:CalledVia", Kind::Several, &["athena.amazonaws.com", "cloudformation.amazonaws.com"]),
    ("aws:PrincipalOrgPaths", Kind::Several, &["o-example1/r-1/ou-1/", "o-example1/r-1/ou-2/"]),
];

const VARIABLES: [&str; 6] = [
    "${aws:PrincipalTag/team}",
    "${aws:username}",
    "${aws:PrincipalTag/absent, 'red'}",
    "${aws:PrincipalTag/absent}",
    "${aws:SourceVpc}",
    "${aws:PrincipalOrgID}",
];

/// The case of a number; `id` is told back by whoever answers.
pub(crate) fn case(dice: &mut Dice, id: u64) -> Value {
    let scenario = scenario(dice);
    let mut maker = Maker { dice, scenario, context: Map::new() };
    maker.carry();
    let policies = maker.policies();
    let Maker { scenario, context, .. } = maker;
    json!({
        "id": id.to_string(),
        "request": {
            "principal": scenario.principal, "principalAccount": scenario.principal_account,
            "action": scenario.action, "resource": scenario.resource,
            "resourceAccount": scenario.resource_account, "context": context, "contextComplete": true
        },
        "policies": policies
    })
}

struct Maker<'a> {
    dice: &'a mut Dice,
    scenario: Scenario,
    context: Map<String, Value>,
}

impl Maker<'_> {
    /// Fills the context.
    fn carry(&mut self) {
        let own = self.scenario.keys;
        for (key, kind, values) in KEYS.iter().map(|(key, kind, values)| (*key, *kind, *values)) {
            if self.dice.chance(35) {
                let value = self.value(kind, values);
                self.context.insert(key.to_owned(), value);
            }
        }
        if self.dice.chance(3) {
            let account = self.dice.one(&[HOME, AWAY]);
            self.context.insert("aws:PrincipalOrgMasterAccountId".to_owned(), account.into());
        }
        for (key, several, values) in own {
            if self.dice.chance(60) {
                let kind = if *several { Kind::Several } else { Kind::Text };
                let value = self.value(kind, values);
                self.context.insert((*key).to_owned(), value);
            }
        }
    }

    fn value(&mut self, kind: Kind, values: &[&str]) -> Value {
        let one = self.dice.one(values);
        match kind {
            Kind::Several if self.dice.chance(2) => json!([]),
            Kind::Several => {
                let mut list: Vec<&str> = values.iter().copied().filter(|_| self.dice.chance(45)).collect();
                if list.is_empty() {
                    list.push(one);
                }
                json!(list)
            }
            Kind::Number if self.dice.chance(40) => json!(one.parse::<u32>().unwrap_or(0)),
            Kind::Flag if self.dice.chance(40) => json!(one == "true"),
            _ => json!(one),
        }
    }

    fn policies(&mut self) -> Value {
        let mut policies = Map::new();
        let signed = !self.scenario.unsigned;
        if signed && self.scenario.has_identity {
            let count = if self.dice.chance(85) { 1 + self.dice.below(2) } else { 0 };
            let list: Vec<Value> = (0..count).map(|_| self.policy(Place::Identity)).collect();
            policies.insert("identity".to_owned(), list.into());
            if self.dice.chance(22) && !self.scenario.is_root {
                let boundary = self.policy(Place::Limit);
                policies.insert("boundary".to_owned(), boundary);
            }
            if self.dice.chance(30) && self.scenario.is_session {
                let session = self.policy(Place::Limit);
                policies.insert("session".to_owned(), session);
            }
            if self.dice.chance(35) {
                let levels = self.levels(Place::ServiceControl);
                policies.insert("scp".to_owned(), levels);
            }
        }
        if self.scenario.wants_policy || self.dice.chance(if self.scenario.takes_policy { 65 } else { 0 }) {
            let resource = self.policy(Place::Resource);
            policies.insert("resource".to_owned(), resource);
        }
        if self.dice.chance(25) {
            let levels = self.levels(Place::ResourceControl);
            policies.insert("rcp".to_owned(), levels);
        }
        if self.dice.chance(12) {
            let endpoint = self.policy(Place::Endpoint);
            policies.insert("endpoint".to_owned(), endpoint);
        }
        policies.into()
    }

    fn levels(&mut self, place: Place) -> Value {
        let mut levels = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let mut level = Vec::new();
            if place == Place::ResourceControl {
                level.push(json!({"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}));
                if self.dice.chance(45) {
                    level.push(self.policy(place));
                }
            } else {
                if self.dice.chance(80) {
                    level.push(json!({"Version": "2012-10-17", "Statement":
                        [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}));
                }
                if level.is_empty() || self.dice.chance(35) {
                    level.push(self.policy(place));
                }
            }
            levels.push(Value::from(level));
        }
        levels.into()
    }

    fn policy(&mut self, place: Place) -> Value {
        let version = match self.dice.below(100) {
            // Control policies have one version only.
            _ if place == Place::ResourceControl => Some("2012-10-17"),
            0..=6 => Some("2008-10-17"),
            7..=8 => None,
            _ => Some("2012-10-17"),
        };
        let count = 1 + self.dice.below(3);
        let mut statements: Vec<Value> = (0..count).map(|_| self.statement(place)).collect();
        let mut policy = Map::new();
        if let Some(version) = version {
            policy.insert("Version".to_owned(), version.into());
        }
        let statement = match statements.pop() {
            Some(single) if statements.is_empty() && self.dice.chance(20) => single,
            last => {
                statements.extend(last);
                statements.into()
            }
        };
        policy.insert("Statement".to_owned(), statement);
        policy.into()
    }

    fn statement(&mut self, place: Place) -> Value {
        let mut statement = Map::new();
        let denies = match place {
            Place::ResourceControl => true,
            Place::Limit | Place::Endpoint => self.dice.chance(12),
            _ => self.dice.chance(16),
        };
        statement.insert("Effect".to_owned(), if denies { "Deny" } else { "Allow" }.into());
        if matches!(place, Place::Resource | Place::Endpoint | Place::ResourceControl) {
            self.principal(place, denies, &mut statement);
        }
        let inverted = place != Place::ResourceControl && self.dice.chance(8);
        let action = self.action(inverted != denies, place);
        statement.insert(if inverted { "NotAction" } else { "Action" }.to_owned(), action);
        if !(self.scenario.is_trust && place == Place::Resource) {
            let inverted = self.dice.chance(7);
            let resource = self.resource(inverted != denies);
            statement.insert(if inverted { "NotResource" } else { "Resource" }.to_owned(), resource);
        }
        if self.dice.chance(if denies { 60 } else { 38 }) {
            let condition = self.condition();
            statement.insert("Condition".to_owned(), condition);
        }
        statement.into()
    }

    fn principal(&mut self, place: Place, denies: bool, statement: &mut Map<String, Value>) {
        if place == Place::ResourceControl || place == Place::Endpoint {
            statement.insert("Principal".to_owned(), "*".into());
            return;
        }
        let inverted = place == Place::Resource && self.dice.chance(if denies { 25 } else { 3 });
        let mut names: Vec<Value> = Vec::new();
        for _ in 0..=self.dice.below(2) {
            names.push(self.name());
        }
        let mut kinds: Map<String, Value> = Map::new();
        for name in names {
            let Value::Object(name) = name else {
                // Everybody: written alone, in either form.
                if inverted {
                    continue;
                }
                let form = if self.dice.chance(50) { json!("*") } else { json!({"AWS": "*"}) };
                statement.insert("Principal".to_owned(), form);
                return;
            };
            for (kind, value) in name {
                let list = kinds.entry(kind).or_insert_with(|| json!([]));
                if let Value::Array(list) = list
                    && !list.contains(&value)
                {
                    list.push(value);
                }
            }
        }
        if kinds.is_empty() {
            kinds.insert("AWS".to_owned(), json!([format!("arn:aws:iam::{HOME}:role/other")]));
        }
        statement.insert(if inverted { "NotPrincipal" } else { "Principal" }.to_owned(), kinds.into());
    }

    /// Somebody a resource policy may name; text for everybody.
    fn name(&mut self) -> Value {
        let own = &self.scenario;
        let root = |account: &str| json!({"AWS": format!("arn:aws:iam::{account}:root")});
        match self.dice.below(14) {
            0..=3 if !own.names.is_empty() => {
                let place = self.dice.below(self.scenario.names.len());
                self.scenario.names.get(place).cloned().unwrap_or_default()
            }
            4 | 5 => root(if own.principal_account.is_empty() { HOME } else { &own.principal_account }),
            6 => json!({"AWS": own.resource_account}),
            7 | 8 => json!("*"),
            9 => json!({"AWS": format!("arn:aws:iam::{HOME}:role/other")}),
            10 => root(AWAY),
            11 => json!({"Service": "events.amazonaws.com"}),
            _ => root(HOME),
        }
    }

    fn action(&mut self, narrow: bool, place: Place) -> Value {
        let count = if self.dice.chance(70) { 1 } else { 2 };
        let mut list: Vec<Value> = (0..count).map(|_| self.one_action(narrow, place).into()).collect();
        list.dedup();
        match list.pop() {
            Some(single) if list.is_empty() && self.dice.chance(70) => single,
            last => {
                list.extend(last);
                list.into()
            }
        }
    }

    fn one_action(&mut self, narrow: bool, place: Place) -> String {
        let action = self.scenario.action;
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        let head = name.get(..3).unwrap_or(name);
        let tail = name.get(name.len().saturating_sub(4)..).unwrap_or(name);
        match self.dice.below(if narrow { 12 } else { 10 }) {
            0..=2 => action.to_owned(),
            3 => format!("{service}:{}", name.to_ascii_uppercase()),
            4 => format!("{service}:{head}*"),
            5 => format!("{service}:*{tail}"),
            6 => format!("{service}:*"),
            7 if place != Place::ResourceControl => "*".to_owned(),
            8 => format!("{service}:?{}", name.get(1..).unwrap_or(name)),
            9 if narrow => format!("{service}:List*"),
            _ => format!("{service}:{}", self.scenario.other_action),
        }
    }

    fn resource(&mut self, narrow: bool) -> Value {
        let count = if self.dice.chance(70) { 1 } else { 2 };
        let mut list: Vec<Value> = (0..count).map(|_| self.one_resource(narrow).into()).collect();
        list.dedup();
        match list.pop() {
            Some(single) if list.is_empty() && self.dice.chance(70) => single,
            last => {
                list.extend(last);
                list.into()
            }
        }
    }

    fn one_resource(&mut self, narrow: bool) -> String {
        let resource = self.scenario.resource.clone();
        if resource == "*" {
            return if self.dice.chance(85) { resource } else { "arn:aws:s3:::data".to_owned() };
        }
        let mut parts: Vec<String> = resource.splitn(6, ':').map(str::to_owned).collect();
        let Some(last) = parts.pop() else { return resource };
        let head = parts.join(":");
        let (kind, name) = match last.rsplit_once(['/', ':']) {
            Some((kind, name)) => (last.get(..=kind.len()).unwrap_or_default().to_owned(), name.to_owned()),
            None => (String::new(), last.clone()),
        };
        match self.dice.below(if narrow { 13 } else { 11 }) {
            0 | 1 => resource,
            2 | 3 => "*".to_owned(),
            4 => format!("{head}:{kind}*"),
            5 => format!("{head}:{kind}{}*", name.get(..1).unwrap_or_default()),
            6 => format!("{head}:{kind}*{}", name.get(1..).unwrap_or_default()),
            7 => format!("{head}:{kind}?{}", name.get(1..).unwrap_or_default()),
            8 if self.dice.chance(50) => format!("{head}:{kind}{}", self.dice.one(&VARIABLES)),
            8 => format!("{head}:{kind}${{*}}"),
            9 => {
                if let Some(account) = parts.get_mut(4).filter(|account| !account.is_empty()) {
                    "*".clone_into(account);
                }
                if let Some(region) = parts.get_mut(3).filter(|region| !region.is_empty()) {
                    "us-*".clone_into(region);
                }
                format!("{}:{last}", parts.join(":"))
            }
            10 => format!("{head}:{kind}{}", name.to_ascii_uppercase()),
            _ => format!("{head}:{kind}else"),
        }
    }

    fn condition(&mut self) -> Value {
        let mut block: Map<String, Value> = Map::new();
        for _ in 0..=self.dice.below(2) {
            let own = self.scenario.keys;
            let (key, kind, values) = if !own.is_empty() && self.dice.chance(20) {
                let (key, several, values) = own.get(self.dice.below(own.len())).copied().unwrap_or_default();
                (key, if several { Kind::Several } else { Kind::Text }, values)
            } else {
                let present: Vec<_> =
                    KEYS.iter().filter(|(key, ..)| self.context.contains_key(*key)).collect();
                match present.get(self.dice.below(present.len())) {
                    Some((key, kind, values)) if self.dice.chance(80) => (*key, *kind, *values),
                    _ => KEYS.get(self.dice.below(KEYS.len())).copied().unwrap_or(("", Kind::Text, &[])),
                }
            };
            let (operator, wanted) = self.test(kind, values);
            let written = if self.dice.chance(8) { key.to_ascii_lowercase() } else { key.to_owned() };
            let keys = block.entry(operator).or_insert_with(|| json!({}));
            if let Value::Object(keys) = keys
                && !keys.keys().any(|other| other.eq_ignore_ascii_case(&written))
            {
                keys.insert(written, wanted);
            }
        }
        block.into()
    }

    /// An operator that fits a kind of value, and what it compares with.
    fn test(&mut self, kind: Kind, values: &[&str]) -> (String, Value) {
        if self.dice.chance(7) {
            return ("Null".to_owned(), self.dice.one(&["true", "false"]).into());
        }
        let base = match kind {
            Kind::Text | Kind::Several => self.dice.one(&[
                "StringEquals",
                "StringEquals",
                "StringNotEquals",
                "StringLike",
                "StringNotLike",
                "StringEqualsIgnoreCase",
                "StringNotEqualsIgnoreCase",
            ]),
            Kind::Arn => self.dice.one(&["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringLike"]),
            Kind::Number => self.dice.one(&[
                "NumericEquals",
                "NumericNotEquals",
                "NumericLessThan",
                "NumericLessThanEquals",
                "NumericGreaterThan",
                "NumericGreaterThanEquals",
            ]),
            Kind::Date => self.dice.one(&[
                "DateEquals",
                "DateNotEquals",
                "DateLessThan",
                "DateLessThanEquals",
                "DateGreaterThan",
                "DateGreaterThanEquals",
            ]),
            Kind::Flag => "Bool",
            Kind::Address => self.dice.one(&["IpAddress", "IpAddress", "NotIpAddress"]),
        };
        let base = if kind == Kind::Text && self.dice.chance(4) { "BinaryEquals" } else { base };
        let mut operator = match kind {
            Kind::Several if self.dice.chance(90) => {
                format!("{}:{base}", self.dice.one(&["ForAnyValue", "ForAllValues"]))
            }
            _ if self.dice.chance(4) => format!("{}:{base}", self.dice.one(&["ForAnyValue", "ForAllValues"])),
            _ => base.to_owned(),
        };
        if self.dice.chance(18) {
            operator.push_str("IfExists");
        }
        let count = if self.dice.chance(65) { 1 } else { 2 };
        let mut wanted: Vec<Value> = (0..count).map(|_| self.wanted(kind, base, values).into()).collect();
        wanted.dedup();
        let wanted = match wanted.pop() {
            Some(single) if wanted.is_empty() && self.dice.chance(60) => single,
            last => {
                wanted.extend(last);
                wanted.into()
            }
        };
        (operator, wanted)
    }

    fn wanted(&mut self, kind: Kind, base: &str, values: &[&str]) -> String {
        let one = self.dice.one(values).to_owned();
        match kind {
            Kind::Address => match self.dice.below(9) {
                0 => one,
                1 => "10.0.0.0/8".to_owned(),
                2 => "192.0.2.0/24".to_owned(),
                3 => "203.0.113.0/29".to_owned(),
                4 => "2001:db8::/32".to_owned(),
                5 => "2001:DB8:1:2::/64".to_owned(),
                6 => "198.51.100.0/24".to_owned(),
                7 if self.dice.chance(40) => "0.0.0.0/0".to_owned(),
                _ => "10.0.0.0/28".to_owned(),
            },
            Kind::Date if self.dice.chance(5) => "1782864000".to_owned(),
            Kind::Date if self.dice.chance(10) => "2026-07-01".to_owned(),
            Kind::Text | Kind::Several if base == "BinaryEquals" => one,
            Kind::Text | Kind::Several => match self.dice.below(12) {
                0 if base.contains("Like") => "*".to_owned(),
                1 | 2 if base.contains("Like") => format!("{}*", one.get(..2).unwrap_or(&one)),
                3 if base.contains("Like") => format!("?{}", one.get(1..).unwrap_or_default()),
                4 if base.contains("IgnoreCase") => one.to_ascii_uppercase(),
                5 if self.dice.chance(60) => self.dice.one(&VARIABLES).to_owned(),
                6 if self.dice.chance(10) => "r${*}d".to_owned(),
                7 => "other".to_owned(),
                _ => one,
            },
            Kind::Arn => match self.dice.below(6) {
                0 => "arn:aws:iam::*:role/*".to_owned(),
                1 => "arn:aws:iam::111122223333:*".to_owned(),
                2 => "arn:aws:s3:::d?ta".to_owned(),
                3 => "arn:aws:iam::111122223333:user/${aws:username}".to_owned(),
                _ => one,
            },
            Kind::Number if self.dice.chance(20) => "100".to_owned(),
            Kind::Number | Kind::Date | Kind::Flag => one,
        }
    }
}

/// Where a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Identity,
    /// A boundary or a session's policy.
    Limit,
    Resource,
    ServiceControl,
    ResourceControl,
    Endpoint,
}
