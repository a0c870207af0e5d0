//! What a process used: proc(5).

use std::time::Duration;

use anyhow::Context as _;

/// Ticks of `/proc/PID/stat` in a second on every Linux of today (`getconf CLK_TCK`).
const TICKS: u64 = 100;

/// Processor time of a process so far, in user and kernel mode.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold spaces and ends with the last parenthesis; fields 14 and 15 follow as the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')').context("malformed stat")?.1.split_whitespace().collect();
    let ticks =
        |index: usize| -> anyhow::Result<u64> { Ok(fields.get(index).context("malformed stat")?.parse()?) };
    Ok(Duration::from_millis(ticks(11)?.saturating_add(ticks(12)?).saturating_mul(1000 / TICKS)))
}

/// Memory of a process that is in use now, and at most so far, in KiB.
pub(crate) fn memory_kib(process: u32) -> anyhow::Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find(|line| line.starts_with(name)).context("no memory in status")?;
        Ok(line.split_whitespace().nth(1).context("malformed status")?.parse()?)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}
