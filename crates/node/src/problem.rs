//! What may be the matter, each under a name that stays: people look it up by that, programs go by it.

use std::fmt;

macro_rules! problems {
    ($($(#[$what:meta])* $problem:ident = $name:literal,)+) => {
        /// A kind of trouble; `docs/guide/problems/{name}.md` tells what it means and what to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Problem {
            $($(#[$what])* $problem,)+
        }

        impl Problem {
            /// All of them, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$problem,)+];

            /// The name that it is looked up by.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$problem => $name,)+
                }
            }

            /// What the guide says of it, as Markdown.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$problem => {
                        include_str!(concat!("../../../docs/guide/problems/", $name, ".md"))
                    })+
                }
            }
        }
    };
}

problems! {
    /// Addresses of peers that were met cannot be read.
    AddressesUnreadable = "addresses-unreadable",
    /// The index of an archive file is damaged.
    ArchiveIndexDamaged = "archive-index-damaged",
    /// More is archived than the budget allows.
    ArchiveOverBudget = "archive-over-budget",
    /// The budget of the bucket is spent.
    BucketBudget = "bucket-budget",
    /// The bucket refuses this node.
    BucketDenied = "bucket-denied",
    /// What lies between two ranges is not in the bucket.
    BucketGap = "bucket-gap",
    /// The bucket is not what it should be.
    BucketWrong = "bucket-wrong",
    /// Settings of a campaign cannot be read.
    CampaignUnreadable = "campaign-unreadable",
    /// A card does not parse.
    CardBroken = "card-broken",
    /// Companies or people have no card.
    CardsMissing = "cards-missing",
    /// Files of the checkpoint are not what they are named by.
    CheckpointDamaged = "checkpoint-damaged",
    /// Clocks are a minute apart or more.
    ClocksDiffer = "clocks-differ",
    /// The daemon runs and does not answer.
    DaemonMute = "daemon-mute",
    /// The disk of a node is full.
    DiskFull = "disk-full",
    /// What others send cannot be written.
    DiskRefuses = "disk-refuses",
    /// Hand edits wait for a decision.
    EditsWait = "edits-wait",
    /// Bytes of a journal are damaged.
    JournalDamaged = "journal-damaged",
    /// A journal is not what it was left as.
    JournalTrouble = "journal-trouble",
    /// The keys of the cluster cannot be read.
    KeysUnreadable = "keys-unreadable",
    /// When all that is held was last read through.
    LastRead = "last-read",
    /// Logs of a month that expires are not merged.
    MonthNotMerged = "month-not-merged",
    /// Parts of the cluster do not hear each other.
    NetworkCut = "network-cut",
    /// Of all addresses that are known, nobody answers.
    NobodyAnswers = "nobody-answers",
    /// A node is down for long.
    NodeDown = "node-down",
    /// Something needs a person on another node.
    NodeNeedsPerson = "node-needs-person",
    /// A record breaks a rule.
    OddRecord = "odd-record",
    /// This node's own key is missing, or another than it is known by.
    OwnKey = "own-key",
    /// The port cannot be had.
    PortTaken = "port-taken",
    /// A packet of a Python peer was refused.
    PythonRefused = "python-refused",
    /// Two nodes hold the same logs and show another state.
    StatesDiffer = "states-differ",
    /// A table for SQL is damaged.
    TableDamaged = "table-damaged",
    /// Two machines bear one name.
    TwoOfOneName = "two-of-one-name",
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
