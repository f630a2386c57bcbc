//! Syslog messages over UDP, TCP or a Unix socket. A message becomes a line as it was sent; what it says is for plugins.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::framing::{Frame, Framing, Limit, next_frame};
use super::{Closing, Inlet, place};

/// Connections that may be open at once, for each address; the next one waits.
const CONNECTIONS_MAX: usize = 256;
/// How long a sender may stop in the middle of a long message, while others wait for the room that it takes.
const STALL_MAX: Duration = Duration::from_secs(30);
/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;
/// How long to wait after an error that may last, such as too many open files.
const ERROR_DELAY: Duration = Duration::from_millis(200);

/// Where syslog messages arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A message a datagram: RFC 5426.
    Udp(SocketAddr),
    /// Counted messages, or one a line: RFC 6587.
    Tcp(SocketAddr),
    /// A message a datagram, as on `/dev/log`.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |address: &str| {
            let parsed = address.parse::<SocketAddr>();
            parsed
                .map_err(|_| format!("`{address}` is no address; write one like 127.0.0.1:514 or [::1]:514"))
        };
        match text.split_once("://") {
            Some(("udp", rest)) => Ok(Self::Udp(address(rest)?)),
            Some(("tcp", rest)) => Ok(Self::Tcp(address(rest)?)),
            Some(("unix", rest)) if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            _ => Err(format!(
                "`{text}`: write udp://127.0.0.1:514, tcp://127.0.0.1:601 or unix:///run/logsmith/syslog"
            )),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// Listens in a task of `tasks`, until it is closed and what has arrived by then is handed over.
pub(super) async fn listen(
    listen: &Listen,
    inlet: Inlet,
    closing: Closing,
    tasks: &mut JoinSet<()>,
) -> io::Result<()> {
    let path = place(&listen.to_string());
    match listen {
        Listen::Udp(address) => {
            let socket = Datagrams::Udp(UdpSocket::bind(address).await?);
            tasks.spawn(receive(socket, path, inlet, closing));
        }
        Listen::Unix(file) => {
            make_way(file)?;
            let socket = Datagrams::Unix(UnixDatagram::bind(file)?);
            tasks.spawn(receive(socket, path, inlet, closing));
        }
        Listen::Tcp(address) => {
            let listener = TcpListener::bind(address).await?;
            tasks.spawn(accept(listener, path, inlet, closing));
        }
    }
    info!(address = %listen, "listening for syslog");
    Ok(())
}

/// Removes the socket that an earlier process left at `file`. What else stands there is not ours: a socket on which
/// somebody still receives, or a file of another kind.
fn make_way(file: &Path) -> io::Result<()> {
    let metadata = match std::fs::symlink_metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let in_the_way = |reason| Err(io::Error::new(io::ErrorKind::AddrInUse, reason));
    if !metadata.file_type().is_socket() {
        return in_the_way("what stands there is no socket; it is left alone");
    }
    let probe = std::os::unix::net::UnixDatagram::unbound()?;
    match probe.connect(file) {
        // Only what nobody has open refuses.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(file),
        Err(error) if error.raw_os_error() != Some(libc::EPROTOTYPE) => Err(error),
        // A socket of another type tells so only while somebody has it open.
        Ok(()) | Err(_) => in_the_way("another process receives there; stop it first, or name another path"),
    }
}

/// A socket on which each message is a datagram.
enum Datagrams {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Datagrams {
    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.recv(buffer).await,
            Self::Unix(socket) => socket.recv(buffer).await,
        }
    }
}

async fn receive(socket: Datagrams, path: Arc<Path>, inlet: Inlet, mut closing: Closing) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    while let Some(received) = closing.unless_over(socket.receive(&mut buffer)).await {
        match received {
            Ok(len) => {
                let message = buffer.get(..len).unwrap_or_default();
                let message = message.strip_suffix(b"\n").unwrap_or(message);
                let message = message.strip_suffix(b"\0").unwrap_or(message);
                if inlet.send(&path, message.to_vec(), 0, None).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                warn!(%error, address = %path.display(), "a datagram cannot be read");
                tokio::time::sleep(ERROR_DELAY).await;
            }
        }
    }
}

async fn accept(listener: TcpListener, path: Arc<Path>, inlet: Inlet, mut closing: Closing) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Some(Ok(slot)) = closing.unless_over(Arc::clone(&free).acquire_owned()).await {
        while connections.try_join_next().is_some() {}
        match closing.unless_over(listener.accept()).await {
            Some(Ok((connection, _))) => {
                let (path, inlet, closing) = (Arc::clone(&path), inlet.clone(), closing.clone());
                connections.spawn(async move {
                    if let Err(error) = serve(connection, &path, &inlet, closing).await {
                        warn!(%error, address = %path.display(), "a connection broke");
                    }
                    drop(slot);
                });
            }
            Some(Err(error)) => {
                warn!(%error, address = %path.display(), "a connection cannot be accepted");
                tokio::time::sleep(ERROR_DELAY).await;
            }
            None => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn serve(
    connection: TcpStream,
    path: &Arc<Path>,
    inlet: &Inlet,
    mut closing: Closing,
) -> io::Result<()> {
    let mut input = BufReader::with_capacity(16 << 10, connection);
    let limit =
        Limit { bytes_max: inlet.line_bytes_max, long: Some(Arc::clone(&inlet.long)), stall_max: STALL_MAX };
    while let Some(frame) = closing.unless_over(next_frame(&mut input, Framing::Syslog, &limit)).await {
        let Some(Frame { mut bytes, left_out, broken, share }) = frame? else { break };
        bytes.pop_if(|last| *last == b'\n');
        if (!bytes.is_empty() || left_out > 0) && inlet.send(path, bytes, left_out, None).await.is_err() {
            break;
        }
        drop(share);
        if let Some(error) = broken {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_is_written_and_nothing_else_does() {
        for text in ["udp://127.0.0.1:514", "tcp://[::1]:601", "unix:///run/syslog"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in [
            "udp://localhost:514",
            "127.0.0.1:514",
            "unix://relative",
            "http://127.0.0.1:1",
            "tcp://127.0.0.1",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
    #[test]
    fn only_a_socket_that_nobody_has_open_makes_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let reason = || make_way(&path).unwrap_err().to_string();
        assert!(make_way(&path).is_ok());

        let datagrams = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        assert!(reason().contains("another process receives there"), "{}", reason());
        drop(datagrams);
        assert!(make_way(&path).is_ok() && !path.exists());

        let stream = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(reason().contains("another process receives there"), "{}", reason());
        drop(stream);
        assert!(make_way(&path).is_ok() && !path.exists());

        std::fs::write(&path, "mine").unwrap();
        assert!(reason().contains("is no socket"), "{}", reason());
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(reason().contains("is no socket"), "{}", reason());
    }
}
