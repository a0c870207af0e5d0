//! Arguments of `cadastre path`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::assess::TableFormat;

/// `cadastre path`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre path evidence -b boundary.yaml --from internet --to i-0123456789abcdef0 --port 9092
  cadastre path evidence -b boundary.yaml --from eni-0a1b2c3d --to eni-4d5e6f70 --port 9092-9094
  cadastre path evidence -b boundary.yaml --from i-0123456789abcdef0 --to internet --format json
  cadastre path evidence -b boundary.yaml --from nic:jump --to vm:kafka-1 --port 22

Follows a connection through security groups, routes, network ACLs and gateways to the other end and its replies back, and tells each part of
the addresses and ports that meets another fate. What decides stands in docs/reachability.md, for Azure in docs/reachability-azure.md.

Exit codes: 0 answered · 4 nothing gets through for certain, and the evidence does not settle the rest")]
pub(crate) struct Path {
    /// Evidence directory
    pub evidence: PathBuf,
    /// Boundary declaration
    #[arg(long, short, value_name = "FILE")]
    pub boundary: PathBuf,
    /// Who opens: `eni-…`, `i-…`, `nic:NAME`, `vm:NAME`, an id of Azure's, `internet`, `internet6`, or a range outside
    #[arg(long, value_name = "END")]
    pub from: String,
    /// To whom: the same
    #[arg(long, value_name = "END")]
    pub to: String,
    /// A port of the other end, or a range of ports
    #[arg(long, value_name = "PORT[-PORT]", default_value = "0-65535")]
    pub port: String,
    /// Protocol
    #[arg(long, value_enum, default_value_t)]
    pub protocol: Protocol,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// Protocols that can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Protocol {
    /// TCP
    #[default]
    Tcp,
    /// UDP
    Udp,
    /// ICMP, of every type
    Icmp,
}
