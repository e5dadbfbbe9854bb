//! A way to etcd that keeps the status of a member to the role `root`, as etcd does from 3.5.28 and 3.6.0 on.

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::client::conn::http2::SendRequest;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

const STATUS: &str = "/etcdserverpb.Maintenance/Status";
const PERMISSION_DENIED: &str = "7";

/// Its URL.
pub(crate) async fn way_to(target: &str) -> String {
    let target = target.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TokioIo::new(TcpStream::connect(&target).await.unwrap());
            let (sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), server).await.unwrap();
            tokio::spawn(connection);
            let answer = service_fn(move |request| answer(sender.clone(), request));
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(client), answer));
        }
    });
    url
}

async fn answer(
    mut etcd: SendRequest<Incoming>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Body>> {
    if request.uri().path() != STATUS {
        return Ok(etcd.send_request(request).await?.map(Body::new));
    }
    let denied = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", PERMISSION_DENIED)
        .header("grpc-message", "etcdserver: permission denied");
    Ok(denied.body(Body::empty()).unwrap())
}
