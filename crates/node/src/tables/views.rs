//! The tables as views for DuckDB: rows of the base that no layer above it touches, and those of the layers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cocli_store::paths;

use super::Tables;
use super::unit::{ADDRESSES, CAMPAIGN, NODE_FIELDS, TOUCHED, Unit};
use crate::export::PLACE;

/// A view by its name, and the `SELECT` that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What queries call it.
    pub name: &'static str,
    /// In DuckDB's SQL.
    pub select: String,
}

/// So many fields of nodes have a column of their own: each is asked for in each query of them.
const FIELDS_MAX: usize = 500;
/// The column of those behind them.
const OTHER: &str = "other";

/// The columns of `leads` but for the addresses, of the company `c`: as [`crate::export`] tells them.
fn lead() -> String {
    // What is no text, as a list in `name`, is told as it is shown. Fields that are not in the schema are in `other`.
    let text = |name: &str| format!("nullif(coalesce(c.{name}, c._odd['{name}']), '')");
    let other = |name: &str| format!("nullif(c.other['{name}'], '')");
    let members = |name: &str| format!("list_filter(c.{name}, lambda x: x <> '')");
    let joined =
        |name: &str| format!("nullif(array_to_string({}, '; '), '') AS {name}", members(name));
    let phones = ["phone_1", "phone_number", "phone_from_website"].map(text).join(", ");
    format!(
        "coalesce({name}, c.slug) AS company, {domain} AS domain, a.emails, \
         coalesce({phone}, {phones}, {all_phones}[1]) AS phone, coalesce({site}, {domain}) AS website, \
         {city} AS city, {state} AS state, {categories}, {services}, {products}, {tags}, \
         coalesce({map}, '{PLACE}' || {place}) AS gmb_url, \
         c.average_rating AS rating, c.reviews_count AS reviews",
        name = text("name"),
        domain = text("domain"),
        phone = other("phone"),
        all_phones = members("all_phones"),
        site = text("website_url"),
        city = text("city"),
        state = text("state"),
        categories = joined("categories"),
        services = joined("services"),
        products = joined("products"),
        tags = joined("tags"),
        map = other("gmb_url"),
        place = text("place_id"),
    )
}

/// All blanks, in SQL.
fn blanks() -> String {
    let all = (0..=u32::from(u16::MAX)).filter_map(char::from_u32);
    text_of(&all.filter(|c| c.is_whitespace()).collect::<String>())
}

impl Tables {
    /// The views, each behind those that it is made of. `home` is where the home is for DuckDB.
    ///
    /// # Errors
    /// When that path is no Unicode: names it.
    pub fn views(&self, home: &Path) -> Result<Vec<View>, String> {
        let of = Views { tables: self, home };
        let mut views = Vec::new();
        for name in cocli_table::names().chain([ADDRESSES]) {
            views.push(View { name, select: of.layered(name)? });
        }
        views.push(View { name: "heartbeats", select: of.heartbeats()? });
        views.push(View { name: "leads", select: of.leads()? });
        Ok(views)
    }

    /// All files that the views read.
    pub fn files(&self, home: &Path) -> impl Iterator<Item = PathBuf> {
        let of_unit = |unit: &Unit| {
            let tables = unit.tables().into_iter();
            tables.map(|table| home.join(paths::table(unit.key, table))).collect::<Vec<_>>()
        };
        self.units().flat_map(of_unit)
    }
}

/// The views of tables below a home.
struct Views<'a> {
    tables: &'a Tables,
    home: &'a Path,
}

impl Views<'_> {
    /// The rows of a table in the files of some units.
    fn read<'a>(
        &self,
        units: impl IntoIterator<Item = &'a Unit>,
        table: &str,
    ) -> Result<String, String> {
        let mut files = Vec::new();
        for unit in units {
            let path = self.home.join(paths::table(unit.key, table));
            let text = path.to_str().ok_or_else(|| path.display().to_string())?;
            files.push(text_of(text));
        }
        // A folder above the home may be called `key=value`.
        Ok(format!("read_parquet([{}], hive_partitioning = false)", files.join(", ")))
    }

    fn layered(&self, table: &str) -> Result<String, String> {
        let mut parts = Vec::new();
        let from = std::iter::once(self.read(&self.tables.base, table));
        let from = from.chain(self.tables.layers.iter().map(|layer| self.read([layer], table)));
        for (at, rows) in from.enumerate() {
            let above = &self.tables.layers[at..];
            parts.push(match above {
                [] => format!("SELECT * FROM {}", rows?),
                _ => format!(
                    "SELECT below.* FROM {} AS below ANTI JOIN {} AS above ON below.target = above.target",
                    rows?,
                    self.read(above, TOUCHED)?
                ),
            });
        }
        Ok(parts.join(" UNION ALL "))
    }

    /// A row for each node, with a column for each field that any has.
    fn heartbeats(&self) -> Result<String, String> {
        let mut taken: BTreeSet<String> =
            ["target", "node", "updated_at"].map(str::to_owned).into();
        let behind = self.tables.fields.iter().nth(FIELDS_MAX);
        taken.extend(behind.map(|_| OTHER.to_owned()));
        let mut columns = String::new();
        for field in self.tables.fields.iter().take(FIELDS_MAX) {
            // Names of columns are the same whatever their case.
            let mut name = field.clone();
            while !taken.insert(name.to_lowercase()) {
                name.push('_');
            }
            let (text, name) = (text_of(field), name.replace('"', "\"\""));
            columns += &format!("max(value) FILTER (WHERE field = {text}) AS \"{name}\", ");
        }
        if let Some(first) = behind {
            columns += &format!(
                "map_from_entries(list((field, value)) FILTER (WHERE field >= {})) AS \"{OTHER}\", ",
                text_of(first)
            );
        }
        Ok(format!(
            "SELECT target, split_part(target, '/', 2) AS node, {columns}\
             CAST(max(\"at\") AS TIMESTAMPTZ) AS updated_at FROM {} GROUP BY target",
            self.read([&self.tables.nodes], NODE_FIELDS)?
        ))
    }

    fn leads(&self) -> Result<String, String> {
        let mut addresses = "contains(email, '@')".to_owned();
        let mut companies = String::new();
        if let Some(campaign) = &self.tables.campaign {
            let rows = self.read([campaign], CAMPAIGN)?;
            let who = |is: &str| format!("(SELECT who FROM {rows} WHERE \"is\" = '{is}')");
            let (member, excluded) = (who("member"), who("excluded"));
            let no_domain = |domain: &str| {
                let parts = format!(
                    "string_split(regexp_replace(lower(trim({domain}, {})), '^www[.]', ''), '.')",
                    blanks()
                );
                format!(
                    "NOT list_has_any(list_transform(range(1, len({parts}) + 1), lambda n: array_to_string({parts}[n:], '.')), \
                     (SELECT coalesce(list(who), []) FROM {rows} WHERE \"is\" = 'excluded'))"
                )
            };
            addresses += &format!(
                " AND target NOT IN {excluded} AND email NOT IN {excluded} AND {} \
                 AND target NOT IN (SELECT target FROM {ADDRESSES} WHERE company IN {excluded})",
                no_domain("regexp_extract(email, '[^@]*$')")
            );
            companies = format!(
                " WHERE c.target IN {member} AND c.target NOT IN {excluded} AND {}",
                no_domain("coalesce(c.domain, c._odd['domain'], '')")
            );
        }
        Ok(format!(
            "SELECT {} FROM companies AS c JOIN (SELECT company, string_agg(DISTINCT email, '; ' ORDER BY email) AS emails \
             FROM {ADDRESSES} WHERE {addresses} GROUP BY company) AS a ON a.company = c.target{companies}",
            lead()
        ))
    }
}

/// A text in SQL.
fn text_of(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
