//! A bug as a patch. What stands before the diff says what is broken, and by whom it is found:
//!
//! ```text
//! A commit is acknowledged before it is synced: it is lost with the power (etcd#14370).
//! Race: where nothing but a rare schedule shows it, which one that is.
//! Tool: crash
//! diff --git ...
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use super::tool::Tool;

pub(super) struct Patch {
    /// Its folder and its file, without the extension.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) tool: Tool,
    pub(super) race: Option<String>,
}

/// All patches in the folders of a directory, in the order of their names; or what is wrong with one.
pub(super) fn all(directory: &Path) -> Vec<Result<Patch, String>> {
    let entries = |directory: &Path| {
        let mut entries: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries
    };
    let folders = entries(directory).into_iter().filter(|path| path.is_dir());
    folders.flat_map(|folder| entries(&folder)).map(Patch::read).collect()
}

impl Patch {
    fn read(path: PathBuf) -> Result<Self, String> {
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap().to_str().unwrap().to_owned();
        let folder = part(path.parent().and_then(Path::file_name));
        let name = format!("{folder}/{}", part(path.file_stem()));
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let (header, _) = text.split_once("diff --git").ok_or(format!("{name}: no diff"))?;
        let field = |field: &str| header.lines().find_map(|line| line.strip_prefix(field));
        if header.lines().next().is_none_or(|line| line.is_empty() || line.starts_with("Tool:")) {
            return Err(format!("{name}: it does not say what is broken"));
        }
        let tool = field("Tool: ").and_then(Tool::parse);
        let tool = tool.ok_or(format!("{name}: it does not say which tool finds it"))?;
        let race = field("Race: ").map(str::to_owned);
        Ok(Self { name, path, tool, race })
    }

    /// Whether it is among some, with commas between them, of which parts of the names are enough.
    pub(super) fn is_named(&self, some: &str) -> bool {
        some.split(',').any(|part| self.name.contains(part))
    }
}
