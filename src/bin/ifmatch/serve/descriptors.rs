//! How many files the process may have open: each connection is one.

use super::log::Log;

/// What the process has open beside connections, at most: the log, the runtime, the standard streams.
const OTHER: u64 = 64;

/// Asks for as many as the connections need, and says so if they are not to be had. Shells allow few by default (1,024 on
/// most systems), because programs that use `select` break with more.
#[cfg(unix)]
pub(super) fn raise_limit(connections: u32, log: &Log) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = u64::from(connections) + OTHER;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let raised = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
    let set = setrlimit(Resource::Nofile, Rlimit { current: raised, maximum: limit.maximum });
    let allowed = if set.is_ok() { raised } else { limit.current };
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        log.warn(&format!(
            "warning: the system allows {allowed} open files, too few for --max-connections {connections}"
        ));
    }
}

#[cfg(not(unix))]
pub(super) fn raise_limit(_: u32, _: &Log) {}
