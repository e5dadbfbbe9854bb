//! Three members, as processes.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use crate::server::{Place, Server, free_ports};
use crate::support::raw;

pub(crate) struct Cluster {
    places: Vec<Place>,
    members: Vec<Option<Server>>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(options: &[&str]) -> Self {
        let ports = free_ports::<6>();
        let names = ["one", "two", "three"];
        let peers: Vec<String> = names
            .iter()
            .zip(&ports[3..])
            .map(|(name, port)| format!("{name}=http://127.0.0.1:{port}"))
            .collect();
        let places: Vec<Place> = names
            .iter()
            .zip(ports)
            .zip(&ports[3..])
            .map(|((&name, client_port), &peer_port)| Place {
                name: name.to_owned(),
                client_port,
                peer_port,
                cluster: peers.join(","),
                is_kept: true,
                ..Place::alone(options)
            })
            .collect();
        let members = places.iter().map(|place| Some(place.start())).collect();
        Self { places, members }
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.places.iter().map(|place| format!("http://127.0.0.1:{}", place.client_port)).collect()
    }

    /// Which of them leads.
    pub(crate) async fn leader(&self) -> usize {
        loop {
            for (index, url) in self.urls().iter().enumerate() {
                if self.members[index].is_none() {
                    continue;
                }
                let asked = async {
                    let status = raw(url).await.status().await.ok()?;
                    (status.leader() != 0 && status.leader() == status.header()?.member_id())
                        .then_some(())
                };
                if let Ok(Some(())) = tokio::time::timeout(Duration::from_secs(2), asked).await {
                    return index;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn kill(&mut self, index: usize) {
        drop(self.members[index].take());
    }

    pub(crate) fn restart(&mut self, index: usize) {
        self.members[index] = Some(self.places[index].start());
    }

    pub(crate) fn signal(&self, index: usize, signal: Signal) {
        self.members[index].as_ref().unwrap().signal(signal);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.members.clear();
        let directories: Vec<&PathBuf> = self.places.iter().map(|place| &place.directory).collect();
        for directory in directories {
            let _gone = std::fs::remove_dir_all(directory);
        }
    }
}
