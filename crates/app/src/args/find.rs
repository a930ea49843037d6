//! What `cocli find` takes.

use clap::Args;

use super::at_least_one;

/// Kilometres around a place that count when nothing else is said.
const WITHIN_KM: f64 = 50.0;

#[derive(Debug, Args)]
#[command(
    after_help = "Without a text, on a terminal, it is asked for: what fits is shown as you type."
)]
pub(crate) struct Find {
    /// A part of a name, domain, e-mail, telephone number or tag; `tag:X`, and `missing:FIELD`.
    pub(crate) text: Vec<String>,
    /// At most so many, the best first.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: usize,
    /// Only those whose field has exactly this value, as in `list`.
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Only those near this place (degrees north, degrees east), the nearest first.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    pub(crate) near: Option<String>,
    /// How near, in kilometres.
    #[arg(long, value_name = "KM", requires = "near", default_value_t = WITHIN_KM, value_parser = kilometres, allow_hyphen_values = true)]
    pub(crate) within: f64,
    /// Look in the titles and texts of notes and meetings instead: all words must be there.
    #[arg(long, conflicts_with_all = ["filter", "near", "pick"], requires = "text")]
    pub(crate) notes: bool,
    /// Choose with the keys, with what is known beside it; Enter opens the card in the editor.
    #[arg(long)]
    pub(crate) pick: bool,
}

fn kilometres(text: &str) -> Result<f64, String> {
    let km = text.parse().ok().filter(|km: &f64| km.is_finite() && *km >= 0.0);
    km.ok_or_else(|| "expected kilometres from 0 on".to_owned())
}
