//! The members of the cluster that may be asked, and which of them is.
//!
//! One is asked until it fails, then the next: a member that hangs is left after one request, where a balancer would go on
//! to give it its share. Who gives up waiting for it leaves it, too. A connection is made when it is needed first. What
//! etcd says was not done is tried again elsewhere until [`retry_for`](super::Builder::retry_for) is over; so is a read,
//! whatever happened to it.

use std::future::Future;
use std::time::Duration;

use etcd_client::{
    Client, ConnectOptions, KvClient, MaintenanceClient, ResponseHeader, WatchClient,
};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::cause::Cause;
use crate::sync::{AtomicU64, Ordering};

use super::fault::Fault;
use super::read::count_only;

/// What a request does, if it comes through twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// It changes nothing.
    Read,
    /// It must not come through twice.
    Write,
}

pub(super) struct Members {
    members: Vec<Member>,
    options: ConnectOptions,
    retry_for: Duration,
    max_response_bytes: usize,
    /// What every user of the store may read.
    identity_key: String,
    /// The one that is asked, counted up without end.
    turn: AtomicU64,
    /// The cluster of the first that answered; 0 before.
    cluster: AtomicU64,
}

struct Member {
    url: String,
    clients: OnceCell<Clients>,
}

/// What a member is asked by. All are on one connection; who asks clones one.
pub(super) struct Clients {
    /// Has the token of all.
    client: Client,
    pub(super) kv: KvClient,
    pub(super) watch: WatchClient,
    pub(super) maintenance: MaintenanceClient,
}

impl Clients {
    /// Asks, and once more with another token if etcd finds the one that there is too old.
    async fn ask<T, F>(&self, ask: impl Fn(&Self) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let asked = ask(self).await.map_err(Fault::of);
        if !matches!(asked, Err(Fault::TokenIsOld(_))) {
            return asked;
        }
        // It was refused before anything came of it, whatever it was.
        let renewed = self.client.refresh_token().await;
        renewed.map_err(|error| Fault::of(error).before_sending())?;
        ask(self).await.map_err(Fault::of)
    }
}

/// Between the first attempt and the second.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Doubled with each attempt, and scattered, so that not all come back at once.
pub(super) fn pause(attempt: u32) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << attempt.min(8)).min(LONGEST_PAUSE);
    ceiling.mul_f64(0.5 + fastrand::f64() / 2.0)
}

impl Members {
    pub(super) fn new(
        urls: Vec<String>,
        options: ConnectOptions,
        retry_for: Duration,
        max_response_bytes: usize,
        identity_key: String,
    ) -> Self {
        let member = |url| Member { url, clients: OnceCell::new() };
        let members = urls.into_iter().map(member).collect();
        let (turn, cluster) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { members, options, retry_for, max_response_bytes, identity_key, turn, cluster }
    }

    /// The cluster that answered.
    pub(super) fn cluster(&self) -> u64 {
        self.cluster.load(Ordering::Relaxed)
    }

    /// Whether it is the number of another cluster than the one that answered first. Some proxies say 0.
    pub(super) fn is_foreign(&self, cluster: u64) -> bool {
        let known = self.cluster();
        cluster != 0 && known != 0 && cluster != known
    }

    /// Asks a member, and others if that is of use.
    pub(super) async fn ask<T, F>(
        &self,
        request: Request,
        ask: impl Fn(&Clients) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let deadline = Instant::now() + self.retry_for;
        let mut attempt = 0;
        loop {
            let (turn, asked) = self.ask_one(&ask).await;
            let fault = match asked {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            if fault.is_of_the_member() {
                self.pass_on(turn);
            }
            let may_be_repeated = match fault {
                Fault::Elsewhere(_) => true,
                Fault::Unclear(_) => request == Request::Read,
                _ => false,
            };
            let pause = pause(attempt);
            if !may_be_repeated || Instant::now() + pause >= deadline {
                return Err(fault);
            }
            attempt += 1;
            // Each member has its chance before anybody waits.
            if usize::try_from(attempt).is_ok_and(|attempts| attempts >= self.members.len()) {
                sleep(pause).await;
            }
        }
    }

    /// Asks the member whose turn it is, once; once more if the token was too old.
    pub(super) async fn ask_one<T, F>(&self, ask: impl Fn(&Clients) -> F) -> (u64, Result<T, Fault>)
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let turn = self.turn.load(Ordering::Relaxed);
        let Some(member) = self.member(turn) else {
            return (turn, Err(Fault::Refused(Cause::new("there is no member"))));
        };
        let mut waiting = Waiting { members: self, turn, since: Instant::now(), is_over: false };
        let asked = match member.clients.get_or_try_init(|| self.connect(&member.url)).await {
            Ok(clients) => clients.ask(ask).await,
            Err(fault) => {
                // Also one that is no member, or of another cluster: it would be asked for ever.
                self.pass_on(turn);
                Err(fault)
            }
        };
        waiting.is_over = true;
        (turn, asked.map_err(|fault| fault.at(&member.url)))
    }

    /// The next member is asked from now on, unless that was decided already.
    pub(super) fn pass_on(&self, turn: u64) {
        let next = turn.wrapping_add(1);
        // If it fails, another caller has passed on.
        let _passed = self.turn.compare_exchange(turn, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn member(&self, turn: u64) -> Option<&Member> {
        let count = u64::try_from(self.members.len()).unwrap_or(1).max(1);
        self.members.get(usize::try_from(turn % count).unwrap_or(0))
    }

    /// Connects, and makes sure that it is the cluster of the others.
    async fn connect(&self, url: &str) -> Result<Clients, Fault> {
        // Nothing is written here, so that whatever fails may be tried again.
        let client = Client::connect([url], Some(self.options.clone())).await;
        let client = client.map_err(|error| Fault::of(error).before_sending())?;
        let clients = Clients {
            kv: client.kv_client().max_decoding_message_size(self.max_response_bytes),
            watch: client.watch_client().max_decoding_message_size(self.max_response_bytes),
            maintenance: client.maintenance_client(),
            client,
        };
        let found = self.cluster_of(&clients).await.map_err(Fault::before_sending)?;
        match self.cluster.compare_exchange(0, found, Ordering::Relaxed, Ordering::Relaxed) {
            Err(known) if known != found => {
                let what =
                    format!("{url} is of cluster {found:x}, and not {known:x} as the others");
                Err(Fault::Refused(Cause::new(what)))
            }
            _ => Ok(clients),
        }
    }

    /// The cluster that a member is of, as every answer says. The status of a member says it, too, but newer etcds tell that
    /// to nobody without the role `root`. Serializable, so that the member answers by itself.
    async fn cluster_of(&self, clients: &Clients) -> Result<u64, Fault> {
        let answer = clients.ask(|clients| {
            let (mut kv, key) = (clients.kv.clone(), self.identity_key.clone());
            async move { kv.get(key, Some(count_only().with_serializable())).await }
        });
        Ok(answer.await?.header().map_or(0, ResponseHeader::cluster_id))
    }
}

/// Who gives up sooner says nothing of the member, as somebody does who goes away.
const IN_VAIN: Duration = Duration::from_secs(1);

/// Somebody waits for a member, and may give up: the next is asked from then on.
struct Waiting<'a> {
    members: &'a Members,
    turn: u64,
    since: Instant,
    /// It said something, or is known to be gone.
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.since.elapsed() >= IN_VAIN {
            self.members.pass_on(self.turn);
        }
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| &member.url)).finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// As one that was stopped: its kernel accepts connections, and nobody answers on them.
    #[tokio::test]
    async fn a_member_that_was_waited_for_in_vain_is_left_and_one_that_was_not_given_time_is_not() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let long = IN_VAIN * 60;
        let options = ConnectOptions::new().with_timeout(long).with_connect_timeout(long);
        let members = Members::new(vec![url.clone(), url], options, long, 1 << 20, String::new());
        let turn = || members.turn.load(Ordering::Relaxed);
        let ask = || members.ask(Request::Read, |_| async { Ok(()) });
        assert!(timeout(IN_VAIN / 100, ask()).await.is_err());
        assert_eq!(turn(), 0);
        assert!(timeout(IN_VAIN * 2, ask()).await.is_err());
        assert_eq!(turn(), 1);
    }

    #[test]
    fn who_does_not_say_which_cluster_it_is_of_is_not_foreign() {
        let members =
            Members::new(Vec::new(), ConnectOptions::new(), Duration::ZERO, 0, String::new());
        assert!(!members.is_foreign(7), "nobody has answered yet");
        members.cluster.store(7, Ordering::Relaxed);
        assert!(!members.is_foreign(7) && !members.is_foreign(0) && members.is_foreign(8));
    }
}
