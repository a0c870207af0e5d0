//! What is asked of the query engine, which is a program of its own (`cadastre-query`): one request as JSON.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

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
    /// Where the logs are.
    pub sources: Sources,
    /// How it is answered.
    pub format: AnswerFormat,
}
