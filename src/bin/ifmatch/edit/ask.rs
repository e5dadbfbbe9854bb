//! Questions, on stderr, and their answers, from stdin.

use std::io::{self, Write};

use crate::failure::Failure;
use crate::stop::Stop;

/// What somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Edit,
}

/// Asks until there is an answer. The end of stdin is a no, and so is an empty line.
pub(super) async fn ask(
    stop: &mut Stop,
    question: &str,
    may_edit: bool,
) -> Result<Answer, Failure> {
    let choices = if may_edit { "y = yes, e = edit it first, n = no" } else { "y = yes, n = no" };
    loop {
        let _nobody = write!(io::stderr(), "{question} [{choices}] ");
        let Some(line) = until_stopped(stop, read_line()).await?? else {
            let _nobody = writeln!(io::stderr());
            return Ok(Answer::No);
        };
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(Answer::Yes),
            "n" | "no" | "" => return Ok(Answer::No),
            "e" | "edit" if may_edit => return Ok(Answer::Edit),
            _ => {}
        }
    }
}

async fn read_line() -> Result<Option<String>, Failure> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|bytes| (bytes > 0).then_some(line))
    });
    let read = read.await.map_err(io::Error::other).flatten();
    read.map_err(Failure::io("cannot read the answer"))
}

/// What `future` gives, or that a signal came first, or has come since `stop` was installed.
pub(super) async fn until_stopped<T>(
    stop: &mut Stop,
    future: impl Future<Output = T>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = stop.requested() => Err(Failure::other("interrupted")),
        done = future => Ok(done),
    }
}
