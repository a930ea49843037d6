//! The state as tables: one pass over checkpoint and tail, in the order of targets.

use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::ControlFlow;

use cocli_core::{Entity, Field, Kind, StateDigest, Target};
use cocli_store::Reader;
use cocli_table::{Meta, PartInfo, TableError, Tables};

use crate::error::Result;
use crate::home::Home;
use crate::list::has_something;

/// Tables of one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The digest of the state that they were made of, which their footers tell as well.
    pub digest: StateDigest,
    /// Their files.
    pub parts: Vec<PartInfo>,
}

/// Who makes tables, and for what: the rest of [`Meta`] is known where they are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The version of the program.
    pub version: String,
    /// The number of the manifest that they are published with, if they are.
    pub manifest: Option<u64>,
}

impl Home {
    /// Writes what stands there now as tables: a row for each living entity, and one for each winner.
    /// `open` gives the writer of a part, by table and number.
    ///
    /// A compaction may take the files away meanwhile: then all begins again, and a part that was opened
    /// before is opened anew. What it held is to be thrown away.
    ///
    /// # Errors
    /// When the disk cannot be read, or a writer fails.
    pub fn snapshot<W: Write + Send>(
        &self,
        origin: &Origin,
        open: impl FnMut(&'static str, usize) -> io::Result<W>,
    ) -> Result<Snapshot> {
        let (name, open) = (Field::read("name")?, RefCell::new(open));
        let written = self.read(|reader| {
            let digest = reader.digest()?;
            let meta = Meta {
                version: origin.version.clone(),
                rules: reader.manifest().rules,
                digest: Some(digest),
                manifest: origin.manifest,
            };
            let opened = |table, part| (open.borrow_mut())(table, part);
            let parts = match Tables::new(opened, &meta) {
                Ok(tables) => fill(reader, tables, &name)?,
                Err(error) => Err(error),
            };
            Ok(parts.map(|parts| Snapshot { digest, parts }))
        })?;
        Ok(written?)
    }
}

fn fill<W: Write + Send, F: FnMut(&'static str, usize) -> io::Result<W>>(
    reader: &Reader,
    mut tables: Tables<W, F>,
    name: &Field,
) -> cocli_store::Result<Result<Vec<PartInfo>, TableError>> {
    let mut rows = Rows::new(name.clone());
    let mut add =
        |target: &Target, entity: &Entity| rows.add(&mut tables, target, entity).map(drop);
    let flow = reader.in_order(|target, entity| match add(target, entity) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    })?;
    Ok(match flow {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => tables.finish(),
    })
}

/// Targets as rows, as they come in their order.
pub(crate) struct Rows {
    removed: Removed,
    name: Field,
}

impl Rows {
    /// `name` is the field of that name.
    pub(crate) fn new(name: Field) -> Self {
        Self { removed: Removed::default(), name }
    }

    /// Adds a living entity as a row, and each of its winners; gives whether it lives.
    pub(crate) fn add<W: Write + Send, F: FnMut(&'static str, usize) -> io::Result<W>>(
        &mut self,
        tables: &mut Tables<W, F>,
        target: &Target,
        entity: &Entity,
    ) -> Result<bool, TableError> {
        let lives = !self.removed.hides(target, entity)
            && has_something(Kind::of(target), entity, &self.name);
        if lives {
            tables.entity(target, entity)?;
        }
        entity.fields.iter().try_for_each(|(field, entry)| tables.winner(target, field, entry))?;
        Ok(lives)
    }
}

/// The removed targets that may have something below them behind the target that came last.
#[derive(Default)]
struct Removed(Vec<Target>);

impl Removed {
    /// Whether a target is removed, or stands below one that is. They come in order.
    fn hides(&mut self, target: &Target, entity: &Entity) -> bool {
        // What stands below `a/b` is before all that begins with `a/b0`: `0` follows on `/`.
        self.0.retain(|above| {
            let begin = target.as_str().get(..above.as_str().len());
            begin.is_some_and(|begin| begin == above.as_str())
                && target.as_str().as_bytes().get(above.as_str().len()).is_none_or(|b| *b <= b'/')
        });
        let is_below = self.0.iter().any(|above| target.lineage().any(|at| at == above.as_str()));
        if entity.removed().is_some() {
            self.0.push(target.clone());
        }
        is_below || entity.removed().is_some()
    }
}
