//! What a service tells its manager, by the protocol of `sd_notify(3)`: datagrams of `NAME=value` lines to the socket that
//! `NOTIFY_SOCKET` names. Where there is none, nothing is told and nothing fails.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What the manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// The start goes on, and may take so long from now.
    Starting(Duration),
    /// Started, or done with reading the configuration again.
    Ready,
    /// The configuration is read again; [`News::Ready`] follows, whatever came of it.
    Reloading,
    /// A stop is under way.
    Stopping,
    /// All is well; must come again and again where [`Manager::watchdog`] says so.
    Alive,
    /// One line for people, as `systemctl status` shows it.
    Status(&'a str),
}

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    is_ready: AtomicBool,
    is_reloading: AtomicBool,
}

impl Manager {
    /// None: for what is not a service.
    pub fn absent() -> Self {
        Self::default()
    }

    /// The one that started this process, as the environment says.
    ///
    /// # Errors
    /// The socket that the environment names cannot be used.
    pub fn of_environment() -> io::Result<Self> {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(Self::absent()) };
        let variable = |name| std::env::var(name).ok();
        let micros = variable("WATCHDOG_USEC").and_then(|micros| micros.parse().ok());
        // The variables of another process may have been passed on.
        let is_meant = variable("WATCHDOG_PID").is_none_or(|id| id == std::process::id().to_string());
        let socket = UnixDatagram::unbound()?;
        // News that a manager does not take at once is not worth a wait.
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Some((socket, address(&name)?)),
            watchdog: micros.filter(|micros| is_meant && *micros > 0).map(Duration::from_micros),
            is_ready: AtomicBool::new(false),
            is_reloading: AtomicBool::new(false),
        })
    }

    /// How long the manager goes without [`News::Alive`] before it ends the process, if it watches.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Whether it was told [`News::Ready`].
    pub fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Whether it was told [`News::Reloading`], and not yet [`News::Ready`] after that.
    pub fn is_reloading(&self) -> bool {
        self.is_reloading.load(Ordering::Acquire)
    }

    /// Tells it, in one message.
    pub fn tell(&self, news: &[News<'_>]) {
        if news.contains(&News::Ready) {
            self.is_ready.store(true, Ordering::Release);
            self.is_reloading.store(false, Ordering::Release);
        }
        if news.contains(&News::Reloading) {
            self.is_reloading.store(true, Ordering::Release);
        }
        let Some((socket, address)) = &self.socket else { return };
        let lines: Vec<String> = news.iter().map(line).collect();
        if let Err(error) = socket.send_to_addr(lines.join("\n").as_bytes(), address) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

fn line(news: &News<'_>) -> String {
    match news {
        News::Starting(time) => format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()),
        News::Ready => "READY=1".to_owned(),
        News::Reloading => {
            let now = clock_gettime(ClockId::Monotonic);
            let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
            format!("RELOADING=1\nMONOTONIC_USEC={micros}")
        }
        News::Stopping => "STOPPING=1".to_owned(),
        News::Alive => "WATCHDOG=1".to_owned(),
        News::Status(text) => format!("STATUS={}", text.replace('\n', " ")),
    }
}

/// A path, or, behind `@`, a name that stands in no file system.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => {
            let reason = format!("NOTIFY_SOCKET is {}, no path and no abstract name", name.display());
            Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
        }
    }
}
