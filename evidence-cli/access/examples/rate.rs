//! Measures decisions a second of one thread's processor time on a file of cases: `rate CASES SECONDS`.
//!
//! Processor time is what the kernel says the thread ran (`/proc/thread-self/schedstat`), so that a busy machine does
//! not change the figures much. Prints a JSON object: `prepared` decides cases that were read and compiled before, `lines` goes from the text of
//! a case to the text of its answer, with documents that repeat compiled once.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use cadastre_access::batch::Evaluator;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("no file of cases")?;
    let time = Duration::from_secs_f64(arguments.next().ok_or("no number of seconds")?.parse()?);
    let text = std::fs::read_to_string(&path)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();

    let mut evaluator = Evaluator::default();
    let mut prepared = Vec::with_capacity(lines.len());
    for (line, number) in lines.iter().zip(1..) {
        prepared.push(evaluator.prepare(line, number).map_err(|answer| format!("{:?}", answer.error))?);
    }
    let decided = rate(time, prepared.len(), || {
        for case in &prepared {
            black_box(case.decide());
        }
    })?;
    let mut written = Vec::new();
    let whole = rate(time, lines.len(), || {
        written.clear();
        for (line, number) in lines.iter().zip(1..) {
            let answer = evaluator.answer_line(line, number);
            // A vector takes everything.
            let _ = serde_json::to_writer(&mut written, &answer);
            written.push(b'\n');
        }
        black_box(&written);
    })?;
    writeln!(std::io::stdout(), "{}", serde_json::json!({"prepared": decided, "lines": whole}))?;
    Ok(())
}

/// How many a second, after one round to warm up.
fn rate(time: Duration, count: usize, mut round: impl FnMut()) -> Result<f64, Box<dyn std::error::Error>> {
    round();
    let started = processor_time()?;
    let mut rounds = 0_u32;
    let mut used = Duration::ZERO;
    while used < time {
        round();
        rounds += 1;
        used = processor_time()?.saturating_sub(started);
    }
    let decisions = f64::from(rounds) * f64::from(u32::try_from(count)?);
    Ok(decisions / used.as_secs_f64())
}

/// How long this thread has run.
fn processor_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split_whitespace().next().ok_or("no processor time")?.parse()?))
}
