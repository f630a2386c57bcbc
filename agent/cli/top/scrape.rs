//! What the running agent tells by its metrics.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::metrics::Address;

/// An agent that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Of a longer answer the rest is not read.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// What an agent told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// By name and labels, as they stand in the answer: `logsmith_source_lines_total{source="app"}`.
    values: HashMap<String, f64>,
    /// Why it is not ready, if it is not.
    pub(super) unready: Option<String>,
}

impl Told {
    /// A metric of these labels, in any order.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.all(name).find(|(found, _)| has(found, labels)).map(|(_, value)| value)
    }

    /// The sum of all metrics of a name that have these labels, and maybe others.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name).filter(|(found, _)| has(found, labels)).map(|(_, value)| value).sum()
    }

    /// Labels and values of all metrics of a name.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.values.iter().filter_map(move |(key, value)| {
            let rest = key.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with('{')).then_some((rest, *value))
        })
    }
}

fn has(labels: &str, wanted: &[(&str, &str)]) -> bool {
    wanted.iter().all(|(name, value)| labels.contains(&format!("{name}=\"{value}\"")))
}

/// Asks an agent.
///
/// # Errors
/// It does not answer: it does not run, as a rule.
pub(super) async fn scrape(address: &Address) -> Result<Told, String> {
    let metrics = get(address, "/metrics").await?;
    let ready = get(address, "/readyz").await?;
    let unready = (!ready.starts_with("HTTP/1.1 200")).then(|| body(&ready).trim().to_owned());
    Ok(Told { values: values(body(&metrics)), unready })
}

async fn get(address: &Address, path: &str) -> Result<String, String> {
    let asked = async {
        match address {
            Address::Tcp(address) => ask(TcpStream::connect(address).await?, path).await,
            Address::Unix(socket) => ask(UnixStream::connect(socket).await?, path).await,
        }
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

async fn ask(mut socket: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn values(text: &str) -> HashMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
        .collect()
}
