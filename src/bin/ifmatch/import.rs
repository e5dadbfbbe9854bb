//! `ifmatch import`: the entries of a file of JSON lines, in transactions of many lines.
//!
//! # Invariants
//! - Nothing is overwritten unseen: each write demands what was seen to be there, or that nothing is.
//! - Every line is written, found to be there already, or named on stderr; the counts add up.
//! - What the state file says is done, is: it is written after each transaction. A line that is done twice is found to be
//!   there already.

mod batch;
mod lines;
mod state;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use self::batch::{Batch, Pending};
use self::lines::Lines;
use self::state::State;
use crate::entry_line;
use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::report::chain;
use crate::server::{Origin, ServerOptions};

/// For `--help`.
const HELP: &str = "\
A line is {\"key\": .., \"value\": ..} with any JSON, or {\"key\": .., \"base64\": .., \"content_type\": ..} with any bytes. What else an \
export writes is passed over. What is on the server already is not written again, but by --if-unchanged, which \
writes what still has the \"etag\" of its line. An ETag names one write in one store, so a line that was exported from \
another store never matches. It takes a request for each line; the others are written in transactions.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file, a line an entry; - is stdin
    file: PathBuf,

    #[command(flatten)]
    policy: PolicyFlags,

    /// Name what cannot be imported, and go on with the next line
    #[arg(long)]
    keep_going: bool,

    /// Go on where an import of the file was interrupted
    #[arg(long, conflicts_with = "from_line")]
    resume: bool,

    /// Begin with this line, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    from_line: Option<u64>,

    /// The most lines in a transaction
    #[arg(long, value_name = "N", default_value = "500",
          value_parser = clap::value_parser!(u16).range(1..=2_000))]
    batch_size: u16,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct PolicyFlags {
    /// Write only keys that do not exist; one with another value is a conflict (this is the default)
    #[arg(long)]
    create: bool,

    /// Replace what is there
    #[arg(long)]
    overwrite: bool,

    /// Replace what still has the "etag" of the line, as an export of the same store wrote it
    #[arg(long)]
    if_unchanged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
enum Policy {
    Create,
    Overwrite,
    IfUnchanged,
}

impl PolicyFlags {
    fn policy(&self) -> Policy {
        match (self.overwrite, self.if_unchanged) {
            (true, _) => Policy::Overwrite,
            (_, true) => Policy::IfUnchanged,
            _ => Policy::Create,
        }
    }
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counts {
    /// Lines that are not blank.
    entries: u64,
    written: u64,
    /// They were there already.
    identical: u64,
    conflicts: u64,
    /// Lines that are malformed, or that the server refuses.
    refused: u64,
}

pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let path = arguments.file.as_path();
    let file = (path != Path::new("-")).then_some(path);
    let lines = Lines::open(file)?;
    // What comes through a pipe comes once.
    let resumable = file.filter(|_| lines.total().is_some());
    if arguments.resume && resumable.is_none() {
        let what = "--resume needs a file; for stdin, or a pipe, there is --from-line";
        return Err(Failure::Usage(what.into()));
    }
    let client = server.client()?;
    let mut import = Import {
        arguments,
        server,
        origin: Origin::of(server, &client).await?,
        batch: Batch::new(client, arguments.policy.policy(), arguments.keep_going),
        lines,
        counts: Counts::default(),
        file: resumable,
        is_resumable: resumable.is_some(),
        has_state: arguments.resume,
    };
    if let Some(file) = resumable.filter(|_| arguments.resume) {
        let state = State::read(file)?;
        state.check(&import.origin, import.batch.policy)?;
        import.lines.skip_to(&state)?;
        if let Some(key) = &state.witness
            && !import.batch.is_witnessed(key).await?
        {
            let what = format!(
                "--resume: the server does not have {key} any more, which was imported: import it from the beginning"
            );
            return Err(Failure::other(what));
        }
        import.counts = state.counts;
        import.batch.witness = state.witness;
    }
    import.run().await?;
    import.finish()
}

struct Import<'a> {
    arguments: &'a Arguments,
    server: &'a ServerOptions,
    origin: Origin,
    batch: Batch,
    lines: Lines,
    counts: Counts,
    /// What is read, if a state file beside it can say how far.
    file: Option<&'a Path>,
    /// Whether one can be written.
    is_resumable: bool,
    /// Whether one was.
    has_state: bool,
}

impl Import<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        let progress = Progress::new(self.server, self.lines.total());
        let from = self.arguments.from_line.unwrap_or(1);
        let mut line = Vec::new();
        while self.lines.next(&mut line)? {
            let number = self.lines.number();
            if number < from || line.trim_ascii().is_empty() {
                continue;
            }
            let pending = entry_line::read(&line)
                .and_then(|entry| Pending::new(number, entry, self.batch.policy, line.len()));
            match pending {
                Ok(pending) => {
                    if !self.batch.has_room(&pending, self.arguments.batch_size.into()) {
                        self.write().await?;
                    }
                    self.batch.push(pending);
                    self.counts.entries += 1;
                }
                Err(what) => {
                    self.write().await?;
                    self.counts.entries += 1;
                    self.counts.refused += 1;
                    self.tell(Failure::other(what).at_line(number))?;
                }
            }
            progress.at(self.lines.bytes(), self.counts.entries);
        }
        self.write().await
    }

    /// Writes the lines that wait, then says in the state file that all before the current one are done.
    async fn write(&mut self) -> Result<(), Failure> {
        let settled = self.batch.write().await?;
        self.counts.written += settled.written;
        self.counts.identical += settled.identical;
        for failure in settled.failures {
            if failure.exit() == Some(Exit::Conflict) {
                self.counts.conflicts += 1;
            } else {
                self.counts.refused += 1;
            }
            self.tell(failure)?;
        }
        self.save();
        Ok(())
    }

    /// An import goes on though nobody can go on with it later: where it is read from may not be to be written to.
    fn save(&mut self) {
        let Some(file) = self.file.filter(|_| self.is_resumable) else { return };
        let (origin, policy) = (self.origin.clone(), self.batch.policy);
        let (done, counts) = (self.lines.before(), self.counts);
        let state = State { origin, policy, done, counts, witness: self.batch.witness.clone() };
        if let Err(failure) = state.write(file) {
            self.is_resumable = false;
            // What it said before is not so any more. If it stays now, it is tried again at the end.
            self.has_state = self.has_state && State::remove(file).is_err();
            self.server
                .note(&format!("without --resume if it is interrupted: {}", chain(&failure)));
            return;
        }
        self.has_state = true;
    }

    /// Names what is wrong with a line, or ends with it.
    fn tell(&self, failure: Failure) -> Result<(), Failure> {
        if !self.arguments.keep_going {
            return Err(failure);
        }
        failure.tell(self.server.json);
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        if let Some(file) = self.file.filter(|_| self.has_state) {
            State::remove(file)?;
        }
        let Counts { entries, written, identical, conflicts, refused } = self.counts;
        if entries != written + identical + conflicts + refused {
            return Err(Failure::other("some lines were neither written nor refused: a bug"));
        }
        if self.server.json {
            output::Lines::new().json(&self.counts)?;
        }
        self.server
            .note(&format!("{entries} entries: {written} written, {identical} there already"));
        let what = format!("{} of {entries} entries were not imported", conflicts + refused);
        match (conflicts, refused) {
            (0, 0) => Ok(()),
            (_, 0) => Err(Failure::Conflict { what, key: None, current: None }),
            _ => Err(Failure::other(what)),
        }
    }
}
