//! The e-mail addresses of people, by the companies that they belong to.

use std::borrow::Cow;
use std::ops::ControlFlow;

use cocli_core::Kind;
use cocli_core::usv::{Line, RS, US};
use cocli_store::reader::{Span, Spans};

use super::{below, is_entity, text_of};
use crate::address::addresses;
use crate::campaigns::Left;
use crate::followup::{companies_of, list, text};

/// The fields of a person that say whom it belongs to and how it is reached.
const FIELDS: [&[u8]; 5] = [b"_deleted", b"all_emails", b"companies", b"company", b"email"];

/// Records `company US address RS`, and where each begins, sorted.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    bytes: Vec<u8>,
    begins: Vec<usize>,
}

impl Addresses {
    /// Of all people who live and are not left out; of a campaign those of its members.
    pub(super) fn of(spans: &Spans<'_>, left: Option<&Left<'_>>) -> cocli_store::Result<Self> {
        let mut bytes = Vec::new();
        let make = |span: &Span| {
            let (mut made, mut result) = (Vec::new(), Ok(()));
            span.each(|lines| {
                if result.is_ok() && is_entity(lines) {
                    result = add(lines, left, &mut made);
                }
            });
            result.map(|()| made)
        };
        let _: ControlFlow<()> =
            spans.each(&below(Kind::Person), &[], &make, &mut |mut made: Vec<u8>, _| {
                bytes.append(&mut made);
                ControlFlow::Continue(())
            })?;
        let ends = memchr::memchr_iter(RS, &bytes).map(|end| end + 1);
        let mut begins: Vec<usize> = std::iter::once(0).chain(ends).collect();
        begins.pop();
        let mut sorted = Self { bytes, begins: Vec::new() };
        begins.sort_unstable_by(|a, b| sorted.at(*a).cmp(sorted.at(*b)));
        begins.dedup_by(|a, b| sorted.at(*a) == sorted.at(*b));
        sorted.begins = begins;
        Ok(sorted)
    }

    fn at(&self, begin: usize) -> &[u8] {
        let record = &self.bytes[begin..];
        &record[..memchr::memchr(RS, record).unwrap_or(record.len())]
    }

    /// Looks for companies that come in the order of their targets.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor { all: self, next: None }
    }
}

fn add(lines: &[Line<'_>], left: Option<&Left<'_>>, made: &mut Vec<u8>) -> cocli_store::Result<()> {
    let base = |line: &Line<'_>| {
        let field = line.field();
        FIELDS.contains(&&field[..memchr::memchr(b'.', field).unwrap_or(field.len())])
    };
    let lines: Vec<Line<'_>> = lines.iter().filter(|line| base(line)).copied().collect();
    if lines.is_empty() {
        return Ok(());
    }
    let (target, person) = Span::entity(&lines)?;
    if person.removed().is_some() || left.is_some_and(|left| left.has_person(&target, &person)) {
        return Ok(());
    }
    let mut emails = list(&person, &target, "all_emails");
    emails.push(text(&person, &target, "email"));
    let emails: Vec<Cow<'_, str>> = emails.iter().flat_map(|text| addresses(text)).collect();
    if emails.is_empty() {
        return Ok(());
    }
    for company in companies_of(&person, &target) {
        if left.is_some_and(|left| !left.campaign.members.contains(company.as_str())) {
            continue;
        }
        for email in emails.iter().filter(|email| !email.bytes().any(|b| b == RS || b == US)) {
            made.extend_from_slice(company.as_str().as_bytes());
            made.push(US);
            made.extend_from_slice(email.as_bytes());
            made.push(RS);
        }
    }
    Ok(())
}

/// Where the company that comes next is looked for.
pub(super) struct Cursor<'a> {
    all: &'a Addresses,
    next: Option<usize>,
}

impl<'a> Cursor<'a> {
    /// The addresses of people of a company, sorted.
    pub(super) fn of(&mut self, company: &str) -> impl Iterator<Item = &'a str> {
        let all = self.all;
        let of = |place: usize| {
            let record = all.at(all.begins[place]);
            record.split_at(memchr::memchr(US, record).unwrap_or(record.len()))
        };
        let company = company.as_bytes();
        // The first company is looked for, the others come behind it.
        let mut at = self.next.unwrap_or_else(|| {
            all.begins.partition_point(|begin| {
                let record = all.at(*begin);
                &record[..memchr::memchr(US, record).unwrap_or(record.len())] < company
            })
        });
        while at < all.begins.len() && of(at).0 < company {
            at += 1;
        }
        let from = at;
        while at < all.begins.len() && of(at).0 == company {
            at += 1;
        }
        self.next = Some(at);
        (from..at).map(move |place| text_of(of(place).1.get(1..).unwrap_or_default()))
    }
}
