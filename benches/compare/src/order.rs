//! What is asked for on the command line.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use crate::data::{self, Data};
use crate::growth::{self, Reach};
use crate::workload::{Home, WORKLOADS};
use crate::{Plan, amounts, http, limits};

/// What is said to who asks for help, or for what there is not.
pub fn usage() -> String {
    let names: Vec<_> = all_names().collect();
    format!(
        "cargo compare [OPTION ...] [WORKLOAD ...]\n\
         \n\
         --quick         with fewer keys and shorter rounds\n\
         --tiny          to see that all of it runs: the figures mean nothing\n\
         --json FILE     a row for each goal, and all raw figures\n\
         --docs DIR      the tables in Markdown and the plots in SVG\n\
         --data DIR      where files are kept meanwhile, in place of the package's target/data\n\
         --allow-tmpfs   measures what is durable where nothing is\n\
         --help          this\n\
         \n\
         Workloads, all but {} without a name: {}.\n\
         `cargo compare-all` has RocksDB and etcd take part: see .cargo/config.toml.\n",
        growth::NAME,
        names.join(", ")
    )
}

fn all_names() -> impl Iterator<Item = &'static str> {
    let rates = WORKLOADS.iter().map(|workload| workload.name);
    rates.chain(amounts::NAMES).chain([limits::NAME, growth::NAME]).chain(http::names())
}

/// As it was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// How far it goes.
    pub reach: Reach,
    /// A file.
    pub json: Option<PathBuf>,
    /// A directory.
    pub docs: Option<PathBuf>,
    data: Option<PathBuf>,
    allows_tmpfs: bool,
    names: Vec<String>,
}

/// Why there is no order.
#[derive(Debug, PartialEq, Eq)]
pub enum NoOrder {
    /// Help was asked for.
    Help,
    /// It makes no sense.
    Unknown(String),
}

impl Order {
    /// Reads it.
    ///
    /// # Errors
    /// It asks for help, or for what there is not.
    pub fn new(arguments: &[String]) -> Result<Self, NoOrder> {
        let mut order = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut path = || {
                let path = arguments.next().map(PathBuf::from);
                path.ok_or_else(|| NoOrder::Unknown(format!("{argument} needs a path")))
            };
            match argument.as_str() {
                "--help" | "-h" => return Err(NoOrder::Help),
                "--quick" => order.reach = Reach::Quick,
                "--tiny" => order.reach = Reach::Tiny,
                "--allow-tmpfs" => order.allows_tmpfs = true,
                "--json" => order.json = Some(path()?),
                "--docs" => order.docs = Some(path()?),
                "--data" => order.data = Some(path()?),
                name if all_names().any(|known| known == name) => {
                    order.names.push(argument.clone());
                }
                _ => return Err(NoOrder::Unknown(format!("there is no {argument}"))),
            }
        }
        Ok(order)
    }

    /// Whether this is chosen.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.is_named(name) || self.names.is_empty() && name != growth::NAME
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|chosen| chosen == name)
    }

    /// Finds out whether what is measured can be kept, before anything is.
    ///
    /// # Errors
    /// Something cannot be written to, or what is to be durable would not be.
    pub fn plan(&self) -> Result<Plan, String> {
        if let Some(path) = &self.json {
            let opened = File::options().create(true).append(true).open(path);
            opened.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        }
        if let Some(directory) = &self.docs {
            data::writable(directory)?;
        }
        let data = Data::new(self.data.as_deref())?;
        let file_system = data.file_system().filter(|kind| data::is_memory(kind));
        let durable = WORKLOADS.iter().filter(|workload| workload.home == Home::Durable);
        let durable = durable.map(|workload| workload.name);
        let mut durable = durable.chain([limits::NAME, growth::NAME, http::DURABLE]);
        if let (Some(kind), false) = (file_system, self.allows_tmpfs)
            && let Some(name) = durable.find(|name| self.has(name))
        {
            return Err(format!(
                "{name} is to be durable, but the directory for data is on {kind}, where a sync does nothing: choose another one \
                 with --data DIR, or --allow-tmpfs"
            ));
        }
        let (keys, rounds, millis) = match self.reach {
            Reach::Tiny => (2_000, 2, 10),
            Reach::Quick => (100_000, 5, 60),
            Reach::Full => (1_000_000, 21, 250),
        };
        Ok(Plan { keys, rounds, length: Duration::from_millis(millis), data })
    }
}

#[cfg(test)]
mod tests {
    use super::{NoOrder, Order};
    use crate::growth::Reach;

    fn order(line: &str) -> Result<Order, NoOrder> {
        Order::new(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn an_order_is_read() {
        let read = order("--quick get --json a --docs b durable").expect("it makes sense");
        assert_eq!(read.reach, Reach::Quick);
        assert_eq!((read.json, read.docs), (Some("a".into()), Some("b".into())));
        let read = order("get").expect("it makes sense");
        assert!(read.has("get") && !read.has("swap") && !read.has("growth"));
        let read = order("").expect("it makes sense");
        assert!(read.has("get") && read.has("open") && !read.has("growth"));
        assert!(order("growth").is_ok_and(|read| read.has("growth")));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert_eq!(order("get --help").err(), Some(NoOrder::Help));
        for (line, word) in [("gett", "gett"), ("--jsn x", "--jsn"), ("get --json", "--json")] {
            let Err(NoOrder::Unknown(why)) = order(line) else { panic!("{line}") };
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_named_before_anything_is_measured() {
        for option in ["--json", "--docs", "--data"] {
            let refused = order(&format!("get {option} /proc/nowhere/x")).expect("it makes sense");
            let why = refused.plan().err().expect("nothing can be made there");
            assert!(why.contains("/proc/nowhere/x"), "{why}");
        }
    }
}
