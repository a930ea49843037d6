//! What `cocli daemon` takes beside its own flags: the service that keeps it running.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum DaemonVerb {
    /// Keep the daemon running as a service of this user: from now on, after each boot, without a login.
    Install(DaemonInstall),
    /// End the service and take it away; home and binary stay.
    Uninstall,
    /// Start the service.
    Start,
    /// Stop the service until the next boot or `start`.
    Stop,
    /// Stop and start the service, as after an upgrade.
    Restart,
    /// Show what the service told.
    Logs(DaemonLogs),
}

#[derive(Debug, Args)]
pub(crate) struct DaemonInstall {
    /// Print the file and the commands, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DaemonLogs {
    /// Go on printing, until Ctrl-C.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many lines of before.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) lines: u32,
}
