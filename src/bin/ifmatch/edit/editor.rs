//! The editor: a program that is given a file, and has ended when the person is done.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::failure::Failure;
use crate::stop::Stop;

/// Has somebody edit the file.
///
/// # Errors
/// If there is no such editor, or it says that it failed.
pub(super) async fn run(path: &Path) -> Result<(), Failure> {
    let (name, line) = chosen()?;
    let words =
        shell_words::split(&line).map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::Usage(format!("{name} is empty")));
    };
    // Ctrl-C in an editor is the editor's, and would end this process with it.
    let _swallowed = Stop::install().map_err(Failure::io("cannot wait for signals"))?;
    let status = Command::new(program).args(arguments).arg(path).status();
    // What came while the editor ran is handed out, to the above, before anybody else waits for signals.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let status = status.map_err(|error| {
        Failure::other(format!("cannot start the editor {program:?} of {name}: {error}"))
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::other(format!("the editor {program:?} failed ({status})")))
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
