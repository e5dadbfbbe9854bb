//! Whether our tools bite: each patch in `teeth/` puts a bug into the crate, and the tool that it names has to find it.
//!
//! A copy of the crate in `target/teeth` is patched, built and run, one patch after the other; patches of one kind of build
//! together, and first the tools on the sound code, which they have to pass. In a test suite there is no time for that:
//! there it is checked that the patches still fit, and that what they name is there.

mod build;
mod patch;
mod tool;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{Campaign, Options, Outcome, Size};
use crate::common::Random;

use build::Build;
use patch::Patch;
use tool::{Effort, Tool, Verdict};
use tree::Tree;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "teeth",
    about: "puts each known bug into the crate, and demands that the tool for it finds it (--only PATCH,PATCH for some)",
    unit: "tries",
    in_tests: true,
    run,
};

fn run(options: &Options) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut patches, mut violations) = (Vec::new(), Vec::new());
    for patch in patch::all(&root.join("tests/campaign/teeth")) {
        match patch {
            Ok(patch) if options.only.as_ref().is_none_or(|only| patch.is_among(only)) => {
                patches.push(patch);
            }
            Ok(_) => {}
            Err(what) => violations.push(what),
        }
    }
    let parts = options.only.iter().flat_map(|only| only.split(','));
    for part in parts.filter(|part| !patches.iter().any(|patch| patch.is_named(part))) {
        violations.push(format!("there is no patch {part:?}"));
    }
    let name = if matches!(options.size, Size::Test) { "teeth-fit" } else { "teeth" };
    let tree = Tree::copy(root, name);
    let (points, found) = match options.size {
        Size::Test if !has_git() => {
            eprintln!("teeth: there is no git to apply patches with");
            return Outcome::default();
        }
        Size::Test => (patches.len(), all_fit(&tree, &patches)),
        Size::Count(runs) => all_bite(&tree, patches, Effort { runs }, None),
        Size::Usual => all_bite(&tree, patches, Effort::USUAL, None),
        Size::Until(end) => all_bite(&tree, patches, Effort::SHORT, Some((end, options.seed))),
    };
    violations.extend(found);
    // A misspelt name must not look like teeth.
    if points == 0 && violations.is_empty() {
        violations.push("nothing was tried".to_owned());
    }
    Outcome { points: u64::try_from(points).unwrap(), violations }
}

fn has_git() -> bool {
    Command::new("git").arg("--version").output().is_ok()
}

fn all_fit(tree: &Tree, patches: &[Patch]) -> Vec<String> {
    let sources = tree.sources();
    let misfit = |patch: &Patch| {
        let unknown = patch.tool.names_in_vain(&sources);
        let unknown = unknown.map(|name| format!("{}: there is no {name}", patch.name));
        unknown.or_else(|| tree.check(patch).err())
    };
    patches.iter().filter_map(misfit).collect()
}

/// Tries them; if there is an end, in an order that the seed gives, as many as there is time for, and one for each build at
/// least. Tells how many.
fn all_bite(
    tree: &Tree,
    patches: Vec<Patch>,
    effort: Effort,
    end: Option<(Instant, u64)>,
) -> (usize, Vec<String>) {
    let mut groups: BTreeMap<Build, Vec<Patch>> = BTreeMap::new();
    for patch in patches {
        groups.entry(patch.tool.build()).or_default().push(patch);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    if let Some((_, seed)) = end {
        let mut random = Random::of(seed, 0);
        shuffle(&mut random, &mut groups);
        groups.iter_mut().for_each(|(_, patches)| shuffle(&mut random, patches));
    }
    let (mut tried, mut violations) = (0, Vec::new());
    let mut left = u32::try_from(groups.len()).unwrap();
    for (build, patches) in groups {
        // Each kind of build has its share of what time is left.
        let share = end.map(|(end, _)| {
            let now = Instant::now();
            now + end.saturating_duration_since(now) / left
        });
        left -= 1;
        if let Err(what) = sound_passes(tree, &build, &patches, effort) {
            violations.push(what);
            continue;
        }
        for (number, patch) in patches.iter().enumerate() {
            // One at least, however long it took to build: a slow machine has teeth, too.
            if number > 0 && share.is_some_and(|share| Instant::now() >= share) {
                break;
            }
            tried += 1;
            if let Err(what) = bites(tree, &build, patch, effort) {
                eprintln!("teeth: {what}");
                violations.push(what);
            }
            if let Err(what) = tree.is_sound() {
                violations.push(what);
                return (tried, violations);
            }
        }
    }
    (tried, violations)
}

fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for place in (1..items.len()).rev() {
        let other = random.below(u64::try_from(place).unwrap() + 1);
        items.swap(place, usize::try_from(other).unwrap());
    }
}

/// Without a patch the tools find nothing. One that fails, or that does not run at all, would find any bug.
fn sound_passes(
    tree: &Tree,
    build: &Build,
    patches: &[Patch],
    effort: Effort,
) -> Result<(), String> {
    let tools: BTreeSet<&Tool> = patches.iter().map(|patch| &patch.tool).collect();
    let started = Instant::now();
    let program = build.make(tree)?;
    eprintln!("teeth: {build}: built in {:.0?}", started.elapsed());
    let mut total = Duration::ZERO;
    for tool in &tools {
        let (verdict, took) = tool.run(&program, tree, effort);
        total += took;
        match verdict {
            Verdict::Passed => {}
            Verdict::Found(said) => return Err(format!("{tool}, without a patch: {said}")),
            Verdict::Hung => return Err(format!("{tool}, without a patch, does not end")),
            Verdict::DidNotRun(said) => return Err(format!("{tool} did not run: {said}")),
        }
    }
    eprintln!("teeth: {build}: {} tools pass the sound code in {total:.0?}", tools.len());
    Ok(())
}

fn bites(tree: &Tree, build: &Build, patch: &Patch, effort: Effort) -> Result<(), String> {
    let Patch { name, tool, .. } = patch;
    tree.apply(patch)?;
    let started = Instant::now();
    let program = build.make(tree);
    let built = started.elapsed();
    let told = program.and_then(|program| match tool.run(&program, tree, effort) {
        (Verdict::Found(said), took) => Ok((said, took)),
        (Verdict::Hung, took) if patch.hangs => Ok(("it does not end".to_owned(), took)),
        (Verdict::Hung, took) => Err(format!("{tool} did not end in {took:.0?}")),
        (Verdict::Passed, took) => Err(format!("was not found by {tool}, in {took:.1?}")),
        (Verdict::DidNotRun(said), _) => Err(format!("{tool} did not run: {said}")),
    });
    tree.take_back(patch)?;
    let (said, took) = told.map_err(|what| format!("{name}: {what}"))?;
    let race = if patch.race.is_some() { ", a race" } else { "" };
    println!("{name}{race}: {tool}: {took:.1?} (built in {built:.0?})\n    {said}");
    Ok(())
}
