//! What a running process tells of itself: `/metrics` as OpenMetrics text, `/healthz` and `/readyz`, over HTTP.
//!
//! Whoever serves makes a [`Registry`], keeps handles of its metrics, and says how it is by a closure; here is the
//! endpoint, and nothing of what is measured. It answers `GET` and `HEAD`, reads no body, and has bounds on
//! connections and on the time that each may take: a peer that is slow or silent costs a socket for a while, and no more.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;

pub use prometheus_client::registry::Registry;

/// How many peers are served at a time; more wait.
const CONNECTIONS_MAX: usize = 16;

/// How long a connection may last.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a peer may take over the head of a request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Where an endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// On a network address; one of loopback is reached from this host alone.
    Tcp(SocketAddr),
    /// On a Unix socket, which the owner's user and group may connect to.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    /// `127.0.0.1:9465`, `[::1]:9465`, or `unix:/run/logsmith/metrics.sock`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            None if let Ok(address) = text.parse() => Ok(Self::Tcp(address)),
            _ => Err(format!(
                "`{text}` is no address; write \"127.0.0.1:9465\" or \"unix:/run/logsmith/metrics.sock\""
            )),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why an endpoint could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct MetricsError {
    /// Where it was to listen.
    pub address: Address,
    /// The system's own words.
    pub source: std::io::Error,
}

/// How a process is. Each reason is a line for people; `None` is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why it should be started anew: what `/healthz` answers, with 503.
    pub ill: Option<String>,
    /// Why it does not do its work now: what `/readyz` answers, with 503. One that is ill is not ready either.
    pub unready: Option<String>,
}

/// A socket that listens, and is not served yet: peers wait.
#[derive(Debug)]
pub struct Endpoint {
    listener: Listener,
    address: Address,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Endpoint {
    /// Listens. A Unix socket that nobody serves any more is replaced.
    ///
    /// # Errors
    /// The address is taken, or not to be had.
    pub async fn bind(address: &Address) -> Result<Self, MetricsError> {
        let failed = |source| MetricsError { address: address.clone(), source };
        match address {
            Address::Tcp(wanted) => {
                let listener = TcpListener::bind(wanted).await.map_err(failed)?;
                let address = Address::Tcp(listener.local_addr().map_err(failed)?);
                Ok(Self { listener: Listener::Tcp(listener), address })
            }
            Address::Unix(path) => {
                let listener = listen(path).await.map_err(failed)?;
                Ok(Self { listener: Listener::Unix(listener), address: address.clone() })
            }
        }
    }

    /// Where it listens: with the port that the system chose, if it was asked for port 0.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Serves until it is dropped. `health` is asked at each request, and should not wait.
    pub async fn serve(
        self,
        registry: Arc<Registry>,
        health: impl Fn() -> Health + Send + Sync + 'static,
    ) -> std::convert::Infallible {
        let (health, places) = (Arc::new(health), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
        // Peers end with the endpoint.
        let mut peers = tokio::task::JoinSet::new();
        loop {
            while peers.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { std::future::pending().await };
            let accepted = match &self.listener {
                Listener::Tcp(listener) => listener.accept().await.map(|(socket, _)| Peer::Tcp(socket)),
                Listener::Unix(listener) => listener.accept().await.map(|(socket, _)| Peer::Unix(socket)),
            };
            let peer = match accepted {
                Ok(peer) => peer,
                Err(error) => {
                    // It has too many open files, say; it may get better.
                    tracing::debug!(%error, "cannot take a connection to the metrics");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let (registry, health) = (Arc::clone(&registry), Arc::clone(&health));
            peers.spawn(async move {
                let answer = |request: Request<Incoming>| {
                    let response = answer(request.method(), request.uri().path(), &registry, &*health);
                    std::future::ready(Ok::<_, std::convert::Infallible>(response))
                };
                let served = async {
                    match peer {
                        Peer::Tcp(socket) => serve(socket, answer).await,
                        Peer::Unix(socket) => serve(socket, answer).await,
                    }
                };
                // How a peer leaves is its own affair.
                let _ = tokio::time::timeout(CONNECTION_TIME_MAX, served).await;
                drop(place);
            });
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(listener) = self
            && let Ok(address) = listener.local_addr()
            && let Some(path) = address.as_pathname()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

enum Peer {
    Tcp(tokio::net::TcpStream),
    Unix(UnixStream),
}

/// All that a registry has now: each metric by its name with its labels, `logsmith_source_lines_total{source="app"}`.
pub fn samples(registry: &Registry) -> Vec<(String, f64)> {
    let mut text = String::new();
    // Writing to a string cannot fail, and half of the metrics would be no less true.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// Listens on a Unix socket at `path`, in place of one that was left behind.
async fn listen(path: &Path) -> std::io::Result<UnixListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        if UnixStream::connect(path).await.is_ok() {
            return Err(std::io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

async fn serve<S, F, R>(socket: S, answer: F) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Incoming>) -> R,
    R: Future<Output = Result<Response<Full<Bytes>>, std::convert::Infallible>>,
{
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(socket), service_fn(answer))
        .await
}

/// The answer to a request.
fn answer(
    method: &Method,
    path: &str,
    registry: &Registry,
    health: &impl Fn() -> Health,
) -> Response<Full<Bytes>> {
    let (status, kind, text) = match path {
        _ if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned())
        }
        "/metrics" => {
            let mut text = String::new();
            match prometheus_client::encoding::text::encode(&mut text, registry) {
                Ok(()) => (StatusCode::OK, OPEN_METRICS, text),
                Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, "cannot write the metrics\n".to_owned()),
            }
        }
        "/healthz" => state(health().ill),
        "/readyz" => {
            let Health { ill, unready } = health();
            state(ill.or(unready))
        }
        _ => (StatusCode::NOT_FOUND, TEXT, "here are /metrics, /healthz and /readyz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn state(reason: Option<String>) -> (StatusCode, HeaderValue, String) {
    match reason {
        None => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn registry() -> Arc<Registry> {
        let mut registry = Registry::with_prefix("logsmith");
        let lines: Counter = Counter::default();
        lines.inc_by(7);
        registry.register("lines", "Lines read", lines);
        Arc::new(registry)
    }

    async fn ask(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
        let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        socket.read_to_string(&mut said).await.unwrap();
        said
    }

    #[tokio::test]
    async fn metrics_and_health_are_served_on_loopback() {
        let endpoint = Endpoint::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let Address::Tcp(address) = *endpoint.address() else { panic!("{endpoint:?}") };
        let health = || Health { ill: None, unready: Some("the landing cannot be listed".into()) };
        let _served = tokio::task::JoinSet::from_iter([endpoint.serve(registry(), health)]);
        // A peer that says nothing holds nobody up.
        let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
        for (request, status, text) in [
            ("GET /metrics", "200 OK", "logsmith_lines_total 7\n# EOF\n"),
            ("GET /metrics", "200 OK", "content-type: application/openmetrics-text; version=1.0.0"),
            ("GET /healthz", "200 OK", "ok\n"),
            ("GET /readyz", "503 Service Unavailable", "the landing cannot be listed\n"),
            ("GET /etc/passwd", "404 Not Found", "/metrics"),
            ("POST /metrics", "405 Method Not Allowed", "allow: GET, HEAD"),
        ] {
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let said = ask(&mut socket, request).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {said}");
            assert!(said.contains(text), "{request}: {said}");
        }
    }

    #[tokio::test]
    async fn a_unix_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let address: Address = format!("unix:{}", path.display()).parse().unwrap();
        let endpoint = Endpoint::bind(&address).await.unwrap();
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(endpoint.serve(registry(), Health::default));
        let said = ask(&mut UnixStream::connect(&path).await.unwrap(), "GET /healthz").await;
        assert!(said.ends_with("ok\n"), "{said}");
        let taken = Endpoint::bind(&address).await.unwrap_err();
        assert_eq!(taken.source.kind(), std::io::ErrorKind::AddrInUse);
        serving.shutdown().await;
        assert!(!path.exists());
        std::fs::write(&path, "somebody's file").unwrap();
        assert!(Endpoint::bind(&address).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's file");
    }

    #[test]
    fn addresses_are_read_back_and_others_refused() {
        for text in ["127.0.0.1:9465", "[::1]:9465", "unix:/run/logsmith/metrics.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "9465", "localhost:9465", "unix:metrics.sock", "127.0.0.1"] {
            assert!(text.parse::<Address>().unwrap_err().contains("write \"127.0.0.1:9465\""), "{text}");
        }
    }
}
