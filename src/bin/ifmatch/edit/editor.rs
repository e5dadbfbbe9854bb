//! The editor: a program that is given a file, and has ended when the person is done.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::failure::Failure;

pub(super) struct Editor {
    /// Where it is named.
    name: &'static str,
    program: String,
    arguments: Vec<String>,
}

impl Editor {
    /// # Errors
    /// If it is no command line.
    pub(super) fn of_environment() -> Result<Self, Failure> {
        let (name, line) = chosen()?;
        let words = shell_words::split(&line);
        let words = words.map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
        let mut words = words.into_iter();
        let Some(program) = words.next() else {
            return Err(Failure::Usage(format!("{name} is empty")));
        };
        Ok(Self { name, program, arguments: words.collect() })
    }

    /// Has somebody edit the file. Signals meanwhile are told to those who wait for them now, and to nobody later.
    ///
    /// # Errors
    /// If there is no such editor, or it says that it failed.
    pub(super) async fn run(&self, path: &Path) -> Result<(), Failure> {
        let Self { name, program, arguments } = self;
        let status = Command::new(program).args(arguments).arg(path).status();
        // Until what came while it ran is handed out.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let status = status.map_err(|error| {
            Failure::other(format!("cannot start the editor {program:?} of {name}: {error}"))
        })?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::other(format!("the editor {program:?} failed ({status})")))
    }
}

/// Where the editor is named, and its command line.
fn chosen() -> Result<(&'static str, String), Failure> {
    let given = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| Some((name, std::env::var_os(name).filter(|line| !line.is_empty())?)));
    let (name, line) = given.unwrap_or(("the default", OsString::from("vi")));
    let line = line.into_string();
    line.map(|line| (name, line)).map_err(|_| Failure::Usage(format!("{name} is not UTF-8")))
}
