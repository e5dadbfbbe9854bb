//! The task that listens to etcd, on whichever member there is.
//!
//! # Invariants
//! - Everything up to `told` was passed on, or said to be missing; nothing after it was.
//! - etcd is always asked for what came *from* `told` on, that revision included, and what is not after it is dropped.
//!   Asked for what comes after it, etcd leaves out the delete with which a compaction coincides, and does not say so
//!   (etcd#18089); asked for a revision that is compacted it says that it is.
//! - Nobody who is slow keeps etcd waiting: it would put the watch aside, and a compaction could then hit it as above.

use std::iter;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep};

use bytes::Bytes;
use etcd_client::{WatchOptions, WatchStream};

use crate::cause::Cause;
use crate::event::Commit;
use crate::revision::Revision;

use super::group::Group;
use super::{BATCH, WAITING};
use crate::etcd::Etcd;
use crate::etcd::entry::{number, revision, revision_of};
use crate::etcd::fault::Fault;
use crate::etcd::members::pause;
use crate::etcd::namespace::Span;
use crate::etcd::read::count_only;

/// What a watch is told.
pub(super) enum Told {
    /// At least one, in order.
    Commits(Vec<Commit<Bytes, Bytes>>),
    /// Everything up to this revision was told, or is of no concern.
    Passed(Revision),
    /// Commits up to this revision are compacted, and were not told.
    Missed { resume: Revision },
    /// Nothing more comes.
    End(Fault),
}

/// Why a member is not listened to any more.
enum Left {
    /// Nobody listens to us.
    Alone,
    /// Who listens was slow, and has room again.
    Slow,
    /// etcd dropped what comes next: it is at this revision.
    Compacted(Revision),
    /// Nobody will tell us.
    Refused(Fault),
    /// The member is gone, or has nobody to follow.
    Lost(Fault),
}

pub(super) struct Feed {
    etcd: Etcd,
    span: Span,
    told: Revision,
    out: mpsc::Sender<Told>,
    /// Since when nobody was heard.
    lost: Option<Instant>,
}

impl Feed {
    pub(super) fn new(etcd: Etcd, span: Span, told: Revision, out: mpsc::Sender<Told>) -> Self {
        Self { etcd, span, told, out, lost: None }
    }

    pub(super) async fn run(mut self) {
        let mut attempt = 0;
        loop {
            match self.listen().await {
                Left::Alone => return,
                Left::Slow => {}
                Left::Compacted(resume) => {
                    self.told = self.told.max(resume);
                    if self.out.send(Told::Missed { resume }).await.is_err() {
                        return;
                    }
                }
                Left::Refused(fault) => {
                    let _told = self.out.send(Told::End(fault)).await;
                    return;
                }
                Left::Lost(fault) => {
                    attempt = if self.lost.is_some() { attempt + 1 } else { 0 };
                    let since = *self.lost.get_or_insert_with(Instant::now);
                    if since.elapsed() > self.etcd.shared.reconnect_for {
                        let _told = self.out.send(Told::End(fault)).await;
                        return;
                    }
                    sleep(pause(attempt)).await;
                }
            }
        }
    }

    /// Listens to a member for as long as it goes well.
    async fn listen(&mut self) -> Left {
        if let Err(fault) = self.etcd.shared.check_is_there() {
            return Left::Refused(fault);
        }
        let members = &self.etcd.shared.members;
        let Span { start, end } = &self.span;
        let options = WatchOptions::new()
            .with_range(end.clone())
            .with_start_revision(number(self.told))
            .with_progress_notify()
            .with_fragment();
        let (turn, opened) = members
            .ask_one(|clients| {
                let (start, options) = (start.clone(), options.clone());
                let (mut kv, mut watch) = (clients.kv.clone(), clients.watch.clone());
                async move {
                    // A token that the member does not know any more is renewed by a read. A watch that has such a token is
                    // opened, and then ended.
                    let now = kv.get(start.clone(), Some(count_only())).await?.0;
                    Ok((now.header, watch.watch(start, Some(options)).await?))
                }
            })
            .await;
        let heard = opened.and_then(|(now, stream)| {
            self.etcd.shared.hear(now.as_ref())?;
            Ok((now, stream))
        });
        let left = match heard {
            // It would say nothing until it has come there again.
            Ok((now, _)) if revision_of(now.as_ref()).is_ok_and(|now| now < self.told) => {
                Left::Refused(because("etcd is at an older revision than it was"))
            }
            Ok((_, stream)) => self.hear(stream).await,
            Err(fault) => of_fault(fault),
        };
        if let Left::Lost(_) = left {
            self.etcd.shared.members.pass_on(turn);
        }
        left
    }

    async fn hear(&mut self, mut stream: WatchStream) -> Left {
        let mut group = Group::new(self.told);
        loop {
            let heard = match stream.message().await {
                Ok(Some(heard)) => heard.0,
                Ok(None) => return Left::Lost(because("the member ended the watch")),
                Err(error) => return of_fault(Fault::of(error)),
            };
            if let Err(fault) = self.etcd.shared.hear(heard.header.as_ref()) {
                return Left::Refused(fault);
            }
            if heard.compact_revision > 0 {
                return match revision(heard.compact_revision) {
                    Ok(oldest) => Left::Compacted(oldest),
                    Err(fault) => Left::Refused(fault),
                };
            }
            if heard.canceled {
                return of_reason(heard.cancel_reason);
            }
            self.lost = None;
            if heard.created {
                continue;
            }
            let is_progress = heard.events.is_empty() && !heard.fragment;
            if is_progress {
                if let Ok(passed) = revision_of(heard.header.as_ref())
                    && group.is_whole()
                    && passed > self.told
                {
                    // If there is no room, there is something to be told first.
                    if self.out.try_send(Told::Passed(passed)).is_ok() {
                        self.told = passed;
                    }
                }
                continue;
            }
            let namespace = &self.etcd.shared.namespace;
            let commits = match group.take(heard.events, heard.fragment, namespace) {
                Ok(commits) => commits,
                // What cannot be told, because of its revision, will not be told elsewhere.
                Err(fault) => return Left::Refused(fault),
            };
            let mut batches = batches(commits).into_iter();
            while let Some((at, batch)) = batches.next() {
                match self.out.try_send(batch) {
                    Ok(()) => self.told = at,
                    Err(TrySendError::Closed(_)) => return Left::Alone,
                    Err(TrySendError::Full(batch)) => {
                        drop(stream);
                        return self.wait(iter::once((at, batch)).chain(batches)).await;
                    }
                }
            }
        }
    }

    /// Passes on what was heard, as there is room.
    async fn wait(&mut self, batches: impl Iterator<Item = (Revision, Told)>) -> Left {
        for (at, batch) in batches {
            if self.out.send(batch).await.is_err() {
                return Left::Alone;
            }
            self.told = at;
        }
        match self.out.reserve_many(WAITING / 2).await {
            Ok(_) => Left::Slow,
            Err(_) => Left::Alone,
        }
    }
}

/// What was heard at once in batches, each with its last revision.
fn batches(mut commits: Vec<Commit<Bytes, Bytes>>) -> Vec<(Revision, Told)> {
    let mut batches = Vec::with_capacity(commits.len().div_ceil(BATCH));
    while !commits.is_empty() {
        let rest = commits.split_off(commits.len().min(BATCH));
        batches.extend(commits.last().map(Commit::revision).map(|at| (at, commits)));
        commits = rest;
    }
    batches.into_iter().map(|(at, commits)| (at, Told::Commits(commits))).collect()
}

fn of_fault(fault: Fault) -> Left {
    match fault {
        Fault::Elsewhere(_) | Fault::Unclear(_) => Left::Lost(fault),
        other => Left::Refused(other),
    }
}

fn because(what: &'static str) -> Fault {
    Fault::Unclear(Cause::new(what))
}

/// Why etcd ended the watch, if it was no compaction.
fn of_reason(reason: String) -> Left {
    let is_final = ["permission denied", "PermissionDenied", "user name is empty"]
        .iter()
        .any(|text| reason.contains(text));
    let cause = Cause::new(format!("etcd ended the watch: {reason}"));
    if is_final { Left::Refused(Fault::Denied(cause)) } else { Left::Lost(Fault::Unclear(cause)) }
}
