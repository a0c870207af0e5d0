//! Runs drills one after the other: each is measured, cleaned up however it ends, and recorded.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cadastre_model::progress::Progress;
use cadastre_model::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::actions::Actions;
use crate::bench::Bench;
use crate::error::DrillError;
use crate::name::DrillName;
use crate::outcome::{DrillRecord, Ending, client_library, milliseconds};
use crate::plan::Plan;
use crate::target::Target;
use crate::tools::BrokerTools;
use crate::undo::{Undo, chain};
use crate::{
    audit_trail, broker_replacement, certificate_rotation, clients, deletion, denials, export,
    key_revocation, key_rotation, scale_out, store_outage, topics, upgrade_rollback,
};

/// The longest that one drill may take.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// By how much the clock may differ from the time that really passed before it counts as having jumped.
const JUMP: i64 = 5;

/// What is to be exercised.
pub struct Exercise<'a> {
    /// The cluster.
    pub target: &'a Target,
    /// The bundled broker's tools.
    pub tools: Option<&'a dyn BrokerTools>,
    /// What dates the records.
    pub clock: &'a dyn Clock,
    /// Who is told what is being done.
    pub progress: &'a dyn Progress,
    /// Tells the names of this run from those of others: lower-case letters and digits.
    pub run: String,
    /// What interrupts it.
    pub stop: CancellationToken,
}

impl fmt::Debug for Exercise<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exercise")
            .field("target", self.target)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Exercise<'_> {
    /// What the drills will do.
    #[must_use]
    pub fn plans(&self, drills: &[DrillName]) -> Vec<Plan> {
        drills.iter().map(|drill| Plan::new(*drill, self.target, self.tools)).collect()
    }

    /// Runs the drills in the order in which they are given, and hands over each record as soon as its drill is cleaned up. An
    /// interrupted drill is cleaned up and recorded, and none follows it.
    ///
    /// # Errors
    /// When the cluster does not answer before the first drill, so that nothing was touched; or what `kept` says.
    pub async fn run<E: From<DrillError>>(
        &self,
        drills: &[DrillName],
        mut kept: impl FnMut(DrillRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let cluster_id = topics::cluster_id(&self.target.administrator).await?;
        if cluster_id.is_none() {
            return Err(E::from(DrillError::TooLate {
                what: format!("an answer of cluster `{}` that names its id", self.target.cluster),
                seconds: 10,
            }));
        }
        let actions = Actions::default();
        for drill in drills {
            if self.stop.is_cancelled() {
                break;
            }
            kept(self.one(*drill, cluster_id.clone(), &actions).await)?;
        }
        Ok(())
    }

    async fn one(&self, drill: DrillName, cluster_id: Option<String>, actions: &Actions) -> DrillRecord {
        self.progress.step(drill.as_str());
        let bench = Bench {
            target: self.target,
            tools: self.tools,
            progress: self.progress,
            drill,
            run: &self.run,
            undo: Undo::default(),
            actions: actions.clone(),
            measured: Arc::default(),
        };
        let (started_at, started) = (self.clock.now(), Instant::now());
        let ending = match Plan::new(drill, self.target, self.tools).cannot {
            Some(reason) => Ending::NotExercised(reason),
            None => tokio::select! {
                ended = tokio::time::timeout(PATIENCE, dispatch(&bench)) => match ended {
                    Ok(Ok(())) => Ending::Finished,
                    Ok(Err(DrillError::NotExercised { reason })) => Ending::NotExercised(reason),
                    Ok(Err(error)) => Ending::Stopped(chain(&error)),
                    Err(_elapsed) => Ending::Stopped(format!("it did not end within {} s", PATIENCE.as_secs())),
                },
                () = self.stop.cancelled() => Ending::Stopped("interrupted".to_owned()),
            },
        };
        let exercised = started.elapsed();
        self.progress.step(&format!("{drill}: cleaning up"));
        let clean_up = bench.undo.run().await;
        let elapsed = started.elapsed();
        let finished_at = self.clock.now();
        if !matches!(ending, Ending::NotExercised(_)) {
            bench.measure_time("exercised", exercised);
            bench.measure_time("cleaned_up", elapsed.saturating_sub(exercised));
        }
        if let Some(told) = jumped(started_at, finished_at, elapsed) {
            bench.detail("clock", told);
        }
        let mut measured = bench.measured();
        DrillRecord {
            drill,
            cluster: self.target.cluster.clone(),
            cluster_id,
            principal: self.target.administrator.principal(),
            client: client_library(),
            started_at: started_at.truncated_to_seconds(),
            finished_at: finished_at.truncated_to_seconds(),
            milliseconds: milliseconds(elapsed),
            ending,
            checks: std::mem::take(&mut measured.checks),
            measurements: std::mem::take(&mut measured.measurements),
            details: std::mem::take(&mut measured.details),
            clean_up,
        }
    }
}

async fn dispatch(bench: &Bench<'_>) -> Result<(), DrillError> {
    match bench.drill {
        DrillName::Clients => clients::run(bench).await,
        DrillName::Denials => denials::run(bench).await,
        DrillName::BrokerReplacement => broker_replacement::run(bench).await,
        DrillName::KeyRevocation => key_revocation::run(bench).await,
        DrillName::KeyRotation => key_rotation::run(bench).await,
        DrillName::Deletion => deletion::run(bench).await,
        DrillName::Export => export::run(bench).await,
        DrillName::ScaleOut => scale_out::run(bench).await,
        DrillName::StoreOutage => store_outage::run(bench).await,
        DrillName::CertificateRotation => certificate_rotation::run(bench).await,
        DrillName::UpgradeRollback => upgrade_rollback::run(bench).await,
        DrillName::AuditTrail => audit_trail::run(bench).await,
    }
}

/// Durations are measured by a clock that does not jump; the dates of a record may be wrong all the same.
fn jumped(from: Timestamp, to: Timestamp, elapsed: Duration) -> Option<String> {
    let by_clock = to.seconds_since(from);
    let really = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
    let difference = by_clock.saturating_sub(really);
    (difference.abs() > JUMP).then(|| {
        format!("the clock jumped by {difference} s meanwhile: durations are right, the dates may not be")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: i64, to: i64, elapsed: u64, jump: bool) {
        let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
        assert_eq!(jumped(at(from), at(to), Duration::from_secs(elapsed)).is_some(), jump);
    }

    #[test]
    fn a_clock_that_jumps_either_way_is_told() {
        check(1_000, 1_010, 10, false);
        check(1_000, 1_013, 10, false);
        check(1_000, 4_600, 10, true);
        check(1_000, 400, 10, true);
    }
}
