//! A bug as a patch. What stands before the diff says what is broken, and by whom it is found:
//!
//! ```text
//! A commit is acknowledged before it is synced: it is lost with the power (etcd#14370).
//! Race: where nothing but a rare schedule shows it, which one that is.
//! Hangs: where the tool finds it by not coming to an end, why that is. Nowhere else is that a find.
//! Tool: crash
//! diff --git ...
//! ```
//!
//! If it names several tools, it is tried with each.

use std::fs;
use std::path::{Path, PathBuf};

use super::tool::Tool;

#[derive(Clone, Debug)]
pub(super) struct Patch {
    /// Its folder and its file, without the extension.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) tool: Tool,
    pub(super) race: Option<String>,
    pub(super) hangs: bool,
}

/// All patches in the folders of a directory, in the order of their names, each with each of its tools; or what is wrong with
/// one.
pub(super) fn all(directory: &Path) -> Vec<Result<Patch, String>> {
    let entries = |directory: &Path| {
        let mut entries: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries
    };
    let folders = entries(directory).into_iter().filter(|path| path.is_dir());
    folders
        .flat_map(|folder| entries(&folder))
        .flat_map(|path| each_tool(Patch::read(path)))
        .collect()
}

fn each_tool(read: Result<Vec<Patch>, String>) -> Vec<Result<Patch, String>> {
    read.map_or_else(|what| vec![Err(what)], |patches| patches.into_iter().map(Ok).collect())
}

impl Patch {
    fn read(path: PathBuf) -> Result<Vec<Self>, String> {
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap().to_str().unwrap().to_owned();
        let folder = part(path.parent().and_then(Path::file_name));
        let name = format!("{folder}/{}", part(path.file_stem()));
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let (header, _) = text.split_once("diff --git").ok_or(format!("{name}: no diff"))?;
        let fields =
            |field: &'static str| header.lines().filter_map(move |line| line.strip_prefix(field));
        if header.lines().next().is_none_or(|line| line.is_empty() || line.starts_with("Tool:")) {
            return Err(format!("{name}: it does not say what is broken"));
        }
        let race = fields("Race: ").next().map(str::to_owned);
        let hangs = fields("Hangs: ").next().is_some();
        let patch = |tool: &str| match Tool::parse(tool) {
            Some(tool) => {
                Ok(Self { name: name.clone(), path: path.clone(), tool, race: race.clone(), hangs })
            }
            None => Err(format!("{name}: there is no tool {tool}")),
        };
        let patches: Vec<_> = fields("Tool: ").map(patch).collect::<Result<_, _>>()?;
        if patches.is_empty() {
            return Err(format!("{name}: it does not say which tool finds it"));
        }
        Ok(patches)
    }

    /// Whether it is among some, with commas between them, of which parts of the names are enough.
    pub(super) fn is_among(&self, some: &str) -> bool {
        some.split(',').any(|part| self.is_named(part))
    }

    pub(super) fn is_named(&self, part: &str) -> bool {
        !part.is_empty() && self.name.contains(part)
    }
}
