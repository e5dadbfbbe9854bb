//! Is any edit lost when clients race over documents that nobody here made?
//!
//! The Debian package index, one JSON document a package, is loaded over HTTP by several clients at once, then edited by
//! clients that read, change and write back with If-Match, and resolve their 409s by reading again. The server is
//! restarted, and every document compared with what the clients know they wrote. Shown are documents and edits per
//! second and the number of conflicts; the run fails if a single document differs.
//!
//!     cargo bench --features cli --bench documents                       # what `apt-cache dumpavail` prints
//!     cargo bench --features cli --bench documents -- Packages           # a file of that format
//!     cargo bench --features cli --bench documents -- --quick            # made-up documents, seconds

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Map, Value, json};

const CLIENTS: usize = 4;
/// Half of the edits go to this many documents, so that clients meet.
const HOT: usize = 10;

type Documents = BTreeMap<String, Map<String, Value>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let serious = arguments.iter().any(|argument| argument == "--bench")
        && !arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
    let file = arguments.iter().find(|argument| !argument.starts_with("--"));
    let (mut documents, edits) = match (serious, file) {
        (false, _) => (made_up(200), 50),
        (true, Some(file)) => {
            (parse(&std::fs::read_to_string(file).expect("a readable file")), 5_000)
        }
        (true, None) => (parse(&dump_available()), 5_000),
    };
    let directory = tempfile::tempdir().expect("a temporary directory");

    let server = Server::start(directory.path());
    let start = Instant::now();
    load(&server, &documents);
    let seconds = start.elapsed().as_secs_f64();
    let count = documents.len();
    println!("loaded {count} documents by {CLIENTS} clients: {:.0}/s", rate(count, seconds));

    let start = Instant::now();
    let (made, conflicts) = edit(&server, &documents, edits);
    let seconds = start.elapsed().as_secs_f64();
    let total = CLIENTS * edits;
    println!(
        "made {total} edits by {CLIENTS} clients: {:.0}/s, {conflicts} conflicts",
        rate(total, seconds)
    );
    for ((key, client), times) in made {
        let document = documents.get_mut(&key).expect("only loaded documents are edited");
        let edits = document.entry("edits").or_insert_with(|| json!({}));
        edits[client] = json!(times);
    }

    server.stop();
    let start = Instant::now();
    let server = Server::start(directory.path());
    println!("restarted in {:.2} s", start.elapsed().as_secs_f64());
    let different = compare(&server, &documents);
    server.stop();
    println!("compared {count} documents: {different} differ");
    assert_eq!(different, 0, "an edit was lost");
}

fn rate(count: usize, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).expect("few documents")) / seconds
}

/// A server process of its own, on a port of its own.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(directory: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(directory.join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect("it says where it listens");
        Self { process, address: address.to_owned() }
    }

    fn url(&self, key: &str) -> String {
        format!("{}/v1/kv/{key}", self.address)
    }

    /// As an operator would.
    fn stop(mut self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success(), "the signal was sent");
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "it ends in good order: {status}");
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn load(server: &Server, documents: &Documents) {
    let documents: Vec<_> = documents.iter().collect();
    std::thread::scope(|scope| {
        for part in documents.chunks(documents.len().div_ceil(CLIENTS)) {
            scope.spawn(move || {
                let agent = agent();
                for (key, document) in part {
                    let body = serde_json::to_vec(document).expect("it is JSON");
                    let response = agent
                        .put(server.url(key))
                        .header("content-type", "application/json")
                        .header("if-none-match", "*")
                        .send(&body[..])
                        .expect("the server answers");
                    assert_eq!(response.status(), 201, "{key}");
                }
            });
        }
    });
}

/// How often which client edited which document.
type Made = BTreeMap<(String, String), u64>;

fn edit(server: &Server, documents: &Documents, edits: usize) -> (Made, u64) {
    let keys: Vec<&String> = documents.keys().collect();
    let total = Mutex::new((Made::new(), 0));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (keys, total) = (&keys, &total);
            scope.spawn(move || {
                let (agent, name) = (agent(), format!("client {client}"));
                let mut random = u64::try_from(client).expect("small") + 1;
                for _ in 0..edits {
                    let key = keys[pick(&mut random, keys.len())];
                    let conflicts = edit_one(&agent, server, key, &name);
                    let mut total = total.lock().expect("no client panics");
                    *total.0.entry((key.clone(), name.clone())).or_default() += 1;
                    total.1 += conflicts;
                }
            });
        }
    });
    total.into_inner().expect("no client panics")
}

/// Every second draw is one of the hot documents.
fn pick(random: &mut u64, count: usize) -> usize {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let draw = usize::try_from(*random >> 33).expect("31 bits");
    if draw.is_multiple_of(2) { (draw / 2) % HOT.min(count) } else { (draw / 2) % count }
}

/// Reads, changes and writes back until it wins; returns how often it lost.
fn edit_one(agent: &ureq::Agent, server: &Server, key: &str, name: &str) -> u64 {
    for conflicts in 0.. {
        let mut read = agent.get(server.url(key)).call().expect("the server answers");
        assert_eq!(read.status(), 200, "{key}");
        let etag = read.headers().get("etag").expect("a read has an ETag").clone();
        let body = read.body_mut().read_to_vec().expect("the whole document");
        let mut document: Value = serde_json::from_slice(&body).expect("what was stored");
        let edits = document["edits"][name].as_u64().unwrap_or(0);
        document["edits"][name] = json!(edits + 1);
        let mut written = agent
            .put(server.url(key))
            .header("content-type", "application/json")
            .header("if-match", etag)
            .send(&serde_json::to_vec(&document).expect("it is JSON")[..])
            .expect("the server answers");
        if written.status() == 204 {
            return conflicts;
        }
        assert_eq!(written.status(), 409, "{key}");
        let problem = written.body_mut().read_to_vec().expect("the whole problem");
        let problem: Value = serde_json::from_slice(&problem).expect("a problem document");
        assert!(problem["current_revision"].is_u64(), "{problem}");
    }
    unreachable!("the range has no end")
}

fn compare(server: &Server, documents: &Documents) -> usize {
    let agent = agent();
    let differs = |(key, document): &(&String, &Map<String, Value>)| {
        let mut read = agent.get(server.url(key)).call().expect("the server answers");
        let body = read.body_mut().read_to_vec().expect("the whole document");
        serde_json::from_slice::<Map<String, Value>>(&body).ok().as_ref() != Some(*document)
    };
    documents.iter().filter(differs).count()
}

fn dump_available() -> String {
    let output = Command::new("apt-cache")
        .arg("dumpavail")
        .output()
        .expect("apt-cache runs, or name a file");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Paragraphs of `Field: value` lines; a line that begins with a space goes on with the value before.
fn parse(index: &str) -> Documents {
    let mut documents = Documents::new();
    for paragraph in index.split("\n\n") {
        let mut document = Map::new();
        let mut last = None;
        for line in paragraph.lines() {
            if let (Some(rest), Some(field)) = (line.strip_prefix(' '), &last) {
                let value =
                    document.entry::<String>(String::clone(field)).or_insert_with(|| json!(""));
                *value = json!(format!("{}\n{rest}", value.as_str().unwrap_or_default()));
            } else if let Some((field, value)) = line.split_once(':') {
                document.insert(field.to_owned(), json!(value.trim()));
                last = Some(field.to_owned());
            }
        }
        let text = |field: &str| document.get(field).and_then(Value::as_str).map(str::to_owned);
        if let (Some(package), Some(architecture)) = (text("Package"), text("Architecture")) {
            documents.insert(format!("packages/{package}/{architecture}"), document);
        }
    }
    documents
}

fn made_up(count: usize) -> Documents {
    let index: Vec<String> = (0..count)
        .map(|number| {
            format!(
                "Package: made-up-{number}\nArchitecture: all\nDescription: one\n two {number}\n"
            )
        })
        .collect();
    parse(&index.join("\n"))
}
