//! Entries in the order of their keys' bytes, page by page.

use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;

use crate::backend::{Backend, BackendSnapshot};
use crate::capability::Capability;
use crate::error::{ReadError, Reason, WriteError};
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::txn::Txn;

use super::failure::{Verdict, ensure, ensure_eq, refused, unexpected};
use super::space::{Space, Transaction, all, contents};

pub(super) async fn keys_of_all_bytes_are_kept_in_the_order_of_bytes<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for byte in 0..=u8::MAX {
        keys.extend([vec![byte], vec![byte, 0], vec![byte, u8::MAX], vec![byte, u8::MAX, 0]]);
    }
    keys.push((0..=u8::MAX).collect());
    let texts =
        ["a/b", "a/b/c", "a0", "a.", "a b", "é", "ключ", "\u{d7ff}", "\u{e000}", "\u{10ffff}"];
    keys.extend(texts.map(|text| text.as_bytes().to_vec()));
    keys.sort_by_key(|key| (key.iter().rev().copied().collect::<Vec<u8>>(), key.len()));
    if space.backend().supports(Capability::AnyKey) {
        for some in keys.chunks(64) {
            let put = |txn: Transaction, key: &Vec<u8>| {
                txn.put(space.key(key), Bytes::copy_from_slice(key))
            };
            let _revision = space.backend().commit(some.iter().fold(Txn::new(), put)).await?;
        }
    } else {
        keys = taken(&space, keys).await?;
    }
    keys.sort();
    let expected: Vec<(Bytes, Bytes)> =
        keys.iter().map(|key| (space.key(key), Bytes::copy_from_slice(key))).collect();
    let entries = space.entries().await?;
    ensure_eq("how many keys there are", entries.len(), expected.len())?;
    for ((found, value), (key, expected)) in contents(&entries).iter().zip(&expected) {
        ensure_eq("the next key", found, key)?;
        ensure_eq("its value", value, expected)?;
    }
    for (key, entry) in &entries {
        ensure_eq("a key by itself", space.backend().get(key).await?.as_ref(), Some(entry))?;
    }
    Ok(())
}

/// Letters, digits and single slashes between them, which every backend takes.
fn is_plain(key: &[u8]) -> bool {
    let is_plain = |segment: &[u8]| segment.iter().all(u8::is_ascii_alphanumeric);
    key.split(|byte| *byte == b'/').all(|segment| !segment.is_empty() && is_plain(segment))
}

/// Writes under those of the keys that a backend takes that does not take all, and refuses the others as such.
async fn taken<B: Backend>(space: &Space<B>, keys: Vec<Vec<u8>>) -> Verdict<Vec<Vec<u8>>> {
    let mut taken = Vec::new();
    for name in keys {
        let (backend, key) = (space.backend(), space.key(&name));
        let value = Bytes::copy_from_slice(&name);
        let put = backend.put_if(key.clone(), value.clone(), Precondition::Any).await;
        let refusal = match put {
            Ok(_) => {
                taken.push(name);
                continue;
            }
            Err(WriteError::Refused(refusal)) => refusal.into_reason(),
            Err(other) => return unexpected("a key that is not taken", &other),
        };
        let case = format!("the key {:?}", key);
        ensure(!is_plain(&name), &format!("{case} is taken"))?;
        let is_refused =
            |reason: &Reason| matches!(reason, Reason::Unsupported(Capability::AnyKey));
        ensure(is_refused(&refusal), &format!("{case} is refused as one"))?;
        let written = backend.commit(Txn::new().put(key.clone(), value)).await;
        let written = refused(&case, written)?;
        ensure(written.reason().is_some_and(is_refused), &format!("{case} in a transaction"))?;
        let deleted = refused(&case, backend.delete_if(key.clone(), Precondition::Any).await)?;
        match deleted {
            WriteError::Refused(refusal) if is_refused(refusal.reason()) => {}
            other => return unexpected(&format!("{case} in a delete"), &other),
        }
        match refused(&case, backend.get(&key).await)? {
            ReadError::Unsupported(Capability::AnyKey) => {}
            other => return unexpected(&format!("{case} in a read"), &other),
        }
    }
    Ok(taken)
}

async fn seven<B: Backend>(space: &Space<B>) -> Verdict<Vec<Bytes>> {
    let names = ["b", "d", "f", "h", "j", "l", "n"];
    for name in ["f", "b", "n", "d", "l", "j", "h"] {
        let _there = space.put(name, name).await?;
    }
    let _gone = space.put("g", "gone").await?;
    let _gone = space.remove("g").await?;
    Ok(names.iter().map(|name| space.key(name)).collect())
}

pub(super) async fn pages_go_on_where_they_stopped<B: Backend>(space: Space<B>) -> Verdict {
    let keys = seven(&space).await?;
    let snapshot = space.backend().snapshot().await?;
    for limit in 1..=9 {
        let mut found = Vec::new();
        let mut rest = Some(space.under(""));
        while let Some(range) = rest {
            let page = snapshot.page(range, limit).await?;
            let left = keys.len() - found.len();
            ensure_eq("the length of a page", page.entries.len(), limit.min(left))?;
            ensure_eq("whether more comes", page.rest.is_some(), left > limit)?;
            found.extend(page.entries.into_iter().map(|(key, _)| key));
            rest = page.rest;
        }
        ensure_eq(&format!("the keys by pages of {limit}"), &found, &keys)?;
    }
    let page = snapshot.page(space.under(""), 0).await?;
    ensure(page.entries.is_empty(), "a page of nothing has nothing")?;
    ensure(page.rest.is_some(), "and everything comes after it")
}

pub(super) async fn pages_keep_to_both_bounds<B: Backend>(space: Space<B>) -> Verdict {
    let keys = seven(&space).await?;
    let snapshot = space.backend().snapshot().await?;
    for range in space.ranges(&["a", "b", "c", "h", "n", "o"], &["a", "b", "g", "h", "n", "o"]) {
        let found = all(&snapshot, range.clone()).await?;
        let found: Vec<Bytes> = found.into_iter().map(|(key, _)| key).collect();
        let expected: Vec<Bytes> = keys.iter().filter(|key| range.contains(key)).cloned().collect();
        ensure_eq(&format!("the keys in {range:?}"), found, expected)?;
    }
    let within = space.under("");
    for start in ["a", "b", "c", "h", "n", "o"].map(|name| space.key(name)) {
        for start in [Included(start.clone()), Excluded(start)] {
            // Without an end it leaves the space: only what of it is there is looked at.
            let range = KeyRange::new(start, Unbounded);
            let found = snapshot.page(range.clone(), keys.len()).await?.entries;
            let found: Vec<Bytes> =
                found.into_iter().map(|(key, _)| key).filter(|key| within.contains(key)).collect();
            let expected: Vec<Bytes> =
                keys.iter().filter(|key| range.contains(key)).cloned().collect();
            ensure_eq(&format!("the keys in {range:?}"), found, expected)?;
        }
    }
    Ok(())
}

pub(super) async fn a_value_may_be_empty_or_large<B: Backend>(space: Space<B>) -> Verdict {
    for size in [0, 1, 255, 65_536, 1 << 20] {
        let value: Bytes = (0..=u8::MAX).cycle().take(size).collect();
        let key = space.key("a");
        let written = space.backend().put_if(key.clone(), value.clone(), Precondition::Any).await?;
        let entry = space.entry("a").await?;
        ensure_eq("its revision", entry.revision(), written.revision())?;
        ensure(*entry.value() == value, &format!("a value of {size} bytes comes back as it was"))?;
        let entries = space.entries().await?;
        ensure(*entries[0].1.value() == value, &format!("{size} bytes come back in a page"))?;
    }
    Ok(())
}
