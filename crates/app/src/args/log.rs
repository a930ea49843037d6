//! How `cocli daemon` tells what happens.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Logged {
    /// Lines for people, or a JSON object a line, on standard error.
    #[arg(long = "log", value_enum, default_value_t = LogForm::Text, value_name = "FORM")]
    pub(crate) form: LogForm,
    /// How much is told (else $COCLI_LOG, else info).
    #[arg(long = "log-level", value_enum, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}
