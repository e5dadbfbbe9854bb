//! Writes that can be repeated: a client whose answer was lost sends the same `Idempotency-Key` again, and is answered as
//! the first time (draft-ietf-httpapi-idempotency-key-header).
//!
//! A write is recorded in its own transaction, which demands that it was not recorded before. So of two requests with one
//! key only one takes place, however they race and at however many servers over one backend they arrive; and a record
//! without its write, or a write without its record, cannot be. What did not take place is not recorded: a repeat of it is
//! tried anew.
//!
//! Beside each record is an entry in the order of time, by which records are forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::backend::{Backend, BackendSnapshot};
use crate::error::Reason;
use crate::precondition::Precondition;
use crate::range::{AsPrefix, KeyRange};
use crate::revision::Revision;
use crate::txn::Txn;
use crate::versioned::Versioned;

use super::keyspace::RESERVED;
use crate::http::caller::Caller;
use crate::http::etag::{ETag, Origin};
use crate::http::problem::{Problem, ProblemKind};
use crate::http::versions::Life;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The most characters that a key may have.
pub(super) const MAX_KEY: usize = 255;

/// For how long a write is remembered.
const LIFETIME_MS: u64 = 24 * 60 * 60 * 1_000;

/// How many records are forgotten in one transaction: more than clients can write while one is synced, or the records of many
/// who write at a time would grow for ever.
const BATCH: usize = 256;

const RECORDS: &[u8] = b"idempotency/";
const BY_TIME: &[u8] = b"idempotency-time/";

/// Headers that make another request of it.
const RELEVANT: [HeaderName; 4] =
    [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_UNMODIFIED_SINCE, header::CONTENT_TYPE];

/// How many writes are remembered, and how many may be.
#[derive(Debug)]
pub(super) struct Idempotency {
    max: usize,
    /// How many came that are not yet in what is known.
    new: AtomicUsize,
    known: Mutex<Option<Counted>>,
}

/// How many there are, as far as it is known: other servers over the same backend, and commits of which nobody knows how they
/// ended, make it a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    count: usize,
    /// After so many more they are counted anew.
    fresh_for: usize,
}

/// A request that may be a repeat of an earlier one.
#[derive(Clone, Debug)]
pub(super) struct Repeatable {
    /// Of the credential and the client's key: 32 bytes.
    name: [u8; 32],
    fingerprint: [u8; 32],
}

/// A write that took place when the request came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) etag: ETag,
    pub(super) effect: Effect,
}

/// What a write made of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Created,
    /// It was there; this is its life since.
    Changed(Life),
    /// It was deleted, or there were many.
    Other,
}

impl Effect {
    /// The life of what the commit `revision` wrote, if it wrote one document.
    pub(super) fn life(self, revision: Revision) -> Option<Life> {
        match self {
            Self::Created => Some(Life { created: revision, write_count: 1 }),
            Self::Changed(life) => Some(life),
            Self::Other => None,
        }
    }
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It took place.
    Done(Done),
    /// It did not, within the time that is remembered. This has to hold of the record for it to take place.
    New(Precondition),
}

impl Repeatable {
    /// The request, if it has an `Idempotency-Key`.
    ///
    /// # Errors
    /// 400 if the header is there twice, empty, longer than 255 characters, or not printable ASCII.
    pub(super) fn of(
        caller: &Caller,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(key) = values.next() else { return Ok(None) };
        let printable = key.as_bytes().iter().all(|byte| matches!(byte, 0x20..=0x7e));
        if values.next().is_some() || key.is_empty() || key.len() > MAX_KEY || !printable {
            let detail = "the header idempotency-key: it is one text of 1 to 255 characters of printable ASCII";
            return Err(Problem::new(ProblemKind::InvalidHeader, detail));
        }
        let name = Sha256::new().chain_update(caller.id()).chain_update(key.as_bytes());
        let mut fingerprint = Sha256::new();
        let mut add = |part: &[u8]| {
            fingerprint.update(part.len().to_be_bytes());
            fingerprint.update(part);
        };
        add(method.as_str().as_bytes());
        add(uri.path().as_bytes());
        add(uri.query().unwrap_or_default().as_bytes());
        for name in RELEVANT {
            let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            add(&values.join(&b", "[..]));
        }
        add(body);
        Ok(Some(Self { name: name.finalize().into(), fingerprint: fingerprint.finalize().into() }))
    }

    /// The key of the record.
    pub(super) fn record(&self) -> Bytes {
        [&[RESERVED], RECORDS, &self.name[..]].concat().into()
    }

    /// # Errors
    /// 422 if the key was used for another request.
    pub(super) async fn find<B: Backend>(&self, backend: &B) -> Result<Known, Problem> {
        let found = backend.get(&self.record()).await?;
        self.read(found.as_ref(), SystemTime::now())
    }

    /// What a record says of the request.
    ///
    /// # Errors
    /// 422 if the key was used for another request.
    pub(super) fn read(
        &self,
        found: Option<&Versioned<Bytes>>,
        now: SystemTime,
    ) -> Result<Known, Problem> {
        let Some(found) = found else { return Ok(Known::New(Precondition::Absent)) };
        let record = Record::decode(found).ok_or_else(|| {
            Problem::new(ProblemKind::Internal, "a record of the server is damaged")
        })?;
        if milliseconds(now).saturating_sub(record.time) > LIFETIME_MS {
            return Ok(Known::New(found.into()));
        }
        if record.fingerprint != self.fingerprint {
            let detail = "another request was sent with the same Idempotency-Key before";
            return Err(Problem::new(ProblemKind::IdempotencyKeyReused, detail));
        }
        let etag = ETag::from_origin(found.revision(), record.origin);
        Ok(Known::Done(Done { etag, effect: record.effect }))
    }

    /// Has the transaction record the request, on condition that `record` holds of its record. That is the last
    /// precondition of the transaction.
    pub(super) fn record_in(
        &self,
        txn: Txn<Bytes, Bytes>,
        record: Precondition,
        effect: Effect,
        origin: Origin,
    ) -> Txn<Bytes, Bytes> {
        let time = milliseconds(SystemTime::now());
        let value = Record { time, fingerprint: self.fingerprint, effect, origin }.encode();
        txn.require(self.record(), record)
            .put(self.record(), value)
            .put(by_time(time, &self.name), Bytes::new())
    }
}

impl Idempotency {
    pub(super) fn new(max: usize) -> Self {
        Self { max, new: AtomicUsize::new(0), known: Mutex::default() }
    }

    /// A write was recorded.
    pub(super) fn recorded(&self) {
        self.new.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes room for the next. That it fails only means that it is done later, by another.
    pub(super) async fn make_room<B: Backend>(&self, backend: &B) {
        // Whoever comes meanwhile leaves theirs to the one who is at it, or to the next.
        let Ok(mut known) = self.known.try_lock() else { return };
        loop {
            let new = self.new.swap(0, Ordering::Relaxed);
            let (count, fresh_for) = match *known {
                Some(Counted { count, fresh_for }) if new <= fresh_for => {
                    (count + new, fresh_for - new)
                }
                _ => match count(backend).await {
                    Ok(count) => (count, self.max),
                    Err(_) => {
                        // Those that just came are in nothing now: all are counted the next time.
                        *known = None;
                        return;
                    }
                },
            };
            *known = Some(Counted { count, fresh_for });
            let excess = count.saturating_sub(self.max);
            let Ok(forgotten) = forget(backend, excess.min(BATCH), SystemTime::now()).await else {
                return;
            };
            let count = count.saturating_sub(forgotten);
            *known = Some(Counted { count, fresh_for });
            if forgotten == 0 || count + self.new.load(Ordering::Relaxed) <= self.max {
                return;
            }
        }
    }
}

/// What is stored of a write: 1 byte of version, 8 of time, 32 of fingerprint, 1 of effect, 6 of the origin of its tag; of a
/// change 8 of the revision that created the document, and 8 of its writes.
struct Record {
    /// In milliseconds since 1970, as in the entries by time, of which the oldest are forgotten.
    time: u64,
    fingerprint: [u8; 32],
    effect: Effect,
    origin: Origin,
}

impl Record {
    fn encode(&self) -> Bytes {
        let (effect, life) = match self.effect {
            Effect::Other => (0, None),
            Effect::Created => (1, None),
            Effect::Changed(life) => (2, Some(life)),
        };
        let parts: [&[u8]; 5] =
            [&[1], &self.time.to_be_bytes(), &self.fingerprint, &[effect], &self.origin];
        let mut bytes = parts.concat();
        if let Some(Life { created, write_count }) = life {
            bytes.extend_from_slice(&created.get().to_be_bytes());
            bytes.extend_from_slice(&write_count.to_be_bytes());
        }
        bytes.into()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[1])?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<32>()?;
        let (effect, rest) = rest.split_first()?;
        let (origin, rest) = rest.split_first_chunk::<6>()?;
        let effect = match (effect, rest) {
            (0, []) => Effect::Other,
            (1, []) => Effect::Created,
            (2, rest) => {
                let (created, write_count) = rest.split_first_chunk::<8>()?;
                let created = Revision::try_from(u64::from_be_bytes(*created)).ok()?;
                let write_count = u64::from_be_bytes(write_count.try_into().ok()?);
                Effect::Changed(Life { created, write_count })
            }
            _ => return None,
        };
        let time = u64::from_be_bytes(*time);
        Some(Self { time, fingerprint: *fingerprint, effect, origin: *origin })
    }
}

/// In milliseconds since 1970.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn by_time(time: u64, name: &[u8; 32]) -> Bytes {
    [&[RESERVED], BY_TIME, &time.to_be_bytes()[..], name].concat().into()
}

fn all_by_time() -> KeyRange<Bytes> {
    AsPrefix::<Vec<u8>>::into_range([&[RESERVED], BY_TIME].concat()).map(Bytes::from)
}

/// When the write was, and its name.
fn read_by_time(key: &[u8]) -> Option<(u64, [u8; 32])> {
    let (time, name) = key.get(1 + BY_TIME.len()..)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*time), name.try_into().ok()?))
}

async fn count<B: Backend>(backend: &B) -> Result<usize, Problem> {
    let snapshot = backend.snapshot().await?;
    let (mut count, mut rest) = (0, Some(all_by_time()));
    while let Some(range) = rest {
        let page = snapshot.page(range, 1_000).await?;
        count += page.entries.len();
        rest = page.rest;
    }
    Ok(count)
}

/// Forgets the oldest: at least `excess` of them if there are, and those whose time is over; `BATCH` at most, or as many as
/// fit into a transaction. Returns how many.
async fn forget<B: Backend>(backend: &B, excess: usize, now: SystemTime) -> Result<usize, Problem> {
    let mut batch = BATCH;
    loop {
        match forget_some(backend, excess.min(batch), now, batch).await? {
            Forgotten::Some(count) => return Ok(count),
            // Each has a precondition and two writes.
            Forgotten::TooMany { max } if max / 3 < batch && max >= 3 => batch = max / 3,
            Forgotten::TooMany { .. } => return Ok(0),
        }
    }
}

enum Forgotten {
    Some(usize),
    /// A transaction has so many operations at most.
    TooMany {
        max: usize,
    },
}

async fn forget_some<B: Backend>(
    backend: &B,
    excess: usize,
    now: SystemTime,
    batch: usize,
) -> Result<Forgotten, Problem> {
    let snapshot = backend.snapshot().await?;
    let oldest = snapshot.page(all_by_time(), batch).await?;
    let mut txn = Txn::new();
    let mut forgotten = 0;
    for (entry, _) in oldest.entries {
        let Some((then, name)) = read_by_time(&entry) else { continue };
        let is_over = milliseconds(now).saturating_sub(then) > LIFETIME_MS;
        if !is_over && forgotten >= excess {
            break;
        }
        let record: Bytes = [&[RESERVED], RECORDS, &name[..]].concat().into();
        // A record that was written again, after its time, has a newer entry.
        if let Some(stored) = snapshot.get(&record).await?
            && Record::decode(&stored).is_none_or(|record| record.time == then)
        {
            txn = txn.require(record.clone(), &stored).delete(record);
        }
        txn = txn.delete(entry);
        forgotten += 1;
    }
    if forgotten == 0 {
        return Ok(Forgotten::Some(0));
    }
    drop(snapshot);
    match backend.commit(txn).await {
        Ok(_) => Ok(Forgotten::Some(forgotten)),
        Err(error) => match error.reason() {
            Some(Reason::TooManyOperations { max, .. }) => Ok(Forgotten::TooMany { max: *max }),
            // Who lost the race against another server leaves it to that.
            _ => Ok(Forgotten::Some(0)),
        },
    }
}

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests {
    use std::time::Duration;

    use super::super::options::Options;
    use super::super::shared::{Recording, Shared};
    use super::*;
    use crate::http::documents;

    fn repeatable(key: &str, body: &[u8]) -> Repeatable {
        let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, key.parse().unwrap())]);
        let uri = "/v1/kv/a?revision=7".parse().unwrap();
        let caller = Caller::anonymous();
        Repeatable::of(&caller, &Method::PUT, &uri, &headers, body).unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_request_is_known_for_a_day_and_another_with_its_key_is_refused() {
        let store = documents().build();
        let request = repeatable("key", b"body");
        let new = Known::New(Precondition::Absent);
        assert_eq!(request.find(&store).await.unwrap(), new);
        let effect = Effect::Changed(Life { created: Revision::MIN, write_count: 7 });
        let txn = request.record_in(Txn::new(), Precondition::Absent, effect, *b"origin");
        let revision = store.commit(txn).unwrap();
        let done = Known::Done(Done { etag: ETag::from_origin(revision, *b"origin"), effect });
        assert_eq!(request.find(&store).await.unwrap(), done);
        let other = repeatable("key", b"other").find(&store).await.unwrap_err();
        assert_eq!(other.kind(), ProblemKind::IdempotencyKeyReused);
        assert_eq!(repeatable("other", b"other").find(&store).await.unwrap(), new);

        let stored = store.get(request.record()).unwrap();
        let at =
            |seconds| request.read(Some(&stored), SystemTime::now() + Duration::from_secs(seconds));
        assert_eq!(at(24 * 60 * 60 - 5).unwrap(), done);
        assert_eq!(at(24 * 60 * 60 + 5).unwrap(), Known::New(revision.into()));
    }

    #[tokio::test]
    async fn only_so_many_are_remembered_and_those_are_the_newest() {
        let store = documents().build();
        let idempotency = Idempotency::new(20);
        for number in 0..50 {
            let request = repeatable(&number.to_string(), b"");
            store
                .commit(request.record_in(
                    Txn::new(),
                    Precondition::Absent,
                    Effect::Other,
                    *b"origin",
                ))
                .unwrap();
            idempotency.recorded();
            idempotency.make_room(&store).await;
        }
        assert_eq!(store.len(), 2 * 20);
    }

    #[tokio::test]
    async fn those_who_did_not_wait_to_forget_are_made_up_for() {
        let store = documents().build();
        let idempotency = Idempotency::new(20);
        let record = |number: usize| {
            let request = repeatable(&number.to_string(), b"");
            request.record_in(Txn::new(), Precondition::Absent, Effect::Other, *b"origin")
        };
        store.commit(record(0)).unwrap();
        idempotency.recorded();
        idempotency.make_room(&store).await;
        let another_forgets = idempotency.known.lock().await;
        for number in 1..1_000 {
            store.commit(record(number)).unwrap();
            idempotency.recorded();
            idempotency.make_room(&store).await;
        }
        drop(another_forgets);
        store.commit(record(1_000)).unwrap();
        idempotency.recorded();
        idempotency.make_room(&store).await;
        assert_eq!(store.len(), 2 * 20);
    }

    #[tokio::test]
    async fn a_commit_that_nobody_waits_for_any_more_is_counted_and_one_that_failed_is_not() {
        let shared = Shared::new(documents().build(), Options::default().max_idempotency_keys(5));
        let request = repeatable("key", b"");
        let record = |name| {
            let request = Repeatable { name: [name; 32], ..request.clone() };
            request.record_in(Txn::new(), Precondition::Absent, Effect::Other, *b"origin")
        };
        let until = async |records: usize| {
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            assert_eq!(shared.backend().len(), 2 * records);
        };
        for name in 0..9 {
            let recording = Recording::new(&shared);
            shared.backend().commit(record(name)).unwrap();
            drop(recording);
            until(usize::from(name + 1).min(5)).await;
        }
        for _ in 0..9 {
            let recording = Recording::new(&shared);
            let failed = shared.backend().commit(record(8));
            assert!(failed.is_err());
            recording.done(&failed);
        }
        tokio::task::yield_now().await;
        assert_eq!(shared.idempotency().new.load(Ordering::Relaxed), 0);
        assert_eq!(shared.idempotency().known.lock().await.unwrap().count, 5);
    }

    #[tokio::test]
    async fn commits_that_did_not_take_place_make_nobody_forget_for_long() {
        let shared = Shared::new(documents().build(), Options::default().max_idempotency_keys(5));
        let commit = |name: u32| {
            let record = repeatable(&name.to_string(), b"").record_in(
                Txn::new(),
                Precondition::Absent,
                Effect::Other,
                *b"origin",
            );
            shared.backend().commit(record).unwrap();
            shared.idempotency().recorded();
        };
        commit(0);
        shared.idempotency().make_room(shared.backend()).await;
        // As many as nobody waited for, and none of them was.
        (0..50).for_each(|_| shared.idempotency().recorded());
        for name in 1..5 {
            commit(name);
            shared.idempotency().make_room(shared.backend()).await;
        }
        assert_eq!(shared.backend().len(), 2 * 5);
    }

    #[tokio::test]
    async fn what_is_over_is_forgotten_and_what_was_written_again_is_not() {
        let store = documents().build();
        let request = repeatable("key", b"");
        store
            .commit(request.record_in(Txn::new(), Precondition::Absent, Effect::Other, *b"origin"))
            .unwrap();
        // As if it had been recorded before, too, with an entry that is still there.
        store.put(by_time(7, &request.name), Bytes::new()).unwrap();
        assert_eq!(forget(&store, 0, SystemTime::now()).await.unwrap(), 1);
        assert!(store.contains(request.record()));
        let later = SystemTime::now() + Duration::from_secs(24 * 60 * 60 + 5);
        assert_eq!(forget(&store, 0, later).await.unwrap(), 1);
        assert!(store.is_empty());
    }
}
