//! Writes under a guard, atomic whatever it demands.

use std::fmt::Display;

use axum::http::{HeaderValue, header};

use crate::backend::Backend;
use crate::error::WriteError;
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::store::Deleted;
use crate::versioned::Versioned;

use super::{Current, ETag, Guard, Problem, ProblemKind, Saved};

/// How often a guard that is no single precondition is checked again, because somebody else wrote in between.
pub(in crate::http) const ATTEMPTS: u32 = 100;

impl Guard {
    /// Puts `value` under `key` if the conditions hold, checked in one step with the write.
    ///
    /// # Errors
    /// 409 if a condition does not hold, with what is there now; else as [`Problem`] says of
    /// [`WriteError`]. `contended` (503) if 100 other writes came between the check of several conditions and the
    /// write, one after the other.
    pub async fn put<K, V, B>(&self, backend: &B, key: K, value: V) -> Result<Saved, Problem>
    where
        K: Clone + Display + Send,
        V: Send,
        B: Backend<K, V>,
    {
        self.save(backend, key, value, Precondition::Any).await
    }

    /// As [`put`](Self::put), but only what exists is replaced: 404 if there is nothing, whatever the conditions.
    ///
    /// # Errors
    /// As [`put`](Self::put), and 404.
    pub async fn replace<K, V, B>(&self, backend: &B, key: K, value: V) -> Result<Saved, Problem>
    where
        K: Clone + Display + Send,
        V: Send,
        B: Backend<K, V>,
    {
        self.save(backend, key, value, Precondition::Present).await
    }

    /// Puts, if the conditions and `floor` hold, which is weaker than any other but none.
    async fn save<K, V, B>(
        &self,
        backend: &B,
        key: K,
        value: V,
        floor: Precondition,
    ) -> Result<Saved, Problem>
    where
        K: Clone + Display + Send,
        V: Send,
        B: Backend<K, V>,
    {
        let identity = backend.identity();
        let has_to_exist = floor == Precondition::Present;
        let exact = match self.precondition(identity) {
            Some(Precondition::Any) => Some(floor),
            // The two exclude each other: which one does not hold depends on what is there.
            Some(Precondition::Absent) if has_to_exist => None,
            exact => exact,
        };
        let mut precondition = match exact {
            Some(precondition) => precondition,
            None => {
                let current = backend.get(&key).await?.as_ref().map(Versioned::revision);
                if has_to_exist && current.is_none() {
                    return Err(Problem::not_found(key));
                }
                self.exactly(identity, &key, current)?
            }
        };
        let mut value = value;
        for _ in 0..ATTEMPTS {
            let conflict = match backend.put_if(key.clone(), value, precondition).await {
                Ok(written) => return Ok(Saved::new(identity, written)),
                Err(WriteError::Conflict(conflict)) => conflict,
                Err(error) => return Err(Problem::from(error).with_key(key)),
            };
            if has_to_exist && conflict.current().is_none() {
                return Err(Problem::not_found(key));
            }
            precondition = self.exactly(identity, &key, conflict.revision())?;
            value = conflict.into_parts().1.expect("a put gives its value back");
        }
        Err(contended(key))
    }

    /// Deletes `key` if the conditions hold, checked in one step with the write.
    ///
    /// # Errors
    /// 404 if there is nothing, whatever the conditions (RFC 9110 13.2.1); else as [`put`](Self::put).
    pub async fn delete<K, V, B>(&self, backend: &B, key: K) -> Result<Deleted<V>, Problem>
    where
        K: Clone + Display + Send,
        V: Send,
        B: Backend<K, V>,
    {
        let identity = backend.identity();
        let mut precondition = match self.precondition(identity) {
            Some(precondition) => precondition,
            None => match backend.get(&key).await? {
                None => return Err(Problem::not_found(key)),
                Some(entry) => self.exactly(identity, &key, Some(entry.revision()))?,
            },
        };
        for _ in 0..ATTEMPTS {
            let conflict = match backend.delete_if(key.clone(), precondition).await {
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
        let now = |revision| Current { etag: ETag::new(identity, revision), modified: None };
        // A store has no dates, and what is not there has none to be compared with either.
        let undated = Self { if_unmodified_since: None, ..self.clone() };
        undated.check_write(current.map(now)).map_err(|problem| problem.with_key(key))?;
        Ok(current.map_or(Precondition::Absent, Precondition::from))
    }
}

pub(in crate::http) fn contended(key: impl Display) -> Problem {
    let detail = format!("{ATTEMPTS} other writes came between, one after the other");
    Problem::new(ProblemKind::Contended, detail)
        .with_key(key)
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests {
    use std::cell::RefCell;
    use std::fmt;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use axum::http::HeaderMap;

    use super::*;
    use crate::store::Store;

    type Others = Box<dyn FnMut()>;

    thread_local! {
        /// What others do between a guard's check and its write.
        static OTHERS: RefCell<Option<Others>> = const { RefCell::new(None) };
    }

    /// A key that is cloned for the write, which is when others come in between.
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    struct Key;

    impl Clone for Key {
        fn clone(&self) -> Self {
            if let Some(mut others) = OTHERS.take() {
                others();
                OTHERS.set(Some(others));
            }
            Self
        }
    }

    impl fmt::Display for Key {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("key")
        }
    }

    type Numbers = Store<Key, u32>;

    /// A store with two writes of the key, and the tags of both.
    fn written_twice() -> (Numbers, String, String) {
        let store = Numbers::new();
        let put = |value| ETag::new(store.identity(), store.put(Key, value).unwrap()).to_string();
        let tags = (put(1), put(2));
        (store, tags.0, tags.1)
    }

    fn guard(name: &'static str, tags: &str) -> Guard {
        let headers = HeaderMap::from_iter([(name.parse().unwrap(), tags.parse().unwrap())]);
        Guard::of(&headers, None).unwrap()
    }

    /// From now on others put 99, `times` times.
    fn others_put(store: &Numbers, mut times: u32) {
        let store = store.clone();
        OTHERS.set(Some(Box::new(move || {
            if times > 0 {
                times -= 1;
                store.put(Key, 99).unwrap();
            }
        })));
    }

    /// In memory nothing is ever waited for.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn a_write_between_check_and_write_is_never_overwritten() {
        let (store, first, second) = written_twice();
        let either = guard("if-match", &format!("{first}, {second}"));
        assert_eq!(either.precondition(store.identity()), None);
        others_put(&store, 1);
        let problem = now(either.put(&store, Key, 3)).unwrap_err();
        assert_eq!(problem.kind(), ProblemKind::StaleRevision);
        assert_eq!(*store.get(Key).unwrap(), 99);

        let (store, first, second) = written_twice();
        others_put(&store, 1);
        let problem = now(guard("if-match", &format!("{first}, {second}")).delete(&store, Key));
        assert_eq!(problem.unwrap_err().kind(), ProblemKind::StaleRevision);
        assert_eq!(*store.get(Key).unwrap(), 99);
    }

    #[test]
    fn a_condition_that_still_holds_is_tried_again_on_top_of_what_is_there() {
        let (store, first, _) = written_twice();
        let not_the_first = guard("if-none-match", &first);
        others_put(&store, 3);
        now(not_the_first.put(&store, Key, 3)).unwrap();
        assert_eq!(*store.get(Key).unwrap(), 3);
        others_put(&store, 3);
        let deleted = now(not_the_first.delete(&store, Key)).unwrap();
        assert_eq!(**deleted.previous(), 99);
    }

    #[test]
    fn a_date_demands_nothing_of_a_store_that_has_none() {
        let (store, first, second) = written_twice();
        store.delete(Key).unwrap();
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_UNMODIFIED_SINCE, date.parse().unwrap());
        headers.insert(header::IF_NONE_MATCH, format!("{first}, {second}").parse().unwrap());
        let dated = Guard::of(&headers, None).unwrap();
        assert_eq!(dated.precondition(store.identity()), None);
        now(dated.put(&store, Key, 3)).unwrap();
        assert_eq!(*store.get(Key).unwrap(), 3);
    }

    #[test]
    fn a_replacement_never_creates_whatever_the_conditions() {
        let store = Numbers::new();
        for guard in [Guard::default(), guard("if-none-match", "*"), guard("if-match", "*")] {
            let problem = now(guard.replace(&store, Key, 1)).unwrap_err();
            assert_eq!((problem.kind(), problem.status().as_u16()), (ProblemKind::NotFound, 404));
        }
        assert!(store.is_empty());
        store.put(Key, 1).unwrap();
        let problem = now(guard("if-none-match", "*").replace(&store, Key, 2)).unwrap_err();
        assert_eq!(problem.kind(), ProblemKind::AlreadyExists);
        now(Guard::default().replace(&store, Key, 2)).unwrap();
        assert_eq!(*store.get(Key).unwrap(), 2);
    }

    #[test]
    fn attempts_are_bounded_and_end_in_no_write() {
        let (store, first, _) = written_twice();
        let not_the_first = guard("if-none-match", &first);
        others_put(&store, u32::MAX);
        let problem = now(not_the_first.put(&store, Key, 3)).unwrap_err();
        assert_eq!((problem.kind(), problem.status().as_u16()), (ProblemKind::Contended, 503));
        let problem = now(not_the_first.delete(&store, Key)).unwrap_err();
        assert_eq!(problem.kind(), ProblemKind::Contended);
        assert_eq!(*store.get(Key).unwrap(), 99);
    }
}
