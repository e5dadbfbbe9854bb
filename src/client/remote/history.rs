//! What a server tells of a key's past.

use bytes::Bytes;
use reqwest::{Method, StatusCode};

use crate::capability::Capability;
use crate::error::ReadError;
use crate::history::{KeyHistory, KeyVersion};

use super::super::send::Call;
use super::super::wire::{WireHistory, WireSince};
use super::Remote;
use super::fault::{of_read, unavailable};
use super::read::{text_of, versioned};

impl Remote {
    pub(super) async fn past_of(&self, key: &Bytes) -> Result<KeyHistory<Bytes>, ReadError> {
        let key = text_of(key).ok_or(ReadError::Unsupported(Capability::AnyKey))?;
        let call = Call::new(Method::GET, format!("/v1/history/{}", key.to_path()));
        let answer = self.client.0.call(call).await.map_err(unavailable)?;
        if answer.is_not_found() {
            return match answer.json() {
                Ok(WireSince { since }) => Ok(KeyHistory::new(Vec::new(), since)),
                Err(error) => Err(unavailable(error)),
            };
        }
        if answer.status != StatusCode::OK {
            return Err(of_read(answer, Capability::History));
        }
        let WireHistory { since, versions } = answer.json().map_err(unavailable)?;
        let Some(mut since) = since else {
            return Err(unavailable(answer.unexpected("without \"since\"")));
        };
        let mut kept = Vec::with_capacity(versions.len());
        let mut is_cut = false;
        for version in versions {
            let revision = version.revision;
            if version.is_deleted() {
                kept.push(KeyVersion::new(revision, None));
                continue;
            }
            match version.into_entry(None).map_err(|error| unavailable(error.into()))? {
                Some(entry) => {
                    let entry = versioned(&entry).map_err(unavailable)?;
                    kept.push(KeyVersion::new(revision, Some(entry)));
                }
                // It is too large to be shown: what comes after it is.
                None => {
                    kept.clear();
                    is_cut = true;
                }
            }
        }
        if let Some(first) = kept.first().filter(|_| is_cut) {
            since = since.max(first.revision());
        }
        Ok(KeyHistory::new(kept, since))
    }
}
