//! No worker blocks on a sync: shown on a disk whose syncs last as long as a test wants.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Options, ServeOptions, documents, router, serve};
use crate::storage::disk::Disk;

/// Releases the syncs also when the test fails, so that the threads end.
struct Releases(Disk);

impl Drop for Releases {
    fn drop(&mut self) {
        self.0.release_syncs();
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
    let disk = Disk::new().with_threads();
    let store = documents().open_on(&disk).unwrap();
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

    let releases = Releases(disk.clone());
    let writes = [
        ("PUT", "/v1/kv/new", "1", 201),
        ("POST", "/v1/kv", r#"{"key": "posted", "value": 1}"#, 201),
        ("DELETE", "/v1/kv/there", "", 204),
    ];
    for (method, target, body, expected) in writes {
        disk.hold_syncs();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(status(address, method, target, body)));
        disk.wait_for_held_sync();
        assert_eq!(status(address, "GET", "/v1/kv/none", ""), 404, "while a {method} waits");
        assert!(told.try_recv().is_err(), "a {method} is acknowledged before it is durable");
        disk.release_syncs();
        assert_eq!(told.recv().unwrap(), expected, "{method}");
    }
    drop((releases, stop));
    server.join().unwrap();
    store.close().unwrap();
}
