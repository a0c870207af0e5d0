//! Arguments of the commands that run the bundled broker.

use std::path::PathBuf;

use clap::Args;

use super::assess::TableFormat;

/// `cadastre demo`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre demo
  cadastre demo --out review --force
  cadastre demo --planted            join the recorded account that has violations planted in it")]
pub(crate) struct Demo {
    /// Directory to write reports and evidence into
    #[arg(long, value_name = "DIR", default_value = "cadastre-out")]
    pub out: PathBuf,
    /// Join the recorded account with planted violations instead of the clean one
    #[arg(long)]
    pub planted: bool,
    /// Replace a directory that exists
    #[arg(long)]
    pub force: bool,
}

/// Where the bundled broker keeps its state.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// State directory
    #[arg(long, value_name = "DIR", default_value = ".cadastre")]
    pub state: PathBuf,
}

/// `cadastre up`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre up                        TLS, SCRAM and default-deny ACLs on a loopback port
  cadastre up --port 9093
  cadastre up --renew-certificate    new connections are shown a new certificate, clients stay connected
  cadastre status                    how to connect")]
pub(crate) struct Up {
    #[command(flatten)]
    pub state: State,
    /// Port to listen on; a free one unless given
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Replace the broker's certificate; one that runs reads it without a restart
    #[arg(long)]
    pub renew_certificate: bool,
}

/// `cadastre status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub state: State,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// The broker in the foreground, as `up` starts it.
#[derive(Debug, Args)]
pub(crate) struct RunBroker {
    /// Broker configuration
    #[arg(long)]
    pub config: PathBuf,
    /// File to create once connections are accepted
    #[arg(long)]
    pub ready_file: PathBuf,
}
