//! What is known, row by row, for other programs: docs/export.md.

mod addresses;
mod lead;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::ControlFlow;

use cocli_core::schema::POOL;
use cocli_core::usv::Line;
use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::reader::{Span, Spans};
use cocli_table::{Cell, ColumnSpec, Rows, of_winners, winner};

use crate::campaigns::{Campaign, Left};
use crate::error::Result;
use crate::home::Home;
use crate::list::{Condition, has_something};

use addresses::Addresses;
use lead::Known;
pub(crate) use lead::PLACE;

/// Bytes of the state that each thread makes rows of at a time.
const SPAN_BYTES: u64 = 8 << 20;

/// What rows are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Companies with their addresses; `all`: those without one, too.
    Leads {
        /// Whether those without an address count.
        all: bool,
    },
    /// Companies or people.
    Pool(Kind),
    /// The winners of the state.
    Datagrams,
}

/// What is asked for.
#[derive(Debug)]
pub struct Export {
    /// What rows are made of.
    pub of: Of,
    /// Only who belongs to it, and is not left out; makes no difference for datagrams.
    pub campaign: Option<Campaign>,
    /// What must hold, all of it; not of datagrams.
    pub conditions: Vec<Condition>,
}

/// One row.
#[derive(Debug)]
pub struct Row<'a> {
    /// A cell for each of [`Of::columns`].
    pub cells: &'a [Cell<'a>],
    /// What it was made of; nothing of leads and datagrams.
    pub entity: Option<(&'a Target, &'a Entity)>,
}

/// How many rows there were, and what has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows.
    pub rows: u64,
    /// Members of the campaign that are left out of it.
    pub excluded: u64,
    /// Companies without an address.
    pub without_email: u64,
}

impl Of {
    /// The columns of its rows.
    #[must_use]
    pub fn columns(self) -> Vec<ColumnSpec> {
        match self {
            Self::Leads { .. } => lead::COLUMNS.to_vec(),
            Self::Pool(kind) => Rows::of(kind).columns().to_vec(),
            Self::Datagrams => of_winners(),
        }
    }

    fn prefix(self) -> String {
        match self {
            Self::Leads { .. } => below(Kind::Company),
            Self::Pool(kind) => below(kind),
            Self::Datagrams => String::new(),
        }
    }
}

/// What the targets of a kind begin with.
fn below(kind: Kind) -> String {
    format!("{}/", kind.plural())
}

impl Home {
    /// Makes rows of what stands there now, sorted by target. `add` puts a row into a batch, on several threads;
    /// `take` gets the batches in their order, until it fails.
    ///
    /// A compaction may take the files away meanwhile: then it goes on behind the last batch by what stands there then.
    ///
    /// # Errors
    /// When the disk cannot be read; inside, what `take` says.
    pub fn export<T: Default + Send, E: Send>(
        &self,
        export: &Export,
        add: &(dyn Fn(&mut T, &Row<'_>) + Sync),
        take: impl FnMut(T) -> Result<(), E> + Send,
    ) -> Result<Result<Counts, E>> {
        self.export_by(export, SPAN_BYTES, add, take)
    }

    fn export_by<T: Default + Send, E: Send>(
        &self,
        export: &Export,
        span_bytes: u64,
        add: &(dyn Fn(&mut T, &Row<'_>) + Sync),
        take: impl FnMut(T) -> Result<(), E> + Send,
    ) -> Result<Result<Counts, E>> {
        let name = Field::read("name")?;
        let (prefix, done) = (export.of.prefix(), RefCell::new((Vec::new(), Counts::default())));
        let take = RefCell::new(take);
        let flow = self.read(|reader| {
            let spans = reader.spans(&POOL.map(|pool| format!("{pool}/")), span_bytes)?;
            let left = |campaign| Left::of(campaign, |target| reader.entity(target));
            let left = export.campaign.as_ref().map(left).transpose()?;
            let maker = Maker::new(export, left, &spans, &name)?;
            let (mut done, mut take) = (done.borrow_mut(), take.borrow_mut());
            let ((from, counts), take) = (&mut *done, &mut *take);
            let begin = from.clone();
            spans.each(
                &prefix,
                &begin,
                &|span| {
                    let mut batch = Batch { rows: T::default(), counts: Counts::default(), add };
                    maker.make(span, &mut batch)?;
                    Ok((batch.rows, batch.counts))
                },
                &mut |(rows, some), behind| {
                    if let Err(error) = take(rows) {
                        return ControlFlow::Break(error);
                    }
                    counts.rows += some.rows;
                    counts.excluded += some.excluded;
                    counts.without_email += some.without_email;
                    behind.clone_into(from);
                    ControlFlow::Continue(())
                },
            )
        })?;
        Ok(match flow {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(done.into_inner().1),
        })
    }
}

/// The rows of a span, as they are added.
struct Batch<'b, T> {
    rows: T,
    counts: Counts,
    add: &'b (dyn Fn(&mut T, &Row<'_>) + Sync),
}

impl<T> Batch<'_, T> {
    fn row(&mut self, cells: &[Cell<'_>], entity: Option<(&Target, &Entity)>) {
        self.counts.rows += 1;
        (self.add)(&mut self.rows, &Row { cells, entity });
    }
}

/// Makes rows of lines.
struct Maker<'m> {
    export: &'m Export,
    left: Option<Left<'m>>,
    name: &'m Field,
    rows: Option<Rows>,
    addresses: Addresses,
}

impl<'m> Maker<'m> {
    fn new(
        export: &'m Export,
        left: Option<Left<'m>>,
        spans: &Spans<'_>,
        name: &'m Field,
    ) -> cocli_store::Result<Self> {
        let (mut rows, mut addresses) = (None, Addresses::default());
        match export.of {
            Of::Leads { .. } => addresses = Addresses::of(spans, left.as_ref())?,
            Of::Pool(kind) => rows = Some(Rows::of(kind)),
            Of::Datagrams => {}
        }
        Ok(Self { export, left, name, rows, addresses })
    }

    fn make<T>(&self, span: &Span, batch: &mut Batch<'_, T>) -> cocli_store::Result<()> {
        let mut addresses = self.addresses.cursor();
        let mut made = Ok(());
        span.each(|lines| {
            if made.is_ok() {
                made = match self.export.of {
                    Of::Datagrams => winners(lines, batch),
                    _ if !is_entity(lines) => Ok(()),
                    Of::Leads { all } => self.lead(lines, all, &mut addresses, batch),
                    Of::Pool(kind) => self.entity(lines, kind, batch),
                };
            }
        });
        made
    }

    fn lead<T>(
        &self,
        lines: &[Line<'_>],
        all: bool,
        addresses: &mut addresses::Cursor<'_>,
        batch: &mut Batch<'_, T>,
    ) -> cocli_store::Result<()> {
        let target = text_of(lines.first().map_or(&[], Line::target));
        if !self.is_member(target) {
            return Ok(());
        }
        let mut together = Vec::new();
        let known = Known::of(lines, &mut together);
        if !known.lives()? {
            return Ok(());
        }
        if !self.export.conditions.is_empty() {
            let (_, entity) = Span::entity(lines)?;
            if !self.holds(Kind::Company, &entity) {
                return Ok(());
            }
        }
        if self.is_out(target, &known.domain()?) {
            batch.counts.excluded += 1;
            return Ok(());
        }
        let emails = known.emails(addresses.of(target), self.left.as_ref())?;
        if emails.is_empty() && !all {
            batch.counts.without_email += 1;
            return Ok(());
        }
        batch.row(&known.cells(target, emails)?, None);
        Ok(())
    }

    fn entity<T>(
        &self,
        lines: &[Line<'_>],
        kind: Kind,
        batch: &mut Batch<'_, T>,
    ) -> cocli_store::Result<()> {
        if !self.is_member(text_of(lines.first().map_or(&[], Line::target))) {
            return Ok(());
        }
        let (target, entity) = Span::entity(lines)?;
        let is_row = entity.removed().is_none()
            && has_something(Some(kind), &entity, self.name)
            && self.holds(kind, &entity);
        if is_row && self.left.as_ref().is_some_and(|left| left.has(&target, &entity)) {
            batch.counts.excluded += 1;
        } else if is_row && let Some(rows) = &self.rows {
            batch.row(&rows.row(&target, &entity), Some((&target, &entity)));
        }
        Ok(())
    }

    /// Whether somebody belongs to the campaign; to none everybody does.
    fn is_member(&self, target: &str) -> bool {
        self.left.as_ref().is_none_or(|left| left.campaign.members.contains(target))
    }

    fn is_out(&self, target: &str, domain: &str) -> bool {
        let left = self.left.as_ref().filter(|left| !left.is_empty());
        left.is_some_and(|left| left.campaign.excludes(target).is_some() || left.has_domain(domain))
    }

    fn holds(&self, kind: Kind, entity: &Entity) -> bool {
        self.export.conditions.iter().all(|condition| condition.holds(Some(kind), entity))
    }
}

fn winners<T>(lines: &[Line<'_>], batch: &mut Batch<'_, T>) -> cocli_store::Result<()> {
    let (target, entity) = Span::entity(lines)?;
    for (field, entry) in &entity.fields {
        batch.row(&winner(&target, field, entry), None);
    }
    Ok(())
}

/// Whether they are of one that stands in a collection, and not below something that does.
fn is_entity(lines: &[Line<'_>]) -> bool {
    let target = lines.first().map_or(&[][..], Line::target);
    memchr::memchr_iter(b'/', target).count() == 1
}

/// State lines are UTF-8.
fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
