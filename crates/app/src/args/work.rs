//! What `cocli campaign` and `cocli queue` take.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Campaign {
    #[command(subcommand)]
    pub(crate) what: CampaignVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CampaignVerb {
    /// Make a campaign, with a folder and settings on this machine.
    New {
        /// The name, as people write it.
        name: String,
    },
    /// List the campaigns.
    List,
    /// Show a campaign: who belongs to it, who is left out and why, its settings and queues.
    Show {
        /// Which (default: the chosen one).
        #[arg(value_name = "C")]
        named: Option<String>,
    },
    /// Print the line that chooses a campaign for this terminal: eval "$(cocli campaign use C)".
    Use {
        /// Which.
        #[arg(value_name = "C")]
        named: String,
    },
    /// Add companies or people.
    Add {
        /// Who.
        #[arg(required = true, value_name = "TARGET")]
        targets: Vec<String>,
    },
    /// Take companies or people out again.
    Remove {
        /// Who.
        #[arg(required = true, value_name = "TARGET")]
        targets: Vec<String>,
    },
    /// Leave somebody out: a company, a person or a domain.
    Exclude {
        /// Who: a target, or a domain such as `acme.example`.
        target: String,
        /// Why.
        #[arg(long, value_name = "TEXT", required_unless_present = "remove")]
        reason: Option<String>,
        /// Leave them out no longer.
        #[arg(long, conflicts_with = "reason")]
        remove: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(subcommand)]
    pub(crate) what: QueueVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    /// Put tasks at the end of a queue.
    Push {
        /// The queue: lower-case letters, digits and `-`.
        #[arg(value_name = "Q")]
        queue: String,
        /// The task, as JSON; `-`, as without it, reads one a line from standard input: all or nothing.
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
    },
    /// Take a task: exit 3 when there is none.
    Claim {
        /// The queue.
        #[arg(value_name = "Q")]
        queue: String,
        /// Seconds to wait for one.
        #[arg(long, value_name = "S", default_value_t = 0.0)]
        wait: f64,
    },
    /// Say that a task is still worked on.
    Heartbeat(Held),
    /// Say that a task is done.
    Done(Held),
    /// Give a task back; after the last attempt it is laid aside.
    Fail {
        #[command(flatten)]
        held: Held,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List the tasks of a queue; without one, the queues.
    List {
        /// The queue.
        #[arg(value_name = "Q")]
        queue: Option<String>,
    },
    /// Put a task back that failed or was laid aside: its attempts are counted anew.
    Retry {
        /// The task's id.
        task: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Held {
    /// The task's id.
    pub(crate) task: String,
    /// Which claim it is, as `claim` told (default: any of this node's).
    #[arg(long)]
    pub(crate) claim: Option<String>,
}
