//! Writes under a guard, atomic whatever it demands.

use std::fmt::Display;
use std::hash::{BuildHasher, Hash};

use axum::http::{HeaderValue, header};

use crate::error::WriteError;
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::store::{Deleted, Store, Written};
use crate::versioned::Versioned;

use super::{ETag, Guard, Problem, ProblemKind};

/// How often a guard that is no single precondition is checked again, because somebody else wrote in between.
const ATTEMPTS: u32 = 100;

impl Guard {
    /// Puts `value` under `key` if the conditions hold, checked in one step with the write.
    ///
    /// # Errors
    /// 409 if a condition does not hold, with what is there now; else as [`Problem`] says of
    /// [`WriteError`]. `contended` (503) if 100 other writes came between the check of several conditions and the
    /// write, one after the other.
    pub async fn put<K, V, S>(
        &self,
        store: &Store<K, V, S>,
        key: K,
        value: V,
    ) -> Result<Written, Problem>
    where
        K: Clone + Hash + Ord + Display,
        S: BuildHasher,
    {
        let identity = store.identity();
        let mut precondition = match self.precondition(identity) {
            Some(precondition) => precondition,
            None => {
                let current = store.get(&key).as_ref().map(Versioned::revision);
                self.exactly(identity, &key, current)?
            }
        };
        let mut value = value;
        for _ in 0..ATTEMPTS {
            let conflict = match store.submit_put_if(&key, value, precondition).await {
                Ok(written) => return Ok(written),
                Err(WriteError::Conflict(conflict)) => conflict,
                Err(error) => return Err(Problem::from(error).with_key(key)),
            };
            precondition = self.exactly(identity, &key, conflict.revision())?;
            value = conflict.into_parts().1.expect("a put gives its value back");
        }
        Err(contended(key))
    }

    /// Deletes `key` if the conditions hold, checked in one step with the write.
    ///
    /// # Errors
    /// 404 if there is nothing, whatever the conditions (RFC 9110 13.2.1); else as [`put`](Self::put).
    pub async fn delete<K, V, S>(
        &self,
        store: &Store<K, V, S>,
        key: K,
    ) -> Result<Deleted<V>, Problem>
    where
        K: Clone + Hash + Ord + Display,
        S: BuildHasher,
    {
        let identity = store.identity();
        let mut precondition = match (self.precondition(identity), store.get(&key)) {
            (Some(precondition), _) => precondition,
            (None, None) => return Err(Problem::not_found(key)),
            (None, Some(entry)) => self.exactly(identity, &key, Some(entry.revision()))?,
        };
        for _ in 0..ATTEMPTS {
            let conflict = match store.submit_delete_if(&key, precondition).await {
                Ok(Some(deleted)) => return Ok(deleted),
                Ok(None) => return Err(Problem::not_found(key)),
                Err(WriteError::Conflict(conflict)) => conflict,
                Err(error) => return Err(Problem::from(error).with_key(key)),
            };
            if conflict.current().is_none() {
                return Err(Problem::not_found(key));
            }
            precondition = self.exactly(identity, &key, conflict.revision())?;
        }
        Err(contended(key))
    }

    /// The precondition that `key` is still at `current`, for which the conditions hold.
    fn exactly(
        &self,
        identity: Identity,
        key: &impl Display,
        current: Option<Revision>,
    ) -> Result<Precondition, Problem> {
        match self.check(identity, current) {
            Ok(()) => Ok(current.map_or(Precondition::Absent, Precondition::from)),
            Err(unmet) => {
                let etag = current.map(|revision| ETag::new(identity, revision));
                Err(unmet.problem(etag).with_key(key))
            }
        }
    }
}

fn contended(key: impl Display) -> Problem {
    let detail = format!("{ATTEMPTS} other writes came between, one after the other");
    Problem::new(ProblemKind::Contended, detail)
        .with_key(key)
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}
