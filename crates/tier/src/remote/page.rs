//! A listing some objects at a time, which no odd name stops: `object_store` refuses a whole answer for one name that
//! is no path of its own.

use cocli_core::bucket::{Failure, Key, Listed, Next, Page};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::{Error, ObjectMeta, path};

use super::Remote;
use crate::answer::noting;

/// Objects that are listed at a time: the most that S3 gives.
const MOST: usize = 1000;

impl Remote {
    /// Some objects below a folder. Of an answer with an odd name ever fewer are asked for, until that name stands
    /// alone; behind it they are twice as many each time.
    pub(crate) async fn page(&self, folder: &Key, from: Option<&Next>) -> Result<Page, Failure> {
        let Some(lister) = &self.service.lister else {
            return Ok(Page { listed: self.list(folder).await?, ..Page::default() });
        };
        let mut next =
            from.cloned().unwrap_or(Next { after: String::new(), most: MOST, token: None });
        loop {
            let (came, answer) = noting(self.some(&**lister, folder, &next)).await;
            match came {
                Ok(came) => return Ok(self.told(folder, &next, came)),
                Err(Error::InvalidPath { source }) => match odd(&source) {
                    Some(name) if next.most == 1 => {
                        let after = name.to_string();
                        let name = name.strip_prefix(&self.prefix).unwrap_or(name).to_string();
                        let next = Some(Next { after, most: 1, token: None });
                        return Ok(Page { listed: Vec::new(), odd: vec![name], next });
                    }
                    Some(_) => next = Next { most: next.most / 2, token: None, ..next },
                    None => {
                        let error = Error::InvalidPath { source };
                        return Err(self.failure("list", folder.as_str(), &answer, &error));
                    }
                },
                Err(error) => {
                    return Err(self.failure("list", folder.as_str(), &answer, &error));
                }
            }
        }
    }

    async fn some(
        &self,
        lister: &dyn PaginatedListStore,
        folder: &Key,
        next: &Next,
    ) -> Result<PaginatedListResult, Error> {
        let prefix = format!("{}{folder}", self.prefix);
        let offset = (next.token.is_none() && !next.after.is_empty()).then(|| next.after.clone());
        let (max_keys, page_token) = (Some(next.most), next.token.clone());
        let options = PaginatedListOptions { offset, max_keys, page_token, ..Default::default() };
        lister.list_paginated(Some(&prefix), options).await
    }

    fn told(&self, folder: &Key, asked: &Next, came: PaginatedListResult) -> Page {
        let objects = came.result.objects;
        let after = objects.last().map_or(asked.after.clone(), |last| last.location.to_string());
        let most = (asked.most * 2).min(MOST);
        // A token goes on with as many as were asked for.
        let more = came.page_token.is_some();
        let token = came.page_token.filter(|_| most == asked.most);
        let mut page =
            Page { next: more.then_some(Next { after, most, token }), ..Page::default() };
        for ObjectMeta { location, last_modified, size, .. } in objects {
            let name = location.as_ref();
            let name = name.strip_prefix(&self.prefix).unwrap_or(name);
            match Key::read(name).filter(|key| key.as_str().starts_with(folder.as_str())) {
                Some(key) => page.listed.push(Listed {
                    key,
                    bytes: size,
                    written: last_modified.timestamp_micros(),
                }),
                // The folder itself, as consoles mark one.
                None if Some(name) == folder.as_str().strip_suffix('/') => {}
                None => page.odd.push(name.to_string()),
            }
        }
        page
    }
}

/// The name that is no path.
fn odd(error: &path::Error) -> Option<&str> {
    match error {
        path::Error::EmptySegment { path } | path::Error::BadSegment { path, .. } => Some(path),
        _ => None,
    }
}
