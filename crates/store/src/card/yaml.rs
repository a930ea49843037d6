//! The front matter's YAML as top-level keys, each with its value and where both stand.
//!
//! Events with byte spans serve better than a deserializer: types are not guessed, and an edit can
//! replace exactly the bytes of one value (docs/decisions/0004-yaml-events.md).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use cocli_core::limits::JSON_DEPTH_MAX;
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

use super::fault::{CardError, CardFault};
use super::tree::Tree;

/// A key of the front matter with its value. Ranges are bytes of the front matter.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) key_at: Range<usize>,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) tree: Tree,
    pub(super) at: Range<usize>,
    pub(super) form: Form,
}

/// How a value stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing behind the colon.
    Absent,
    /// A scalar that can be replaced where it stands.
    Inline,
    /// `|` or `>`.
    Block,
    /// A list, a map, or anything with a tag.
    Other,
}

/// The keys of the front matter.
#[derive(Debug, Default)]
pub(super) struct Front {
    pub(super) pairs: Vec<Pair>,
    /// Whether it is one `{...}`: then keys have no lines of their own.
    pub(super) flow: bool,
}

/// Reads the front matter; its first line is the file's second.
pub(super) fn read(front: &str) -> Result<Front, CardError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(front) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            CardFault::Yaml(error.info()).at(at.line() + 1, at.col() + 1)
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.front)
}

#[derive(Default)]
struct Builder {
    front: Front,
    /// Line of each key of the root map.
    seen: BTreeMap<String, usize>,
    documents: usize,
    in_root: bool,
    /// The root's key that waits for its value.
    key: Option<Pair>,
    /// What is open below the root map.
    open: Vec<Frame>,
    /// Where the last thing that belongs to a value ended.
    end: usize,
}

enum Frame {
    List(Vec<Tree>),
    Map { items: Vec<(String, Tree)>, seen: BTreeSet<String>, key: Option<String>, line: usize },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), CardError> {
        if event.anchor_id().is_some() || event.is_alias() {
            return fail(CardFault::Anchor, &span);
        }
        let range = span.byte_range().unwrap_or_default();
        match event {
            Event::DocumentStart(..) if self.documents > 0 => {
                return fail(CardFault::SecondDocument, &span);
            }
            Event::DocumentStart(..) => self.documents += 1,
            Event::MappingStart(style, ..) if !self.in_root => {
                (self.in_root, self.front.flow) = (true, style == StructureStyle::Flow);
            }
            // A front matter of nothing but comments.
            Event::Scalar(text, ScalarStyle::Plain, ..) if !self.in_root && is_null(&text) => {}
            Event::SequenceStart(..) | Event::Scalar(..) if !self.in_root => {
                return fail(CardFault::NotAMap, &span);
            }
            Event::SequenceStart(..) => self.start(Frame::List(Vec::new()), &range, &span)?,
            Event::MappingStart(..) => {
                let (items, seen) = (Vec::new(), BTreeSet::new());
                let frame = Frame::Map { items, seen, key: None, line: line(&span) };
                self.start(frame, &range, &span)?;
            }
            Event::Scalar(text, style, _, tag) => {
                let tree = scalar(&text, style, tag.as_deref());
                self.end = self.end.max(range.end);
                let form = form(style, tag.is_some(), range.is_empty());
                self.node(tree, range, form, &span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if !range.is_empty() {
                    self.end = self.end.max(range.end);
                }
                self.close(&span)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, frame: Frame, at: &Range<usize>, span: &Span) -> Result<(), CardError> {
        if self.open.len() >= JSON_DEPTH_MAX {
            return fail(CardFault::TooDeep, span);
        }
        if self.open.is_empty() {
            match &mut self.key {
                Some(pair) => pair.at = at.clone(),
                None => return fail(CardFault::KeyNotText, span),
            }
        }
        self.end = self.end.max(at.end);
        self.open.push(frame);
        Ok(())
    }

    fn close(&mut self, span: &Span) -> Result<(), CardError> {
        let tree = match self.open.pop() {
            None => return Ok(()),
            Some(Frame::List(items)) => Tree::List(items),
            Some(Frame::Map { items, .. }) => Tree::Map(items),
        };
        let start = self.key.as_ref().map_or(self.end, |pair| pair.at.start);
        self.node(tree, start..self.end, Form::Other, span)
    }

    /// A finished node goes to what is open, or to the root.
    fn node(
        &mut self,
        tree: Tree,
        at: Range<usize>,
        form: Form,
        span: &Span,
    ) -> Result<(), CardError> {
        match self.open.last_mut() {
            None => return self.root(tree, at, form, span),
            Some(Frame::List(items)) => items.push(tree),
            Some(Frame::Map { items, seen, key: waiting, line: first }) => match waiting.take() {
                Some(key) => items.push((key, tree)),
                None => {
                    let key = tree.member().unwrap_or_else(|| "null".to_owned());
                    if !seen.insert(key.clone()) {
                        return fail(CardFault::DuplicateKey { key, first: *first }, span);
                    }
                    *waiting = Some(key);
                }
            },
        }
        Ok(())
    }

    fn root(
        &mut self,
        tree: Tree,
        at: Range<usize>,
        form: Form,
        span: &Span,
    ) -> Result<(), CardError> {
        if let Some(pair) = self.key.take() {
            self.front.pairs.push(Pair { tree, at, form, ..pair });
            return Ok(());
        }
        let key = tree.member().unwrap_or_else(|| "null".to_owned());
        if let Some(first) = self.seen.insert(key.clone(), line(span)) {
            return fail(CardFault::DuplicateKey { key, first }, span);
        }
        let (line, column) = (line(span), span.start.col() + 1);
        let form = Form::Absent;
        self.key = Some(Pair { key, key_at: at.clone(), line, column, tree: Tree::Null, at, form });
        Ok(())
    }
}

/// A line of the front matter is one further down in the file.
fn line(span: &Span) -> usize {
    span.start.line() + 1
}

fn fail<T>(fault: CardFault, span: &Span) -> Result<T, CardError> {
    Err(fault.at(line(span), span.start.col() + 1))
}

fn form(style: ScalarStyle, tagged: bool, absent: bool) -> Form {
    match style {
        _ if tagged => Form::Other,
        ScalarStyle::Plain if absent => Form::Absent,
        ScalarStyle::Literal | ScalarStyle::Folded => Form::Block,
        _ => Form::Inline,
    }
}

/// A tag says the type, and only null differs from text.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Tree {
    let null = match tag.and_then(Tag::core_suffix) {
        Some(suffix) => suffix == "null",
        None => style == ScalarStyle::Plain && is_null(text),
    };
    if null { Tree::Null } else { Tree::Text(text.to_owned()) }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
