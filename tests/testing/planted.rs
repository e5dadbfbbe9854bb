//! Anomalies, each planted in histories that were good. That each is one, whatever the order, is said beside it.

use ifmatch::testing::{Entry, Failing, History, RangeRead, StoreModel, check};
use ifmatch::{KeyRange, Precondition, Requirement};

use crate::all_orders::is_linearizable;
use crate::common::{Random, from_env};
use crate::simulated::{Asked, KEYS, Made, OneCall, Simulated, Told, entry, revision};

/// Of each anomaly; `IFMATCH_RUNS=200` is a good look, of minutes.
const RUNS: u64 = 4;

type Plant = fn(&mut Simulated, &mut Random) -> Option<()>;

/// Each returns `None` if this history has no place for it.
const ANOMALIES: &[(&str, Plant)] = &[
    ("stale read", stale_read),
    ("read of the future", read_of_the_future),
    ("read of what nobody wrote", read_of_what_nobody_wrote),
    ("wrong creation revision", wrong_creation),
    ("wrong write count", wrong_write_count),
    ("wrong write count told to the writer", wrong_count_of_a_write),
    ("lost update", lost_update),
    ("duplicate revision", duplicate_revision),
    ("revision against real time", revision_against_real_time),
    ("success on a dead revision", success_on_a_dead_revision),
    ("conflict with a stale current", stale_conflict),
    ("conflict though the precondition held", needless_conflict),
    ("half a transaction in a scan", half_a_transaction),
    ("an entry missing in a scan", missing_in_a_scan),
    ("scan of two moments", scan_of_two_moments),
    ("phantom in require_none", phantom),
    ("unchanged passes after a delete", unchanged_after_delete),
    ("delete of another entry", wrong_previous),
    ("delete of what is not there", deleted_nothing),
    ("write skew", write_skew),
    ("lost write", lost_write),
    ("update of a stale value", stale_update),
    ("the newest revision goes back", revision_goes_back),
    ("effect after a restart", effect_after_restart),
    ("a watch leaves a commit out", watch_with_a_gap),
    ("a watch tells half a commit", torn_watch),
    ("a watch tells what was not there yet", watch_ahead),
];

#[test]
fn every_planted_anomaly_is_found() {
    let seed = from_env("IFMATCH_SEED", 1);
    let wanted = from_env("IFMATCH_RUNS", RUNS);
    for (kind, plant) in ANOMALIES {
        let (mut planted, mut small) = (0, 0);
        for number in 0.. {
            assert!(number < 1000 * wanted, "{kind}: {planted} of {number} histories have a place");
            if planted == wanted {
                break;
            }
            let mut random = Random::of(seed, number);
            let calls = if number % 2 == 0 { 4 + random.below(4) } else { 40 };
            let mut made = Simulated::new(&mut random, calls, false);
            if plant(&mut made, &mut random).is_none() {
                continue;
            }
            planted += 1;
            let history: History<_, _> = made.calls.into_iter().collect();
            if history.len() < 10 {
                small += 1;
                assert!(
                    !is_linearizable(&StoreModel::new(), &history),
                    "{kind}, {number}: it is none"
                );
            }
            let error = check(&StoreModel::new(), &history).expect_err(kind);
            assert!(error.violation().is_some(), "{kind}, {number}: {error}");
        }
        println!("{kind}: {planted} of {planted}, {small} of them small");
    }
}

#[test]
fn no_anomaly_is_found_where_there_is_none() {
    let seed = from_env("IFMATCH_SEED", 1);
    for number in 0..50 * from_env("IFMATCH_RUNS", 10) {
        let mut random = Random::of(seed, number);
        let calls = 5 + random.below(60);
        let mut made = Simulated::new(&mut random, calls, number % 2 == 0);
        made.watch_all(&mut random);
        let history: History<_, _> = made.calls.into_iter().collect();
        if let Err(error) = check(&StoreModel::new(), &history) {
            panic!("history {number} is good: {error}");
        }
    }
}

fn some<'a, T>(random: &mut Random, all: impl Iterator<Item = T> + 'a) -> Option<T> {
    let mut all: Vec<_> = all.collect();
    let count = u64::try_from(all.len()).unwrap();
    (count > 0).then(|| all.swap_remove(usize::try_from(random.below(count)).unwrap()))
}

fn some_call<'a>(
    made: &'a mut Simulated,
    random: &mut Random,
    is: impl Fn(&OneCall) -> bool + 'a,
) -> Option<&'a mut OneCall> {
    some(random, made.calls.iter_mut().filter(|call| is(call)))
}

/// The entry that a get was told.
fn read(call: &mut OneCall) -> Option<&mut Entry<u64>> {
    match (&call.operation, &mut call.outcome) {
        (Asked::Get(_), Some(Told::Read(Some(entry)))) => Some(entry),
        _ => None,
    }
}

fn some_read<'a>(made: &'a mut Simulated, random: &mut Random) -> Option<&'a mut Entry<u64>> {
    some(random, made.calls.iter_mut().filter_map(read))
}

/// All that a key was, each with the commit that put an end to it.
fn replaced(made: &Simulated) -> Vec<(u8, Entry<u64>, usize)> {
    let mut all = Vec::new();
    for key in 0..KEYS {
        let mut current: Option<Entry<u64>> = None;
        for (number, commit) in made.commits.iter().enumerate() {
            if let Some((_, now)) = commit.changes.iter().find(|(changed, _)| *changed == key) {
                all.extend(current.map(|current| (key, current, number)));
                current = now.clone();
            }
        }
    }
    all
}

/// Something that a key was, and was no more before this call began.
fn dead(made: &Simulated, random: &mut Random, key: u8, called: u64) -> Option<Entry<u64>> {
    let is_dead =
        |(of, _, end): &(u8, Entry<u64>, usize)| *of == key && made.commits[*end].returned < called;
    some(random, replaced(made).into_iter().filter(is_dead)).map(|(_, entry, _)| entry)
}

fn add(made: &mut Simulated, operation: Asked, called: u64, outcome: Told) {
    let returned = Some(called + 5);
    made.calls.push(OneCall { client: 7, operation, called, returned, outcome: Some(outcome) });
}

/// What it read was replaced before it began, and a revision is never there again.
fn stale_read(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let is_get = |call: &&OneCall| matches!(call.operation, Asked::Get(_));
    let call = some(random, made.calls.iter().filter(is_get))?.clone();
    let Asked::Get(key) = call.operation else { return None };
    let stale = dead(made, random, key, call.called)?;
    let told = Some(Told::Read(Some(stale)));
    made.calls.iter_mut().find(|other| **other == call)?.outcome = told;
    Some(())
}

/// What it read was written by a call that began after it was over.
fn read_of_the_future(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let (time, changes) =
        some(random, made.commits.iter().map(|made| (made.called, made.changes.clone())))?;
    let (key, entry) = changes.into_iter().find_map(|(key, entry)| Some((key, entry?)))?;
    let end = time.checked_sub(1)?;
    let told = Some(Told::Read(Some(entry)));
    let called = end.saturating_sub(9);
    made.calls.push(OneCall {
        client: 7,
        operation: Asked::Get(key),
        called,
        returned: Some(end),
        outcome: told,
    });
    Some(())
}

/// Nobody wrote this value.
fn read_of_what_nobody_wrote(made: &mut Simulated, random: &mut Random) -> Option<()> {
    some_read(made, random)?.value += 1_000_000;
    Some(())
}

/// An entry's writes and its creation were told to their writers: there is no other truth.
fn wrong_creation(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let entry = some_read(made, random)?;
    let other = entry.created_revision.get() - 1;
    entry.created_revision = (other > 0).then(|| revision(other))?;
    Some(())
}

fn wrong_write_count(made: &mut Simulated, random: &mut Random) -> Option<()> {
    some_read(made, random)?.write_count += 1 + random.below(2);
    Some(())
}

fn wrong_count_of_a_write(made: &mut Simulated, _: &mut Random) -> Option<()> {
    let mut counts = made.calls.iter_mut().filter_map(|call| match &mut call.outcome {
        Some(Told::Written { write_count: Some(count), .. }) => Some(count),
        _ => None,
    });
    *counts.next()? += 1;
    Some(())
}

/// Two replaced the same revision: the second did not find it any more.
fn lost_update(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let is_swap = |call: &OneCall| {
        matches!(call.operation, Asked::Put { precondition: Precondition::Revision(_), .. })
            && matches!(call.outcome, Some(Told::Written { .. }))
    };
    let mut twin = some_call(made, random, is_swap)?.clone();
    let new = made.newest + 1;
    twin.client = 7;
    twin.returned = Some(made.end());
    twin.outcome = Some(written(new));
    made.calls.push(twin);
    Some(())
}

fn written(at: u64) -> Told {
    Told::Written { revision: revision(at), created_revision: None, write_count: None }
}

fn puts(made: &mut Simulated) -> Vec<&mut OneCall> {
    let is_put = |call: &&mut OneCall| matches!(call.outcome, Some(Told::Written { .. }));
    made.calls.iter_mut().filter(is_put).collect()
}

fn told(call: &OneCall) -> u64 {
    match call.outcome {
        Some(Told::Written { revision, .. }) => revision.get(),
        _ => panic!("no write: {call:?}"),
    }
}

/// Two puts have one revision; each put has one of its own.
fn duplicate_revision(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let mut puts = puts(made);
    let one = some(random, puts.iter().map(|call| told(call)))?;
    let other = some(random, puts.iter_mut().filter(|call| told(call) != one))?;
    other.outcome = Some(written(one));
    Some(())
}

/// The one was over before the other began, and has the higher revision.
fn revision_against_real_time(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let mut puts = puts(made);
    let one = some(random, 0..puts.len())?;
    let precedes = |other: &usize| puts[one].precedes(puts[*other]);
    let other = some(random, (0..puts.len()).filter(precedes))?;
    let revisions = (told(puts[one]), told(puts[other]));
    puts[one].outcome = Some(written(revisions.1));
    puts[other].outcome = Some(written(revisions.0));
    Some(())
}

/// The revision that was to be there was not, when the call began, and never is again.
fn success_on_a_dead_revision(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let (end, key) = (made.end(), u8::try_from(random.below(u64::from(KEYS))).unwrap());
    let precondition = dead(made, random, key, end)?.revision.into();
    let put = Asked::Put { key, value: 7, precondition };
    add(made, put, end, written(made.newest + 1));
    Some(())
}

/// What was told as current was replaced before the call began.
fn stale_conflict(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let is_lost = |call: &&OneCall| {
        matches!(call.operation, Asked::Put { .. } | Asked::Delete { .. })
            && matches!(call.outcome, Some(Told::Conflicts(_)))
    };
    let call = some(random, made.calls.iter().filter(is_lost))?.clone();
    let (Asked::Put { key, .. } | Asked::Delete { key, .. }) = call.operation else { return None };
    let current = Some(dead(made, random, key, call.called)?);
    let failing = vec![Failing { index: 0, key, current, blockers: 0 }];
    made.calls.iter_mut().find(|other| **other == call)?.outcome = Some(Told::Conflicts(failing));
    Some(())
}

/// What is told as current is what was required.
fn needless_conflict(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let (key, current) = some(random, made.entries.clone().into_iter())?;
    let own = current.revision.into();
    let precondition = *random.pick(&[own, Precondition::Any, Precondition::Present]);
    let failing = vec![Failing { index: 0, key, current: Some(current), blockers: 0 }];
    add(made, Asked::Delete { key, precondition }, end, Told::Conflicts(failing));
    Some(())
}

/// One key is as this commit made it, another as it was before.
fn half_a_transaction(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let wide = |made: &&Made| {
        made.changes.len() > 1 && made.changes.iter().all(|(_, entry)| entry.is_some())
    };
    let commit = some(random, made.commits.iter().filter(wide))?;
    let mut entries = commit.changes.clone();
    let half = usize::try_from(random.below(u64::try_from(entries.len()).unwrap())).unwrap();
    let (key, _) = entries.remove(half);
    let is_before = |(of, _, end): &(u8, Entry<u64>, usize)| {
        *of == key && made.commits[*end].revision == commit.revision
    };
    let before = replaced(made).into_iter().find(is_before).map(|(key, entry, _)| (key, entry));
    let mut found: Vec<_> =
        entries.into_iter().filter_map(|(key, entry)| Some((key, entry?))).collect();
    found.extend(before);
    found.sort_by_key(|(key, _)| *key);
    // Ranges between them are not told: each key is read alone, in one transaction that writes nothing.
    let mut reads: Vec<_> = found
        .into_iter()
        .map(|(key, entry)| RangeRead { range: KeyRange::only(key), entries: vec![(key, entry)] })
        .collect();
    if !reads.iter().any(|read| read.range.contains(&key)) {
        reads.push(RangeRead { range: KeyRange::only(key), entries: Vec::new() });
    }
    let told = Told::Transacted { reads, changes: Vec::new(), revision: revision(commit.revision) };
    add(made, Asked::Transact, 0, told);
    made.calls.last_mut()?.returned = Some(made.end());
    Some(())
}

/// The scan has a revision, at which the entry was there.
fn missing_in_a_scan(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let mut entries = made.within(&KeyRange::all());
    let missing = some(random, 0..entries.len())?;
    entries.remove(missing);
    add(made, Asked::Scan(KeyRange::all()), end, Told::Scanned { revision: None, entries });
    Some(())
}

/// One key is as it was before it was replaced, another as it was made only after that.
fn scan_of_two_moments(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let (key, old, end) = some(random, replaced(made).into_iter())?;
    let later = made.commits[end..].iter().flat_map(|commit| &commit.changes);
    let later = later.filter_map(|(other, entry)| Some((*other, entry.clone()?)));
    let (other, new) = some(random, later.filter(|(other, _)| *other != key))?;
    let read = |key, entry| RangeRead { range: KeyRange::only(key), entries: vec![(key, entry)] };
    let reads = vec![read(key, old), read(other, new)];
    let mut twin = made.calls.first()?.clone();
    let at = revision(made.newest);
    (twin.called, twin.returned, twin.client) = (0, Some(made.end()), 7);
    twin.operation = Asked::Transact;
    twin.outcome = Some(Told::Transacted { reads, changes: Vec::new(), revision: at });
    made.calls.push(twin);
    Some(())
}

/// Something was in the range, from before the call until after it.
fn phantom(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let (key, _) = some(random, made.entries.clone().into_iter())?;
    let range = if random.one_in(2) { KeyRange::all() } else { KeyRange::only(key) };
    let asked = Asked::Commit {
        requirements: vec![Requirement::NoneIn(range)],
        changes: vec![(key, Some(7))],
    };
    add(made, asked, end, Told::Committed(revision(made.newest + 1)));
    Some(())
}

/// The delete was over before the call began.
fn unchanged_after_delete(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let is_delete = |made: &&Made| made.changes.iter().any(|(_, entry)| entry.is_none());
    let commit = some(random, made.commits.iter().filter(is_delete))?;
    let (key, _) = *commit.changes.iter().find(|(_, entry)| entry.is_none())?;
    let since = revision(commit.revision - 1);
    let asked = Asked::Commit {
        requirements: vec![Requirement::UnchangedIn(KeyRange::only(key), since)],
        changes: vec![(key, Some(7))],
    };
    add(made, asked, end, Told::Committed(revision(made.newest + 1)));
    Some(())
}

/// The entry is not what its writer wrote.
fn wrong_previous(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let previous = made.calls.iter_mut().filter_map(|call| match &mut call.outcome {
        Some(Told::Deleted(Some((_, previous)))) => Some(previous),
        _ => None,
    });
    some(random, previous)?.value += 1_000_000;
    Some(())
}

/// It was there, and nobody else was under way.
fn deleted_nothing(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let (key, _) = some(random, made.entries.clone().into_iter())?;
    add(made, Asked::Delete { key, precondition: Precondition::Any }, end, Told::Deleted(None));
    Some(())
}

/// Each read what the other wrote, as it was before.
fn write_skew(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let read =
        |key| RangeRead { range: KeyRange::only(key), entries: made.within(&KeyRange::only(key)) };
    let tell = |key, at| Told::Transacted {
        reads: vec![read(0), read(1)],
        changes: vec![(key, Some(7))],
        revision: revision(at),
    };
    let (one, other) = (tell(0, made.newest + 1), tell(1, made.newest + 2));
    let apart = random.below(4);
    add(made, Asked::Transact, end, one);
    add(made, Asked::Transact, end + apart, other);
    Some(())
}

/// Somebody read what is not in the history any more.
fn lost_write(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let read = some_read(made, random)?.revision;
    let wrote = |call: &OneCall| matches!(call.outcome, Some(Told::Written { revision, .. }) if revision == read);
    let at = made.calls.iter().position(wrote)?;
    made.calls.remove(at);
    Some(())
}

/// The value that it read was replaced before it began; no value is written twice.
fn stale_update(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let key = u8::try_from(random.below(u64::from(KEYS))).unwrap();
    let read = Some(dead(made, random, key, end)?.value);
    let told = Told::Updated { read, value: 7, revision: revision(made.newest + 1) };
    add(made, Asked::Update(key), end, told);
    Some(())
}

/// A higher one was told before the call began.
fn revision_goes_back(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let end = made.end();
    let older = 1 + random.below(made.newest.checked_sub(1).filter(|older| *older > 0)?);
    add(made, Asked::Revision, end, Told::Revision(revision(older)));
    Some(())
}

/// Whatever was under way at the restart was not there after it, and then was.
fn effect_after_restart(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let (end, key) = (made.end(), u8::try_from(random.below(u64::from(KEYS))).unwrap());
    let put = Asked::Put { key, value: 77, precondition: Precondition::Any };
    let current = made.entries.get(&key).cloned();
    let at = made.newest + 1;
    let new = match &current {
        None => entry(at, at, 1, 77),
        Some(before) => entry(at, before.created_revision.get(), before.write_count + 1, 77),
    };
    made.calls.push(OneCall {
        client: 7,
        operation: put,
        called: end,
        returned: Some(end + 5),
        outcome: None,
    });
    add(made, Asked::Get(key), end + 10, Told::Read(current));
    add(made, Asked::Get(key), end + 20 + random.below(5), Told::Read(Some(new)));
    Some(())
}

/// There was a commit between the two revisions.
fn watch_with_a_gap(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let (end, at) = (made.end(), some(random, 1..made.commits.len())?);
    let since = if at < 2 { 1 } else { made.commits[at - 2].revision };
    tell_watch(made, since, at, end);
    Some(())
}

fn tell_watch(made: &mut Simulated, since: u64, at: usize, returned: u64) {
    let Made { revision: told, changes, .. } = &made.commits[at];
    let outcome = Some(Told::Watched { revision: revision(*told), changes: changes.clone() });
    let operation = Asked::Watch { range: KeyRange::all(), since: revision(since) };
    made.calls.push(OneCall { client: 9, operation, called: 0, returned: Some(returned), outcome });
}

/// The commit changed more than that.
fn torn_watch(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let is_wide = |at: &usize| made.commits[*at].changes.len() > 1;
    let at = some(random, (0..made.commits.len()).filter(is_wide))?;
    let since = if at == 0 { 1 } else { made.commits[at - 1].revision };
    let end = made.end();
    tell_watch(made, since, at, end);
    let Some(Told::Watched { changes, .. }) = &mut made.calls.last_mut()?.outcome else {
        return None;
    };
    let half = some(random, 0..changes.len())?;
    changes.remove(half);
    Some(())
}

/// It was told before the call that made it began.
fn watch_ahead(made: &mut Simulated, random: &mut Random) -> Option<()> {
    let at = some(random, 0..made.commits.len())?;
    let returned = made.commits[at].called.checked_sub(1)?;
    let since = if at == 0 { 1 } else { made.commits[at - 1].revision };
    tell_watch(made, since, at, returned);
    Some(())
}
