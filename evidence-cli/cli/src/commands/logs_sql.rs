//! `cadastre logs sql`: a query over logs, written for where they lie.

use cadastre_athena::{AthenaSql, Places};

use crate::args::logs::{Dialect, Sql};
use crate::exit::Exit;
use crate::terminal;

pub(super) fn sql(arguments: &Sql) -> anyhow::Result<Exit> {
    let default = Places::default();
    let places = Places {
        flows: arguments.flows.clone().unwrap_or(default.flows),
        trail: arguments.trail.clone().unwrap_or(default.trail),
        flow_format: arguments
            .flow_format
            .as_deref()
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    match arguments.dialect {
        Dialect::Athena => terminal::print(&AthenaSql::of(&arguments.sql, &places)?.text())?,
    }
    Ok(Exit::Clean)
}
