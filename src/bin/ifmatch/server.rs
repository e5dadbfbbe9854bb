//! Which server the subcommands talk to, and how.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ifmatch::Backend;
use ifmatch::client::{Client, ClientError, Remote};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Where the token is taken from if there is no file: a command line can be seen by everybody on the machine.
const TOKEN_VARIABLE: &str = "IFMATCH_TOKEN";

/// More than the largest body that `serve` takes, in base64.
const MAX_ANSWER_BYTES: usize = 512 << 20;

/// Options of all subcommands but `serve`, before or after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server and output")]
pub(crate) struct ServerOptions {
    /// The server
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "IFMATCH_URL",
        default_value = "http://127.0.0.1:4090"
    )]
    server: String,

    /// The token is the first line of this file; without it that of the variable `IFMATCH_TOKEN`, if it is set
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Trust this certificate, too: a file in PEM
    #[arg(long, global = true, value_name = "FILE")]
    ca_cert: Option<PathBuf>,

    /// How long a request may take, each attempt for itself: 30s, 500ms, 2m
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,

    /// Print one JSON object a line, errors too (on stderr: the problem document, with `exit_code`)
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say nothing on stderr but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

impl ServerOptions {
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let mut builder = Client::builder(&self.server)
            .request_timeout(self.timeout)
            .max_answer_bytes(MAX_ANSWER_BYTES)
            .connect_timeout(self.timeout.min(Duration::from_secs(10)));
        if let Some(token) = self.token()? {
            builder = builder.bearer_token(token);
        }
        if let Some(path) = &self.ca_cert {
            let pem = std::fs::read(path).map_err(Failure::file("--ca-cert: cannot read", path))?;
            builder = builder.root_certificate_pem(pem);
        }
        Ok(builder.build()?)
    }

    /// The server, without what is only another spelling.
    pub(crate) fn url(&self) -> &str {
        self.server.trim_end_matches('/')
    }

    fn token(&self) -> Result<Option<String>, Failure> {
        match (&self.token_file, std::env::var(TOKEN_VARIABLE)) {
            (Some(path), _) => read_token(path).map(Some),
            (None, Ok(token)) if !token.is_empty() => Ok(Some(token)),
            (None, Err(std::env::VarError::NotUnicode(_))) => {
                Err(Failure::Usage(format!("{TOKEN_VARIABLE}: it is not UTF-8")))
            }
            (None, _) => Ok(None),
        }
    }

    /// A line for people on stderr, which nobody has to read.
    pub(crate) fn note(&self, line: &str) {
        if self.quiet {
        } else if self.json {
            crate::failure::complain_in_json(&serde_json::json!({ "note": line }));
        } else {
            crate::report::complain(line);
        }
    }
}

/// Where entries come from, or go to: which store it is, behind which server. Servers side by side may have one store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Origin {
    server: String,
    /// Not every server says it.
    store: Option<String>,
}

impl Origin {
    pub(crate) async fn of(server: &ServerOptions, client: &Client) -> Result<Self, Failure> {
        let store = match Remote::connect(client.clone()).await {
            Ok(remote) => Some(remote.identity().to_string()),
            Err(ClientError::Unexpected(_)) => None,
            Err(ClientError::Problem(problem)) if problem.status() == 404 => None,
            Err(error) => return Err(Failure::Read(error)),
        };
        Ok(Self { server: server.url().to_owned(), store })
    }

    /// Whether it is the same store, as far as is known.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.store, &other.store) {
            (Some(store), Some(other)) => store == other,
            _ => self.server == other.server,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.store {
            Some(store) => write!(f, "the store {store} at {}", self.server),
            None => write!(f, "{}", self.server),
        }
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(Failure::file("--token-file: cannot read", path))?;
    match text.lines().next().map(str::trim) {
        Some(token) if !token.is_empty() => Ok(token.to_owned()),
        _ => {
            Err(Failure::Usage(format!("--token-file {}: its first line is empty", path.display())))
        }
    }
}

/// A number with its unit; without one it is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const RULE: &str = "a time is a number above 0 and ms, s or m";
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u32 = number.parse().map_err(|_| RULE)?;
    let time = match unit {
        "ms" => Duration::from_millis(number.into()),
        "s" | "" => Duration::from_secs(number.into()),
        "m" => Duration::from_secs(u64::from(number) * 60),
        _ => return Err(RULE),
    };
    if time.is_zero() { Err(RULE) } else { Ok(time) }
}
