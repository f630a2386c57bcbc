//! An S3 server over HTTP for the tests: it serves a folder, writes down what it was asked, and does to each request what
//! the test's rule says.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};

/// The key that every test has.
pub const KEY: &str = "edge";
/// Its secret.
pub const SECRET: &str = "edge-secret";

/// The bucket of the tests.
pub const BUCKET: &str = "logs";

/// A request, as a rule sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `PUT`, ...
    pub method: String,
    /// The bucket and the key: `logs/lake/landing/...`.
    pub path: String,
    /// What follows `?`, decoded: `list-type=2&prefix=lake/landing/`.
    pub query: String,
    /// Whether it is a put that must not replace anything.
    pub create_only: bool,
    /// The bucket and the key that it copies from.
    pub copies: Option<String>,
    /// The key that signed it.
    pub signer: String,
    /// The encryption that it asks for: `AES256`.
    pub encryption: String,
    /// The body, as it came.
    pub body: Bytes,
}

impl Asked {
    /// Whether it lists.
    pub fn lists(&self) -> bool {
        self.method == "GET" && self.query.contains("list-type=2")
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is served.
    Served,
    /// It has no effect, and this answer.
    Refused(u16, &'static str),
    /// It has its effect, and this answer.
    RefusedAfter(u16, &'static str),
    /// It has no effect, and the connection ends.
    Cut,
    /// It has its effect, and the connection ends before an answer.
    CutAfter,
    /// It has its effect, and an answer that comes too late for anyone to wait.
    Silence,
    /// It is served this much later.
    Slow(Duration),
    /// It is served; of a listing, what matches is left out, as if the store had not noticed it yet.
    Unnoticed(fn(&str) -> bool),
}

type Rule = Arc<dyn Fn(&Asked) -> Fate + Send + Sync>;

/// A running server, which ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    _runtime: tokio::runtime::Runtime,
}

struct State {
    service: S3Service,
    rule: Mutex<Rule>,
    asked: Mutex<Vec<Asked>>,
    /// The server looks whether a name is free, and then writes: one at a time, so that this is one step.
    writes: tokio::sync::Mutex<()>,
}

impl Server {
    /// Serves the buckets in `folder`, for [`KEY`].
    pub fn start(folder: &Path, listener: TcpListener) -> Self {
        Self::start_for(folder, listener, &[(KEY, SECRET)])
    }

    /// Serves the buckets in `folder`, for these keys with their secrets.
    pub fn start_for(folder: &Path, listener: TcpListener, keys: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let mut auth = SimpleAuth::new();
        for (key, secret) in keys {
            auth.register((*key).to_owned(), (*secret).into());
        }
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
        builder.set_auth(auth);
        let state = Arc::new(State {
            service: builder.build(),
            rule: Mutex::new(Arc::new(|_| Fate::Served)),
            asked: Mutex::default(),
            writes: tokio::sync::Mutex::default(),
        });
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, _runtime: runtime }
    }

    /// Has each further request judged by `rule`.
    pub fn rule(&self, rule: impl Fn(&Asked) -> Fate + Send + Sync + 'static) {
        *self.state.rule.lock().unwrap() = Arc::new(rule);
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.asked.lock().unwrap())
    }

    /// The options that a configuration needs to reach it.
    pub fn options(&self) -> String {
        options(self.address, KEY, SECRET)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The options that a configuration needs to reach a server at `address` with this key.
pub fn options(address: SocketAddr, key: &str, secret: &str) -> String {
    format!(
        "aws_endpoint = \"http://{address}\"\naws_allow_http = \"true\"\naws_region = \"local\"\n\
         aws_access_key_id = \"{key}\"\naws_secret_access_key = \"{secret}\"\n"
    )
}

/// The same, as environment variables for a reader.
pub fn environment(address: SocketAddr) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "local".to_owned()),
        ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
    ]
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(move |request| answer(Arc::clone(&state), request));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

type Answer = Response<s3s::Body>;

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signer = header("authorization").split("Credential=").nth(1).unwrap_or_default();
    let asked = Asked {
        method: head.method.to_string(),
        path: decoded(head.uri.path()).trim_start_matches('/').to_owned(),
        query: decoded(head.uri.query().unwrap_or_default()),
        create_only: header("if-none-match") == "*",
        copies: Some(decoded(header("x-amz-copy-source")).trim_start_matches('/').to_owned())
            .filter(|from| !from.is_empty()),
        signer: signer.split('/').next().unwrap_or_default().to_owned(),
        encryption: header("x-amz-server-side-encryption").to_owned(),
        body: body.clone(),
    };
    let rule = Arc::clone(&state.rule.lock().unwrap());
    let fate = rule(&asked);
    state.asked.lock().unwrap().push(asked);
    let serve = async {
        let _one = match head.method.as_str() {
            "PUT" | "POST" | "DELETE" => Some(state.writes.lock().await),
            _ => None,
        };
        let served = state.service.call(Request::from_parts(head, s3s::Body::from(body))).await;
        served.map_err(|error| format!("{error:?}"))
    };
    match fate {
        Fate::Served => Ok(serve.await?),
        Fate::Refused(status, code) => Ok(error(status, code)),
        Fate::RefusedAfter(status, code) => serve.await.map(|_| error(status, code)).map_err(Into::into),
        Fate::Cut => Err("cut".into()),
        Fate::CutAfter => {
            serve.await?;
            Err("cut".into())
        }
        Fate::Silence => {
            serve.await?;
            tokio::time::sleep(Duration::from_secs(600)).await;
            Err("late".into())
        }
        Fate::Slow(delay) => {
            tokio::time::sleep(delay).await;
            Ok(serve.await?)
        }
        Fate::Unnoticed(is_unnoticed) => {
            let (mut head, body) = serve.await?.into_parts();
            let text = String::from_utf8(body.collect().await?.to_bytes().into()).unwrap();
            head.headers.remove("content-length");
            Ok(Response::from_parts(head, s3s::Body::from(without(&text, is_unnoticed))))
        }
    }
}

fn error(status: u16, code: &str) -> Answer {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>by rule</Message></Error>");
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(s3s::Body::from(text))
        .unwrap()
}

/// A listing without the keys that are not noticed.
fn without(listing: &str, is_unnoticed: fn(&str) -> bool) -> String {
    let mut parts = listing.split("<Contents>");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (entry, rest) = part.split_once("</Contents>").unwrap();
        let key = entry.split("<Key>").nth(1).unwrap().split("</Key>").next().unwrap();
        if !is_unnoticed(&decoded(key)) {
            text += &format!("<Contents>{entry}</Contents>");
        }
        text += rest;
    }
    text
}

/// Text without percent encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = (*first == b'%').then(|| behind.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
