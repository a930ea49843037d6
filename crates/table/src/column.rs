//! The values of a column that wait for their row group, in the form that the format wants: levels,
//! which say what is missing and where a row begins, and the values that are there.

use bytes::Bytes;
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedColumnWriter;

use crate::cell::Cell;
use crate::shape::Form;

/// Levels that are handed on together: they, and the values between them, are made into what the format
/// takes only then.
const TOGETHER: usize = 1024;

/// What stands for a member of a list or map: the list is null, it is empty, the member is null, it
/// has a value.
const NO_LIST: u8 = 0;
const NO_MEMBER: u8 = 1;
const NULL_MEMBER: u8 = 2;
const MEMBER: u8 = 3;
/// A key is never null, so it has one level less.
const KEY: u8 = 2;

/// The waiting values of one column.
#[derive(Debug)]
pub(crate) enum Column {
    Single(Leaf),
    List(Leaf),
    Map(Leaf, Leaf),
}

/// What the format calls a column: one of two for a map.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The level of a value that is there.
    full: u8,
    levels: Vec<u8>,
    /// Whether a value goes on with the row before; only of lists and maps.
    repeats: Option<Vec<u8>>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// One text behind the other, and where each ends.
    Texts(Vec<u8>, Vec<usize>),
    Wholes(Vec<i64>),
    Reals(Vec<f64>),
}

impl Column {
    pub(crate) fn new(form: Form) -> Self {
        let texts = || Values::Texts(Vec::new(), Vec::new());
        let single = |values| Self::Single(Leaf::new(1, None, values));
        let repeated = |full: u8| Leaf::new(full, Some(Vec::new()), texts());
        match form {
            Form::Text => single(texts()),
            Form::Whole | Form::Time => single(Values::Wholes(Vec::new())),
            Form::Real => single(Values::Reals(Vec::new())),
            Form::List => Self::List(repeated(MEMBER)),
            Form::Map => Self::Map(repeated(KEY), repeated(MEMBER)),
        }
    }

    /// Adds the value of one row, and tells how many bytes it takes here. One of another form is null.
    pub(crate) fn push(&mut self, cell: &Cell<'_>) -> usize {
        match (self, cell) {
            (Self::Single(leaf), cell) => leaf.push_single(cell),
            (Self::List(leaf), Cell::List(items)) if items.is_empty() => leaf.push(NO_MEMBER, 0),
            (Self::List(leaf), Cell::List(items)) => {
                let items = items.iter().map(Option::as_deref).enumerate();
                items.map(|(at, item)| leaf.push_member(at, item)).sum()
            }
            (Self::List(leaf), _) => leaf.push(NO_LIST, 0),
            (Self::Map(keys, values), Cell::Map(map)) if map.is_empty() => {
                keys.push(NO_MEMBER, 0) + values.push(NO_MEMBER, 0)
            }
            (Self::Map(keys, values), Cell::Map(map)) => {
                let members = map.iter().enumerate().map(|(at, (key, value))| {
                    keys.push_member(at, Some(key)) + values.push_member(at, value.as_deref())
                });
                members.sum()
            }
            (Self::Map(keys, values), _) => keys.push(NO_LIST, 0) + values.push(NO_LIST, 0),
        }
    }

    pub(crate) fn leaves(&mut self) -> impl Iterator<Item = &mut Leaf> {
        let (first, second) = match self {
            Self::Single(leaf) | Self::List(leaf) => (leaf, None),
            Self::Map(keys, values) => (keys, Some(values)),
        };
        [first].into_iter().chain(second)
    }
}

impl Leaf {
    fn new(full: u8, repeats: Option<Vec<u8>>, values: Values) -> Self {
        Self { full, levels: Vec::new(), repeats, values }
    }

    /// Adds a level; `at` is the place of a member in its list.
    fn push(&mut self, level: u8, at: usize) -> usize {
        self.levels.push(level);
        if let Some(repeats) = &mut self.repeats {
            repeats.push(u8::from(at > 0));
        }
        1 + usize::from(self.repeats.is_some())
    }

    fn push_single(&mut self, cell: &Cell<'_>) -> usize {
        let bytes = match (&mut self.values, cell) {
            (Values::Texts(texts, ends), Cell::Text(text)) => add(texts, ends, text),
            (Values::Wholes(wholes), Cell::Whole(number)) => {
                wholes.push(*number);
                size_of::<i64>()
            }
            (Values::Reals(reals), Cell::Real(number)) => {
                reals.push(*number);
                size_of::<f64>()
            }
            _ => return self.push(0, 0),
        };
        bytes + self.push(self.full, 0)
    }

    fn push_member(&mut self, at: usize, text: Option<&str>) -> usize {
        match (&mut self.values, text) {
            (Values::Texts(texts, ends), Some(text)) => {
                add(texts, ends, text) + self.push(self.full, at)
            }
            _ => self.push(NULL_MEMBER, at),
        }
    }

    /// Hands all of it on, and is empty again.
    pub(crate) fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let levels = std::mem::take(&mut self.levels);
        let repeats = self.repeats.as_mut().map(std::mem::take);
        let stretches = Stretches { full: self.full, levels: &levels, repeats: repeats.as_deref() };
        match &mut self.values {
            Values::Texts(texts, ends) => {
                let texts = Bytes::from(std::mem::take(texts));
                let mut from = 0;
                let texts = std::mem::take(ends).into_iter().map(|end| {
                    let text = ByteArray::from(texts.slice(from..end));
                    from = end;
                    text
                });
                stretches.write(column.typed::<ByteArrayType>(), texts)
            }
            Values::Wholes(wholes) => {
                stretches.write(column.typed::<Int64Type>(), std::mem::take(wholes).into_iter())
            }
            Values::Reals(reals) => {
                stretches.write(column.typed::<DoubleType>(), std::mem::take(reals).into_iter())
            }
        }
    }
}

fn add(texts: &mut Vec<u8>, ends: &mut Vec<usize>, text: &str) -> usize {
    texts.extend_from_slice(text.as_bytes());
    ends.push(texts.len());
    text.len() + size_of::<usize>()
}

fn wide(levels: &[u8]) -> Vec<i16> {
    levels.iter().copied().map(i16::from).collect()
}

/// The levels of a leaf, which are handed on in stretches of whole rows.
struct Stretches<'a> {
    full: u8,
    levels: &'a [u8],
    repeats: Option<&'a [u8]>,
}

impl Stretches<'_> {
    fn write<T: DataType>(
        &self,
        column: &mut ColumnWriterImpl<'_, T>,
        mut values: impl Iterator<Item = T::T>,
    ) -> Result<()> {
        let mut from = 0;
        while from < self.levels.len() {
            let to = self.end_of(from);
            let levels = &self.levels[from..to];
            let there = levels.iter().filter(|level| **level == self.full).count();
            let some: Vec<T::T> = values.by_ref().take(there).collect();
            let repeats = self.repeats.map(|repeats| wide(&repeats[from..to]));
            let written = column.write_batch(&some, Some(&wide(levels)), repeats.as_deref())?;
            if written != there {
                return Err(ParquetError::General(format!("{written} of {there} values")));
            }
            from = to;
        }
        Ok(())
    }

    /// Where the stretch ends that begins at `from`: before a row.
    fn end_of(&self, from: usize) -> usize {
        let to = (from + TOGETHER).min(self.levels.len());
        let rest = self.repeats.map(|repeats| &repeats[to..]).unwrap_or_default();
        to + rest.iter().take_while(|repeat| **repeat > 0).count()
    }
}
