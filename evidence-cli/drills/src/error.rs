//! Why a drill could not go on. What came out other than promised is no error but a check.

use rdkafka::error::KafkaError;

use crate::hooks::HookError;
use crate::local_broker::LocalBrokerError;

/// A drill that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// A client refused its configuration.
    #[error("the Kafka client refuses its configuration")]
    Client(#[source] KafkaError),
    /// The cluster did not answer a step that the rest needs.
    #[error("{step} failed")]
    Step {
        /// What was tried.
        step: String,
        /// What the client said.
        #[source]
        source: KafkaError,
    },
    /// The cluster refused something about a topic.
    #[error("{step} `{topic}` failed: {reason}")]
    Topic {
        /// What was tried.
        step: &'static str,
        /// The topic.
        topic: String,
        /// The broker's error code.
        reason: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} s")]
    TooLate {
        /// What.
        what: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A file of the drill's own.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Something around the cluster.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A broker on this machine.
    #[error(transparent)]
    LocalBroker(#[from] LocalBrokerError),
    /// The bundled broker's own tools.
    #[error(transparent)]
    Tool(#[from] crate::tools::ToolError),
    /// A part of the drill ended by itself.
    #[error("a part of the drill ended early: {reason}")]
    Ended {
        /// Why.
        reason: String,
    },
    /// The target cannot do it: nothing was exercised.
    #[error("{reason}")]
    NotExercised {
        /// Why.
        reason: String,
    },
}

impl DrillError {
    /// A drill that cannot be done here.
    pub(crate) fn not_exercised(reason: impl Into<String>) -> Self {
        Self::NotExercised { reason: reason.into() }
    }
}

/// Says which step a client error ended.
pub(crate) fn step(step: &str) -> impl FnOnce(KafkaError) -> DrillError {
    let step = step.to_owned();
    move |source| DrillError::Step { step, source }
}

/// Says what was tried with a file.
pub(crate) fn file(
    action: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(std::io::Error) -> DrillError {
    let path = path.display().to_string();
    move |source| DrillError::File { action, path, source }
}
