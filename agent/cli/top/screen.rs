//! The terminal: taken over while this lives, and given back as it was.
//!
//! A frame is written at once, and only the cells that have changed, so that nothing flickers.

use std::io::{self, BufWriter, Stdout};

use ratatui::backend::TermionBackend;
use ratatui::termion::event::Key as Pressed;
use ratatui::termion::input::TermRead;
use ratatui::termion::raw::{IntoRawMode, RawTerminal};
use ratatui::termion::screen::{AlternateScreen, IntoAlternateScreen};
use ratatui::{Frame, Terminal};
use tokio::sync::mpsc;

/// A frame is no larger, in bytes.
const FRAME_BYTES: usize = 256 << 10;

/// What a user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
}

type Output = AlternateScreen<BufWriter<RawTerminal<Stdout>>>;

/// A terminal that is taken over.
pub(super) struct Screen {
    terminal: Terminal<TermionBackend<Output>>,
    keys: mpsc::Receiver<Key>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open() -> io::Result<Self> {
        let raw = io::stdout().into_raw_mode()?;
        let screen = BufWriter::with_capacity(FRAME_BYTES, raw).into_alternate_screen()?;
        let mut terminal = Terminal::new(TermionBackend::new(screen))?;
        terminal.hide_cursor()?;
        let (sender, keys) = mpsc::channel(16);
        // A read cannot be called off: the thread ends with the process.
        std::thread::spawn(move || read_keys(&sender));
        Ok(Self { terminal, keys })
    }

    /// Draws a frame; a terminal that has another size than before gets all of it.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw)?;
        Ok(())
    }

    /// What a user wants next; that nobody can say it any more is as if they left.
    pub(super) async fn key(&mut self) -> Key {
        self.keys.recv().await.unwrap_or(Key::Quit)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The rest is given back by those that took it.
        let _ = self.terminal.show_cursor();
    }
}

fn read_keys(to: &mpsc::Sender<Key>) {
    for pressed in io::stdin().keys() {
        let key = match pressed {
            Ok(Pressed::Char('q') | Pressed::Esc | Pressed::Ctrl('c' | 'd')) => Key::Quit,
            Ok(Pressed::Up | Pressed::Char('k')) => Key::Up,
            Ok(Pressed::Down | Pressed::Char('j')) => Key::Down,
            Ok(_) => continue,
            Err(_) => return,
        };
        if to.blocking_send(key).is_err() {
            return;
        }
    }
}
