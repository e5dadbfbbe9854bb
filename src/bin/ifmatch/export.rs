//! `ifmatch export`: all entries with a prefix as JSON lines, all at one revision.
//!
//! # Invariants
//! - What the state file says is in the file: it is written after each page, when the page is on the disk.
//! - A resumed export is of the same revision, or fails.

mod state;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ifmatch::Revision;
use ifmatch::client::{Document, Entry};
use serde_json::json;

use self::state::State;
use crate::entry_line::EntryLine;
use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::output::Lines;
use crate::progress::Progress;
use crate::server::{Origin, ServerOptions};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What the keys begin with; "" for all
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// The file; - is stdout
    #[arg(default_value = "-")]
    file: PathBuf,

    /// Go on where an export into the file was interrupted, at this or another server of the same store. Its revision is
    /// kept by the server that began it for at least a minute, over etcd until somebody compacts etcd
    #[arg(long, conflicts_with = "force")]
    resume: bool,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    /// How many entries are read at a time
    #[arg(long, value_name = "N", default_value = "1000",
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    page_size: u16,
}

pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let begun = begun(arguments)?;
    let client = server.client()?;
    let origin = Origin::of(server, &client).await?;
    let mut target = Target::of(arguments, origin, begun)?;
    let progress = Progress::new(server, None);
    let prefix = arguments.prefix.as_str();
    while !target.is_whole() {
        let done = target.done.as_ref();
        let cursor = done.and_then(|state| state.cursor.clone());
        let page =
            client.page::<Document>(prefix, Some(arguments.page_size.into()), cursor.as_deref());
        let page = page.await.map_err(|error| target.ended(Failure::Read(error)))?;
        let revision = page.revision();
        if done.is_some_and(|state| state.revision != revision) {
            return Err(Failure::other("the server went on at another revision: begin anew"));
        }
        let next = page.next().map(str::to_owned);
        target.page(&page.into_entries(), revision, next)?;
        if let Some(state) = &target.done {
            progress.at(state.bytes, state.entries);
        }
    }
    drop(progress);
    target.finish(server)
}

/// Where the entries go, and how far they are.
struct Target<'a> {
    arguments: &'a Arguments,
    origin: Origin,
    sink: Sink,
    /// `None` before the first page.
    done: Option<State>,
}

enum Sink {
    Stdout,
    /// It is made when there is something to be written.
    Absent,
    File(File),
}

/// The export to be gone on with, if one is. What can be wrong without a server is found before it is asked for anything.
fn begun(arguments: &Arguments) -> Result<Option<State>, Failure> {
    let path = arguments.file.as_path();
    let is_stdout = path == Path::new("-");
    if arguments.resume {
        if is_stdout {
            let what = "--resume needs a file: what went to stdout is gone";
            return Err(Failure::Usage(what.into()));
        }
        let state = State::read(path)?;
        state.check_prefix(&arguments.prefix)?;
        return Ok(Some(state));
    }
    if !is_stdout && path.exists() && !arguments.force {
        let what = format!(
            "{} exists: --resume goes on with an export, --force replaces it",
            path.display()
        );
        return Err(Failure::other(what));
    }
    Ok(None)
}

impl<'a> Target<'a> {
    fn of(arguments: &'a Arguments, origin: Origin, begun: Option<State>) -> Result<Self, Failure> {
        let path = arguments.file.as_path();
        let sink = match &begun {
            Some(state) => {
                state.check_origin(&origin)?;
                Sink::File(reopen(path, state)?)
            }
            None if path == Path::new("-") => Sink::Stdout,
            None => Sink::Absent,
        };
        Ok(Self { arguments, origin, sink, done: begun })
    }

    /// Whether the last page is in it: an export may end between that and the end of its state file.
    fn is_whole(&self) -> bool {
        self.done.as_ref().is_some_and(|state| state.cursor.is_none())
    }

    /// What ended it, with how to go on if that is not by `--resume`.
    fn ended(&self, failure: Failure) -> Failure {
        match (failure.exit(), &self.sink) {
            (Some(Exit::Compacted), Sink::File(_)) => {
                failure.advising("the revision of the export is gone: begin anew, with --force")
            }
            _ => failure,
        }
    }

    fn page(
        &mut self,
        entries: &[Entry<Document>],
        revision: Revision,
        cursor: Option<String>,
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, &EntryLine::of(entry)).expect("a vector takes all");
            text.push(b'\n');
        }
        let path = self.arguments.file.as_path();
        if matches!(self.sink, Sink::Absent) {
            State::remove(path)?;
            self.sink =
                Sink::File(File::create(path).map_err(Failure::file("cannot write", path))?);
        }
        let before = self.done.as_ref().map_or((0, 0), |state| (state.bytes, state.entries));
        let state = State {
            origin: self.origin.clone(),
            prefix: self.arguments.prefix.clone(),
            revision,
            bytes: before.0 + length(text.len()),
            entries: before.1 + length(entries.len()),
            cursor,
        };
        match &mut self.sink {
            Sink::Stdout => crate::output::bytes(&[&text])?,
            Sink::Absent => {}
            Sink::File(file) => {
                let written = file.write_all(&text).and_then(|()| file.sync_data());
                written.map_err(Failure::file("cannot write", path))?;
                state.write(path)?;
            }
        }
        self.done = Some(state);
        Ok(())
    }

    fn finish(self, server: &ServerOptions) -> Result<(), Failure> {
        let Some(State { revision, entries, .. }) = self.done else { return Ok(()) };
        let is_file = matches!(self.sink, Sink::File(_));
        if is_file {
            State::remove(&self.arguments.file)?;
        }
        server.note(&format!("exported {entries} entries at revision {revision}"));
        if is_file && server.json {
            Lines::new().json(&json!({ "entries": entries, "revision": revision }))?;
        }
        Ok(())
    }
}

/// The file up to the last whole page.
fn reopen(path: &Path, state: &State) -> Result<File, Failure> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let mut file = opened.map_err(Failure::file("cannot open", path))?;
    let failed = || Failure::file("cannot read", path);
    let length = file.metadata().map_err(failed())?.len();
    let lines = lines_in(&mut file, state.bytes).map_err(failed())?;
    if length < state.bytes || lines != state.entries {
        let what = format!("{} is not what was exported into it: begin anew", path.display());
        return Err(Failure::other(what));
    }
    let cut = file.set_len(state.bytes).and_then(|()| file.seek(SeekFrom::End(0)));
    cut.map_err(Failure::file("cannot write", path))?;
    Ok(file)
}

fn lines_in(file: &mut File, bytes: u64) -> io::Result<u64> {
    struct Count(u64);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += length(bytes.iter().filter(|byte| **byte == b'\n').count());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = BufWriter::new(Count(0));
    io::copy(&mut io::Read::take(&mut *file, bytes), &mut count)?;
    count.flush()?;
    Ok(count.get_ref().0)
}

fn length(length: usize) -> u64 {
    u64::try_from(length).expect("what is in memory is shorter")
}
