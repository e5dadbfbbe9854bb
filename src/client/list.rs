//! The entries with a prefix, in the order of their keys.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use reqwest::{Method, StatusCode};

use crate::revision::Revision;

use super::Client;
use super::entry::Entry;
use super::error::ClientError;
use super::send::{Call, Shared};
use super::unfold::{Source, Unfold};
use super::value::ReadValue;
use super::wire::WirePage;
use crate::percent::encode_path;

/// A part of a list. All pages of a list are at the same revision.
#[derive(Clone, Debug)]
pub struct ListPage<T> {
    revision: Revision,
    entries: Vec<Entry<T>>,
    next: Option<String>,
}

impl<T> ListPage<T> {
    /// The revision at which the list is: a watch since then tells all that comes after.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The entries, in the order of their keys.
    #[must_use]
    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// The entries, owned.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry<T>> {
        self.entries
    }

    /// Where the next page begins; `None` after the last.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

/// Which page.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) prefix: &'a str,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<&'a str>,
}

/// The cursor of the list as of `revision`, from a text on.
#[cfg(feature = "backend")]
pub(super) fn cursor_at(revision: Revision, from: &str) -> String {
    format!("@{revision}/{from}")
}

impl Place<'_> {
    pub(super) fn call(&self) -> Call {
        let mut target = format!("/v1/kv?prefix={}", encode_path(self.prefix));
        if let Some(limit) = self.limit {
            target = format!("{target}&limit={limit}");
        }
        if let Some(cursor) = self.cursor {
            target = format!("{target}&cursor={}", encode_path(cursor));
        }
        Call::new(Method::GET, target)
    }
}

impl Shared {
    async fn page<T: ReadValue>(&self, place: Place<'_>) -> Result<ListPage<T>, ClientError> {
        let answer = self.call(place.call()).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        let page: WirePage = answer.json()?;
        let entries = page.items.into_iter().map(|item| T::read(item.into_whole_entry()?));
        let entries: Result<Vec<_>, _> = entries.collect();
        Ok(ListPage { revision: page.revision, entries: entries?, next: page.next })
    }
}

impl Client {
    /// One page of the entries whose keys begin with `prefix`: the first, or that at the cursor `next` of another. The
    /// server has a limit of its own, which counts without `limit`.
    ///
    /// # Errors
    /// [`ClientError::Compacted`] if the cursor is too old: begin the list anew.
    pub async fn page<T: ReadValue>(
        &self,
        prefix: &str,
        limit: Option<usize>,
        cursor: Option<&str>,
    ) -> Result<ListPage<T>, ClientError> {
        self.0.page(Place { prefix, limit, cursor }).await
    }

    /// All entries whose keys begin with `prefix`, at one revision, a page at a time as they are asked for.
    pub fn list<T: ReadValue + Send + 'static>(&self, prefix: &str) -> List<T> {
        List(Unfold::Idle(Pages {
            shared: self.0.clone(),
            prefix: prefix.to_owned(),
            limit: None,
            entries: VecDeque::new(),
            rest: Rest::Begin,
        }))
    }
}

/// A stream of entries in the order of their keys. After an error it ends.
#[must_use = "nothing is read until the stream is polled"]
pub struct List<T: ReadValue + Send + 'static>(Unfold<Pages<T>>);

impl<T: ReadValue + Send + 'static> List<T> {
    /// How many entries are read at a time; the server's limit if it is not said. Set it before the first is read.
    pub fn page_size(mut self, entries: usize) -> Self {
        if let Some(pages) = self.0.source_mut() {
            pages.limit = Some(entries);
        }
        self
    }

    /// The next entry, for those who do not need a stream. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Entry<T>, ClientError>> {
        self.0.next().await
    }

    /// All that is left.
    ///
    /// # Errors
    /// The first error of the stream.
    pub async fn collect(mut self) -> Result<Vec<Entry<T>>, ClientError> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next().await {
            entries.push(entry?);
        }
        Ok(entries)
    }
}

impl<T: ReadValue + Send + 'static> Stream for List<T> {
    type Item = Result<Entry<T>, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}

impl<T: ReadValue + Send + 'static> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").finish_non_exhaustive()
    }
}

struct Pages<T> {
    shared: Arc<Shared>,
    prefix: String,
    limit: Option<usize>,
    entries: VecDeque<Entry<T>>,
    rest: Rest,
}

enum Rest {
    Begin,
    At(String),
    Nothing,
}

impl<T: ReadValue + Send + 'static> Source for Pages<T> {
    type Item = Result<Entry<T>, ClientError>;

    async fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Some(Ok(entry));
            }
            let rest = std::mem::replace(&mut self.rest, Rest::Nothing);
            let cursor = match &rest {
                Rest::Nothing => return None,
                Rest::Begin => None,
                Rest::At(cursor) => Some(cursor.as_str()),
            };
            let place = Place { prefix: &self.prefix, limit: self.limit, cursor };
            match self.shared.page(place).await {
                Err(error) => return Some(Err(error)),
                Ok(page) => {
                    self.rest = page.next.map_or(Rest::Nothing, Rest::At);
                    self.entries = page.entries.into();
                }
            }
        }
    }
}
