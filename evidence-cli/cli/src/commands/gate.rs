//! What `drift` and `plan` have in common: state, printing.

use std::fs;

use anyhow::Context;
use cadastre_gate::{GateReport, Row, StateFile, Tone};

use super::output;
use crate::args::assess::{Gate, GateFormat};
use crate::terminal::{self, paint, stdout_color};

/// The largest state file that is read, in bytes.
const MAXIMUM_STATE: u64 = 128 << 20;

/// Holds the report against the state, writes the state where that was asked for, and prints.
///
/// # Errors
/// When the state file is refused or cannot be written.
pub(super) fn tell(mut report: GateReport, arguments: &Gate, headline: &str) -> anyhow::Result<GateReport> {
    if let Some(path) = &arguments.state {
        let name = path.display().to_string();
        let last = match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                StateFile::empty(&report.header.boundary)
            }
            Ok(found) if found.len() > MAXIMUM_STATE => {
                anyhow::bail!("`{name}` is larger than {MAXIMUM_STATE} bytes")
            }
            _ => {
                let text = fs::read_to_string(path).with_context(|| format!("cannot read `{name}`"))?;
                StateFile::parse(&text, &name, &report.header.boundary)?
            }
        };
        let next = report.against(&last);
        if arguments.update_state {
            output::write(path, serde_json::to_string_pretty(&next)? + "\n")?;
        }
    }
    let text = match arguments.format {
        GateFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
        GateFormat::Markdown => cadastre_gate::markdown(&report),
        GateFormat::Sarif => serde_json::to_string_pretty(&cadastre_gate::sarif(&report))? + "\n",
        GateFormat::Table => screen(&cadastre_gate::table(&report, arguments.all), headline, stdout_color()),
    };
    terminal::print(&text)?;
    Ok(report)
}

fn screen(rows: &[Row], headline: &str, color: bool) -> String {
    let width = rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
    let mut text = format!("{}\n", paint(color, "1", headline));
    for row in rows {
        let code = match row.tone {
            Tone::Alarm => "1;31",
            Tone::Warning => "33",
            Tone::Plain => "0",
            Tone::Quiet => "2",
        };
        let label = paint(color, code, &format!("{:<width$}", row.label));
        text.push_str(format!("{label}  {}", row.text).trim_end());
        text.push('\n');
    }
    text
}
