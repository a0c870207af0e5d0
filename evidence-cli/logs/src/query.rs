//! What is asked of the query engine, which is a program of its own (`cadastre-query`): one request as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use cadastre_model::declaration::Declaration;
use serde::{Deserialize, Serialize};

use crate::flows::{CloudRanges, Naming};

/// The tables that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableName {
    /// Flow logs: VPC's, and Azure's of VNets and NSGs.
    Flows,
    /// CloudTrail's events.
    Events,
    /// Azure's activity log.
    Activity,
}

impl TableName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Flows, Self::Events, Self::Activity];

    /// As a query names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Events => "events",
            Self::Activity => "activity",
        }
    }
}

/// What names addresses: with it, the table of flows has the columns that say what they mean.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamingInput {
    /// The customer's declaration.
    pub declaration: Declaration,
    /// Addresses of assets, by name.
    pub assets: Vec<(IpAddr, String)>,
    /// Ranges that clouds publish.
    pub ranges: CloudRanges,
}

impl NamingInput {
    /// Ready to name.
    #[must_use]
    pub fn naming(&self) -> Naming {
        Naming::new(&self.declaration, self.assets.iter().cloned(), &self.ranges)
    }
}

/// Where the logs are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sources {
    /// The directory of each table.
    pub directories: BTreeMap<TableName, PathBuf>,
    /// What names the addresses of flows.
    pub naming: Option<NamingInput>,
}

/// Who answers a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Engine {
    /// One process, on this machine.
    #[default]
    Here,
    /// A cluster, by its scheduler. Every machine of it sees the same files under the same paths.
    Ballista(SchedulerAddress),
}

/// Where a cluster's scheduler listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerAddress {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// A TCP port, not 0.
    pub port: u16,
}

/// The text names no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no query engine: it is `here` or `ballista://HOST:PORT`")]
pub struct EngineError(String);

impl FromStr for Engine {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "here" {
            return Ok(Self::Here);
        }
        let address = text.strip_prefix("ballista://").and_then(|rest| {
            let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port != 0)?;
            is_host(host).then(|| SchedulerAddress { host: host.to_owned(), port })
        });
        address.map(Self::Ballista).ok_or_else(|| EngineError(text.to_owned()))
    }
}

/// Nothing that a URL would take for something else than a host (RFC 3986 §3.2.2).
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    }
}

impl fmt::Display for SchedulerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("here"),
            Self::Ballista(address) => write!(f, "ballista://{address}"),
        }
    }
}

impl TryFrom<String> for Engine {
    type Error = EngineError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Engine> for String {
    fn from(engine: Engine) -> Self {
        engine.to_string()
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerFormat {
    /// For people.
    Table,
    /// For programs: `{"columns":[…],"rows":[{…}],"read":{…}}`.
    Json,
    /// Rows as comma-separated values (RFC 4180).
    Csv,
}

/// A query, what it is asked of, and how it is answered. The program answers on standard output, names what it could not
/// use on standard error, and ends with 0 when all was used, 4 when something was not, and 1 when there is no answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryRequest {
    /// The query.
    pub sql: String,
    /// Who answers it.
    #[serde(default)]
    pub engine: Engine,
    /// Where the logs are.
    pub sources: Sources,
    /// How it is answered.
    pub format: AnswerFormat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_here_or_a_scheduler_of_a_cluster() {
        for text in [
            "here",
            "ballista://127.0.0.1:50050",
            "ballista://[::1]:50050",
            "ballista://scheduler.internal:1",
        ] {
            assert_eq!(text.parse::<Engine>().unwrap().to_string(), text);
        }
        assert_eq!("ballista://a:1/".parse::<Engine>().unwrap().to_string(), "ballista://a:1");
        for text in [
            "",
            "there",
            "ballista://",
            "ballista://host",
            "ballista://host:0",
            "ballista://host:65536",
            "ballista://:50050",
            "ballista://user@host:1",
            "ballista://host/x:1",
            "ballista://[fe80::zz]:1",
            "http://host:1",
        ] {
            assert_eq!(text.parse::<Engine>(), Err(EngineError(text.to_owned())), "{text}");
        }
    }
}
