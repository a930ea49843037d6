//! How a command ends when it does not end well: a code that scripts can rely on, what happened, and
//! what to do next.

use std::fmt;
use std::io::ErrorKind;

use cocli_node::{CampaignError, NodeError, QueueError, SettingError};

/// The exit codes of design section 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Conflict = 4,
    NeedsPerson = 5,
}

/// What went wrong. Its text names the file or address, what was expected and what came.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// The next command to type.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The message and the next command, as one text.
    pub(crate) fn whole(self) -> String {
        match self.hint {
            Some(hint) => format!("{}: {hint}", self.message),
            None => self.message,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The message of an error and of what lies under it, without telling anything twice.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// What to do where a file of the home may not be opened.
const YOURS: &str = "the files of a home have to be yours: `ls -l` shows whose they are, `sudo chown -R $USER DIR` makes them so";

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let (exit, hint) = match &error {
            NodeError::Name(_)
            | NodeError::NoSet(_)
            | NodeError::TooLong(_)
            | NodeError::Founder { .. }
            | NodeError::Stranger { .. }
            | NodeError::Stays { .. } => (Exit::Usage, None),
            NodeError::NoSource { .. } => (Exit::Failed, None),
            NodeError::Several { targets, .. } => {
                let first =
                    targets.first().map(|target| format!("name one of them, as `{target}`"));
                (Exit::Usage, first)
            }
            NodeError::Collection { nearest, .. } => {
                (Exit::Usage, Some(format!("targets begin with `{nearest}/` and the like")))
            }
            NodeError::Unknown { nearest, .. } => {
                let near = nearest.as_ref().map(|near| format!("the nearest is `{near}`"));
                (Exit::NotFound, near.or(Some("`cocli list companies` shows what there is".into())))
            }
            NodeError::Campaign(error) => of_campaign(error),
            NodeError::Queue(error) => of_queue(error),
            NodeError::Setting(error) => of_setting(error),
            NodeError::Forgotten { .. } => (
                Exit::Failed,
                Some(
                    "`cocli log TARGET` shows what is kept; a node that keeps all can tell".into(),
                ),
            ),
            NodeError::Unchained { .. } => (
                Exit::Conflict,
                Some("`cocli init DIR --join TICKET` makes a new home in that cluster".into()),
            ),
            NodeError::Moved { .. } | NodeError::Trimmed { .. } => (
                Exit::Conflict,
                Some(
                    "`cocli undo TARGET`, or `cocli undo --since TIME`, takes back what is meant"
                        .into(),
                ),
            ),
            NodeError::NoHome(_) => (Exit::NotFound, Some("`cocli init` makes one".into())),
            NodeError::CutOff(path) => (Exit::NotFound, Some(format!("`cocli init {path}`"))),
            NodeError::HalfCloned(path) => {
                (Exit::NotFound, Some(format!("`cocli clone URL {path}`, as it was run before")))
            }
            NodeError::OtherClone { .. } | NodeError::BucketBusy => (Exit::Conflict, None),
            NodeError::Restored { .. } => {
                (Exit::Conflict, Some("`cocli clone URL DIR` makes a member".into()))
            }
            NodeError::HomeExists(_) => (
                Exit::Conflict,
                Some("`cocli join -` with a ticket makes it a member of a cluster".into()),
            ),
            NodeError::Bucket(failure) => (Exit::Failed, crate::bucket::hint(failure)),
            NodeError::Store(error) if error.is_no_space() => {
                (Exit::Failed, Some("make room; nothing of it was written".into()))
            }
            _ if error.refusal() == Some(ErrorKind::PermissionDenied) => {
                (Exit::Failed, Some(YOURS.into()))
            }
            NodeError::Store(_)
            | NodeError::Table(_)
            | NodeError::Config(_)
            | NodeError::Own { .. } => (Exit::Failed, None),
        };
        Self { exit, message: chain(&error), hint }
    }
}

fn of_campaign(error: &CampaignError) -> (Exit, Option<String>) {
    match error {
        CampaignError::Unknown { nearest, .. } => {
            let near = nearest.as_ref().map(|near| format!("the nearest is `{near}`"));
            let none = || "`cocli campaign list` shows all, `cocli campaign new NAME` makes one";
            (Exit::NotFound, near.or_else(|| Some(none().into())))
        }
        CampaignError::Exists(slug) => {
            (Exit::Conflict, Some(format!("`cocli campaign show {slug}`")))
        }
        CampaignError::Excluded { target, .. } => {
            (Exit::Conflict, Some(format!("`cocli campaign exclude {target} --remove`")))
        }
        CampaignError::NoMember(_) => (Exit::Usage, None),
        CampaignError::Settings { .. } => (Exit::Failed, Some("mend it, and type it again".into())),
    }
}

fn of_setting(error: &SettingError) -> (Exit, Option<String>) {
    match error {
        SettingError::Unknown { nearest, .. } => {
            let near = nearest.as_ref().map(|near| format!("the nearest is `{near}`"));
            (Exit::Usage, near.or(Some("`cocli config list` shows all".into())))
        }
        SettingError::Value { .. } => (Exit::Usage, None),
    }
}

fn of_queue(error: &QueueError) -> (Exit, Option<String>) {
    match error {
        QueueError::NoTask { nearest, .. } => {
            let near = nearest.as_ref().map(|near| format!("the nearest is `{near}`"));
            (Exit::NotFound, near.or(Some("`cocli queue list Q` shows all".into())))
        }
        QueueError::Lost { .. } => (
            Exit::Conflict,
            Some("nothing was changed; `cocli queue claim Q` takes another".into()),
        ),
        QueueError::NotOver { .. } => (Exit::Conflict, None),
        QueueError::NeedsBucket { .. } => {
            (Exit::Conflict, Some("`cocli init --bucket URL` gives it one".into()))
        }
        QueueError::Payload => (Exit::Usage, None),
    }
}

impl From<cocli_core::bucket::Failure> for Failure {
    fn from(failure: cocli_core::bucket::Failure) -> Self {
        NodeError::Bucket(failure).into()
    }
}

macro_rules! failed_by {
    ($($error:ty => $exit:expr),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new($exit, chain(&error))
            }
        }
    )*};
}

failed_by! {
    cocli_core::NameError => Exit::Usage,
    cocli_core::value::TooLong => Exit::Usage,
    cocli_node::change::NoSet => Exit::Usage,
    cocli_node::import::MappingError => Exit::Usage,
    std::io::Error => Exit::Failed,
}
