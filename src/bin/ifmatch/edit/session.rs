//! From the first look into the editor to the write, or to where the text is kept.

use std::io::{self, Write};
use std::time::Duration;

use ifmatch::client::{Client, ClientError, ClientPrecondition, ConflictKind, Document, Entry};
use ifmatch::json::Json;
use ifmatch::merge::{MergeRules, Merged};
use serde_json::json;

use super::ask::{Answer, ask, until_stopped};
use super::clash;
use super::draft::Draft;
use super::editor::Editor;
use super::layout::Layout;
use crate::failure::Failure;
use crate::output::Lines;
use crate::server::ServerOptions;
use crate::stop::Stop;

/// How often it is merged with what others write all the time, by a person or without.
const MAX_ROUNDS: u32 = 100;

/// The longest wait after a lost race.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// The wait after the lost race `number`, from 0: random, and longer each time.
fn pause(number: u32) -> Duration {
    let longest = Duration::from_millis(1).saturating_mul(2_u32.saturating_pow(number));
    longest.min(MAX_PAUSE).mul_f64(fastrand::f64())
}

/// What the text was made from.
pub(super) struct Base {
    /// `None` if there was nothing.
    pub(super) entry: Option<Entry<Document>>,
    pub(super) document: Document,
}

impl Base {
    pub(super) fn of(entry: Entry<Document>) -> Self {
        Self { document: entry.document().clone(), entry: Some(entry) }
    }

    /// Whether `text` is there already.
    fn is(&self, text: &[u8], layout: Layout) -> bool {
        self.entry.is_some() && layout.is_same(text, self.document.body())
    }
}

pub(super) struct Session<'a> {
    pub(super) client: Client,
    pub(super) key: &'a str,
    pub(super) server: &'a ServerOptions,
    pub(super) rules: MergeRules,
    pub(super) yes: bool,
    pub(super) base: Base,
    pub(super) layout: Layout,
    pub(super) draft: Draft,
    pub(super) editor: Editor,
    /// Since the editor was closed last.
    pub(super) stop: Stop,
}

/// What is next.
enum Next {
    /// Write this.
    Write(Vec<u8>),
    /// Have it edited: the draft is written.
    Edit(Round),
    /// Theirs is the same.
    Nothing,
}

/// What the draft is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    /// The document. Unchanged means that there is nothing to be written.
    Document,
    /// A merge that may be improved. Unchanged means that it is right.
    Merge,
    /// A merge with clashes.
    Clashes,
}

impl Session<'_> {
    /// Until it is written, or not to be.
    ///
    /// # Errors
    /// With the path of what somebody has written, if it is kept.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        match self.edit_and_write().await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.draft.keep_for(failure)),
        }
    }

    async fn edit_and_write(&mut self) -> Result<(), Failure> {
        self.draft.write(&self.layout.show(self.base.document.body()))?;
        let mut next = Next::Edit(Round::Document);
        for lost in 0..MAX_ROUNDS {
            let mine = match next {
                Next::Write(mine) => Some(mine),
                Next::Edit(round) => self.edit(round).await?,
                Next::Nothing => None,
            };
            let Some(mine) = mine.filter(|mine| !self.base.is(mine, self.layout)) else {
                return self.nothing();
            };
            let Some(conflict) = self.write(&mine).await? else { return Ok(()) };
            until_stopped(&mut self.stop, tokio::time::sleep(pause(lost))).await?;
            next = self.merge(&mine, conflict).await?;
        }
        Err(self.conflict("others write faster than it can be merged"))
    }

    /// Has somebody edit the draft, until it is valid; the body that it stands for. `None` if it is unchanged.
    async fn edit(&mut self, round: Round) -> Result<Option<Vec<u8>>, Failure> {
        let shown = self.draft.read()?;
        loop {
            self.editor.run(self.draft.path()).await?;
            // Ctrl-C in an editor is the editor's.
            self.stop = Stop::install().map_err(Failure::io("cannot wait for signals"))?;
            let text = self.draft.read()?;
            if text == shown && round == Round::Clashes {
                return Err(self.conflict("the clashes were not decided"));
            }
            if text == shown && round == Round::Document {
                return Ok(None);
            }
            let text = match round {
                Round::Clashes => clash::decided(self.layout, text),
                Round::Document | Round::Merge => Ok(text),
            };
            let why = match text.and_then(|text| self.layout.read(&text)) {
                Ok(body) => return Ok(Some(body)),
                Err(why) => why,
            };
            let question = format!("{why}\nEdit again?");
            if ask(&mut self.stop, &question, false).await? != Answer::Yes {
                return Err(if round == Round::Clashes {
                    self.conflict(&why)
                } else {
                    Failure::other(why)
                });
            }
        }
    }

    /// Writes it on top of the base; the conflict, if there is one that can be merged.
    async fn write(&self, mine: &[u8]) -> Result<Option<ClientError>, Failure> {
        let document = Document::new(self.base.document.content_type(), mine.to_vec());
        let precondition =
            self.base.entry.as_ref().map_or(ClientPrecondition::Absent, ClientPrecondition::from);
        // It is not given up at a signal, which is heeded after it: nobody would know whether it took place.
        let written = self.client.put_if(self.key, &document, precondition).await;
        match written {
            Ok(written) => {
                let etag = written.etag().as_str();
                let mut out = Lines::new();
                if self.server.json {
                    out.json(&json!({ "key": self.key, "etag": etag, "written": true }))?;
                } else {
                    out.text(etag)?;
                }
                Ok(None)
            }
            Err(error) => match error.conflict().map(|conflict| conflict.kind()) {
                Some(ConflictKind::Stale | ConflictKind::Exists | ConflictKind::NotFound) => {
                    Ok(Some(error))
                }
                _ => Err(Failure::Write(error)),
            },
        }
    }

    /// Puts together what somebody has written, and what is there now.
    async fn merge(&mut self, mine: &[u8], conflict: ClientError) -> Result<Next, Failure> {
        let read = until_stopped(&mut self.stop, self.client.get::<Document>(self.key)).await?;
        let Some(theirs) = read.map_err(Failure::Read)? else {
            return self.deleted(mine, conflict).await;
        };
        let base = std::mem::replace(&mut self.base, Base::of(theirs));
        self.draft.put_aside(mine)?;
        let theirs = self.base.document.body().clone();
        if self.layout.is_same(mine, &theirs) {
            return Ok(Next::Nothing);
        }
        let old = base.entry.as_ref().map(|_| Json::from_slice(base.document.body())).transpose();
        match (self.layout.is_json(), old, Json::from_slice(mine), Json::from_slice(&theirs)) {
            (true, Ok(old), Ok(new), Ok(theirs)) => {
                let merged = self.rules.merge(old.as_ref(), &new, &theirs);
                self.propose(&merged, conflict).await
            }
            _ => {
                self.layout = Layout::Text;
                self.draft.write(&clash::of_text(base.document.body(), mine, &theirs))?;
                self.say("somebody else has changed it meanwhile");
                Ok(Next::Edit(Round::Clashes))
            }
        }
    }

    async fn propose(&mut self, merged: &Merged, conflict: ClientError) -> Result<Next, Failure> {
        if !merged.is_clean() {
            self.say("somebody else has changed the same meanwhile:");
            for clash in merged.clashes() {
                self.say(&format!("  {clash}"));
            }
            self.draft.write(clash::of_json(merged).as_bytes())?;
            return Ok(Next::Edit(Round::Clashes));
        }
        let body = self.layout.body_of(&merged.document());
        let shown = self.layout.show(&body);
        self.say("somebody else has changed it meanwhile; merged with your changes it is:");
        self.say(String::from_utf8_lossy(&shown).trim_end());
        if self.yes {
            return Ok(Next::Write(body));
        }
        match ask(&mut self.stop, "Write it?", true).await? {
            Answer::Yes => Ok(Next::Write(body)),
            Answer::No => Err(Failure::Write(conflict)),
            Answer::Edit => {
                self.draft.write(&shown)?;
                Ok(Next::Edit(Round::Merge))
            }
        }
    }

    async fn deleted(&mut self, mine: &[u8], conflict: ClientError) -> Result<Next, Failure> {
        self.say(&format!("{} was deleted meanwhile", self.key));
        match ask(&mut self.stop, "Create it again, with your text?", false).await? {
            Answer::Yes => {
                self.base.entry = None;
                Ok(Next::Write(mine.to_vec()))
            }
            _ => Err(Failure::Write(conflict)),
        }
    }

    fn nothing(&self) -> Result<(), Failure> {
        self.server.note("unchanged: nothing was written");
        if self.server.json {
            let etag = self.base.entry.as_ref().map(|entry| entry.etag().as_str());
            return Lines::new().json(&json!({ "key": self.key, "etag": etag, "written": false }));
        }
        Ok(())
    }

    fn conflict(&self, what: &str) -> Failure {
        let current = self.base.entry.clone().map(Box::new);
        Failure::Conflict { what: what.to_owned(), key: Some(self.key.to_owned()), current }
    }

    /// What somebody who edits has to see.
    fn say(&self, text: &str) {
        let _nobody = writeln!(io::stderr(), "{text}");
    }
}
