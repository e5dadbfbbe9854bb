//! `ifmatch edit`: a value in an editor, written back only on top of what was read, or merged with what came between.
//!
//! # Invariants
//! - What somebody has written in the editor is never lost: whatever fails, the folder with it is kept, and named.
//! - Nothing that somebody else wrote is overwritten by silence: a clash is open as long as its lines are in the file.

mod ask;
mod clash;
mod draft;
mod editor;
mod layout;
mod pretty;
mod session;

use clap::Args;
use ifmatch::client::Document;
use ifmatch::merge::MergeRules;

use self::draft::Draft;
use self::editor::Editor;
use self::layout::Layout;
use self::session::{Base, Session};
use crate::content_type;
use crate::failure::Failure;
use crate::server::ServerOptions;
use crate::stop::Stop;

/// For `--help`.
const HELP: &str = "\
The editor is $VISUAL, else $EDITOR, else vi. What is unchanged is not written. When somebody else has written meanwhile, \
the changes of both are merged; what both changed differently is shown in the editor, with base, mine and theirs, to be \
decided. If nothing is written, the text is kept, and the path to it is said.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The key
    key: String,

    /// Begin with nothing if the key does not exist
    #[arg(long)]
    create: bool,

    /// What a new value is
    #[arg(long, short = 't', value_name = "T", requires = "create", default_value = content_type::JSON)]
    content_type: String,

    /// Write what was merged without clashes, and do not ask
    #[arg(long, short)]
    yes: bool,

    /// The elements of the array at this JSON pointer are told apart by this member, and merged (may be repeated)
    #[arg(long, value_name = "POINTER=MEMBER", value_parser = keyed)]
    keyed: Vec<(String, String)>,
}

pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let client = server.client()?;
    let key = arguments.key.as_str();
    // What can be wrong without a server is found before it is asked.
    let editor = Editor::of_environment()?;
    let mut rules = MergeRules::new();
    for (pointer, member) in &arguments.keyed {
        rules = rules
            .keyed(pointer, member.as_str())
            .map_err(|error| Failure::Usage(format!("--keyed {pointer}: {error}")))?;
    }
    let base = match client.get::<Document>(key).await.map_err(Failure::Read)? {
        Some(entry) => Base::of(entry),
        None if arguments.create => {
            Base { entry: None, document: Document::new(&*arguments.content_type, "") }
        }
        None => return Err(Failure::not_found(key)),
    };
    let layout = Layout::of(&base.document)?;
    let draft = Draft::new(key, layout.extension(base.document.content_type()))?;
    let stop = Stop::install().map_err(Failure::io("cannot wait for signals"))?;
    let yes = arguments.yes;
    let session = Session { client, key, server, rules, yes, base, layout, draft, editor, stop };
    session.run().await
}

fn keyed(text: &str) -> Result<(String, String), &'static str> {
    match text.rsplit_once('=') {
        Some((pointer, member)) if !member.is_empty() => {
            Ok((pointer.to_owned(), member.to_owned()))
        }
        _ => Err("it is a JSON pointer, = and the name of a member"),
    }
}
