//! No worker blocks on a sync: shown on a disk whose syncs last as long as a test wants.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::{Options, ServeOptions, documents, router, serve};
use crate::storage::{Directory, File, Files};

/// Holds syncs back while it is shut.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shut: bool,
    waiting: usize,
}

impl Gate {
    fn set(&self, shut: bool) {
        self.state.lock().unwrap().shut = shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| state.shut).unwrap();
        state.waiting -= 1;
    }

    /// Waits until a sync waits.
    fn reached(&self) {
        let state = self.state.lock().unwrap();
        let _state = self.changed.wait_while(state, |state| state.waiting == 0).unwrap();
    }
}

/// Opens the gate also when the test fails, so that the threads end.
struct Opens(Arc<Gate>);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[derive(Debug)]
struct SlowDisk {
    files: Files,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct SlowFile {
    file: Box<dyn File>,
    gate: Arc<Gate>,
}

impl SlowDisk {
    fn slow(&self, file: io::Result<Box<dyn File>>) -> io::Result<Box<dyn File>> {
        Ok(Box::new(SlowFile { file: file?, gate: Arc::clone(&self.gate) }))
    }
}

impl Directory for SlowDisk {
    fn path(&self) -> &Path {
        self.files.path()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn create(&self) -> io::Result<()> {
        self.files.create()
    }
    fn sync_parents(&self) -> io::Result<()> {
        self.files.sync_parents()
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn Debug + Send>> {
        self.files.lock(name)
    }
    fn create_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        self.slow(self.files.create_file(name))
    }
    fn open_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        self.slow(self.files.open_file(name))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.files.sync()
    }
}

impl File for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync()
    }
}

/// The status of the answer to one request on a connection of its own.
fn status(address: SocketAddr, method: &str, target: &str, body: &str) -> u16 {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .new_agent();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}{target}"))
        .header("content-type", "application/json");
    let response = match body {
        "" => agent.run(request.body(()).unwrap()),
        body => agent.run(request.body(body.to_owned()).unwrap()),
    };
    response.unwrap().status().as_u16()
}

#[test]
fn a_server_with_one_thread_answers_reads_while_writes_wait_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let disk = SlowDisk { files: Files::new(directory.path()), gate: Arc::clone(&gate) };
    let store = documents().open_on(Arc::new(disk)).unwrap();
    let routes = router(store.clone(), Options::default());
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let stopped = async { drop(stopped.await) };
            serve(listener, routes, ServeOptions::default(), stopped).await
        })
    });
    let address = told.recv().unwrap();
    assert_eq!(status(address, "PUT", "/v1/kv/there", "1"), 201);

    let opens = Opens(Arc::clone(&gate));
    let writes = [
        ("PUT", "/v1/kv/new", "1", 201),
        ("POST", "/v1/kv", r#"{"key": "posted", "value": 1}"#, 201),
        ("DELETE", "/v1/kv/there", "", 204),
    ];
    for (method, target, body, expected) in writes {
        gate.set(true);
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(status(address, method, target, body)));
        gate.reached();
        assert_eq!(status(address, "GET", "/v1/kv/none", ""), 404, "while a {method} waits");
        assert!(told.try_recv().is_err(), "a {method} is acknowledged before it is durable");
        gate.set(false);
        assert_eq!(told.recv().unwrap(), expected, "{method}");
    }
    drop((opens, stop));
    server.join().unwrap();
    store.close().unwrap();
}
