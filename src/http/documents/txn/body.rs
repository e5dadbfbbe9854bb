//! The body of a transaction, checked.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::txn::Txn;

use super::super::document::Stamp;
use super::super::keyspace::Prefix;
use super::super::new_document::{self, Content, given};
use crate::document_key::DocumentKey;
use crate::http::problem::{Problem, ProblemKind};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(default)]
    require: Elements<Require>,
    #[serde(borrow, default)]
    operations: Elements<Operation<'a>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Require {
    key: Option<String>,
    revision: Option<Revision>,
    absent: Option<bool>,
    present: Option<bool>,
    prefix: Option<String>,
    empty: Option<bool>,
    unchanged_since: Option<Revision>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation<'a> {
    put: Option<String>,
    delete: Option<String>,
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "given")]
    base64: Option<String>,
    #[serde(default, deserialize_with = "given")]
    content_type: Option<String>,
}

/// How many preconditions `"empty"` a transaction may have: each looks at all that is under its prefix, to count it.
const MAX_EMPTY: usize = 16;

/// How many `"unchanged_since"`: each looks at all changes since.
const MAX_UNCHANGED: usize = 256;

/// How many preconditions and operations. A record for repeats takes three.
const MAX: usize = Txn::<Bytes, Bytes>::MAX_OPERATIONS - 3;

/// Elements of an array, of which no more are kept than a transaction may have.
struct Elements<T> {
    kept: Vec<T>,
    count: usize,
}

impl<T> Default for Elements<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), count: 0 }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Elements<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Array<T> {
            type Value = Elements<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Elements<T>, A::Error> {
                let mut elements = Elements::default();
                while elements.count <= MAX {
                    let Some(element) = array.next_element()? else { return Ok(elements) };
                    elements.kept.push(element);
                    elements.count += 1;
                }
                while array.next_element::<IgnoredAny>()?.is_some() {
                    elements.count += 1;
                }
                Ok(elements)
            }
        }
        deserializer.deserialize_seq(Array(PhantomData))
    }
}

/// A transaction as a client wrote it.
pub(super) struct Transaction {
    txn: Txn<Bytes, Bytes>,
    /// Of each precondition on a range, by its index, the prefix.
    prefixes: Vec<Option<Prefix>>,
}

impl Transaction {
    pub(super) fn txn(&self) -> &Txn<Bytes, Bytes> {
        &self.txn
    }

    pub(super) fn prefix(&self, index: usize) -> Option<&Prefix> {
        self.prefixes.get(index)?.as_ref()
    }
}

/// # Errors
/// 400 that names the element that is wrong.
pub(super) fn read(body: &[u8]) -> Result<Transaction, Problem> {
    new_document::check_is_object(body, "\"require\" and \"operations\"")?;
    let Envelope { require, operations } =
        serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    let count = require.count + operations.count;
    if count > MAX {
        let detail = format!("a transaction of {count} operations, the limit is {MAX}");
        return Err(limited(detail, count, MAX));
    }
    let (require, operations) = (require.kept, operations.kept);
    let check = |name, is_it: fn(&Require) -> bool, max| {
        let count = require.iter().filter(|element| is_it(element)).count();
        if count <= max {
            return Ok(());
        }
        let detail = format!("require: {count} are {name:?}, the limit is {max}");
        Err(limited(detail, count, max))
    };
    check("empty", |element| element.empty.is_some(), MAX_EMPTY)?;
    check("unchanged_since", |element| element.unchanged_since.is_some(), MAX_UNCHANGED)?;
    let mut transaction =
        Transaction { txn: Txn::new(), prefixes: Vec::with_capacity(require.len()) };
    for (index, element) in require.into_iter().enumerate() {
        let named = |problem: Problem| problem.within(format_args!("require[{index}]"));
        transaction.require(element).map_err(named)?;
    }
    let mut written = HashSet::new();
    for (index, element) in operations.into_iter().enumerate() {
        let named = |problem: Problem| problem.within(format_args!("operations[{index}]"));
        let (key, value) = operation(element).map_err(named)?;
        if !written.insert(key.clone()) {
            return Err(named(invalid(format!("the key {key} is written twice"))));
        }
        let txn = std::mem::take(&mut transaction.txn);
        transaction.txn = match value {
            Some(value) => txn.put(key.as_bytes(), value),
            None => txn.delete(key.as_bytes()),
        };
    }
    Ok(transaction)
}

impl Transaction {
    fn require(&mut self, element: Require) -> Result<(), Problem> {
        let Require { key, revision, absent, present, prefix, empty, unchanged_since } = element;
        if [absent, present, empty].contains(&Some(false)) {
            return Err(invalid("\"absent\", \"present\" and \"empty\" are true, or not there"));
        }
        let txn = std::mem::take(&mut self.txn);
        let what = (revision, absent, present, empty, unchanged_since);
        let (txn, prefix) = match (key, prefix) {
            (Some(key), None) => {
                let precondition = match what {
                    (Some(revision), None, None, None, None) => Precondition::Revision(revision),
                    (None, Some(_), None, None, None) => Precondition::Absent,
                    (None, None, Some(_), None, None) => Precondition::Present,
                    _ => {
                        return Err(invalid(
                            "a key has one of \"revision\", \"absent\", \"present\"",
                        ));
                    }
                };
                (txn.require(key_of(&key)?.as_bytes(), precondition), None)
            }
            (None, Some(prefix)) => {
                let prefix = Prefix::new(prefix, ProblemKind::InvalidBody)?;
                let range = prefix.range();
                let txn = match what {
                    (None, None, None, Some(_), None) => txn.require_none_in(range),
                    (None, None, None, None, Some(since)) => txn.require_unchanged_in(range, since),
                    _ => return Err(invalid("a prefix has one of \"empty\", \"unchanged_since\"")),
                };
                (txn, Some(prefix))
            }
            _ => return Err(invalid("it has either \"key\" or \"prefix\"")),
        };
        self.txn = txn;
        self.prefixes.push(prefix);
        Ok(())
    }
}

fn operation(element: Operation<'_>) -> Result<(DocumentKey, Option<Bytes>), Problem> {
    let Operation { put, delete, value, base64, content_type } = element;
    let content = Content { value, base64, content_type };
    match (put, delete) {
        (Some(key), None) => {
            let key = key_of(&key)?;
            Ok((key, Some(content.into_document()?.to_stored(Stamp::now()))))
        }
        (None, Some(key)) if content.is_empty() => Ok((key_of(&key)?, None)),
        (None, Some(_)) => Err(invalid("a delete has no value")),
        _ => Err(invalid("it has either \"put\" or \"delete\"")),
    }
}

fn key_of(text: &str) -> Result<DocumentKey, Problem> {
    DocumentKey::new(text).map_err(|error| Problem::new(ProblemKind::InvalidKey, error.to_string()))
}

/// More than a transaction may have.
pub(super) fn limited(detail: impl Into<String>, operations: usize, max: usize) -> Problem {
    invalid(detail).with_member("operations", &operations).with_member("max_operations", &max)
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::InvalidBody, detail)
}

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests {
    use super::*;

    #[test]
    fn no_more_elements_are_kept_than_a_transaction_may_have_and_all_are_counted() {
        for count in [0, 1, MAX, MAX + 1, 3 * MAX] {
            let elements: Elements<u8> =
                serde_json::from_str(&format!("{:?}", vec![7; count])).unwrap();
            assert_eq!((elements.kept.len(), elements.count), (count.min(MAX + 1), count));
        }
        assert!(serde_json::from_str::<Elements<u8>>("{}").is_err());
        assert!(serde_json::from_str::<Elements<u8>>("[1, 300]").is_err());
    }
}
