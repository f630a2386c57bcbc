//! `logsmith top`: what the agent on this host does, live.
//!
//! What it shows of files, tables and the queue is read from the state folder, as `status` does; what only the running agent
//! knows comes from its `[metrics]`, where it serves them.

mod sample;
mod scrape;
mod screen;
mod view;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::time::Instant;

use super::{ConfigArg, local_config};
use crate::config::Edge;
use crate::edge::report;
use sample::{Sample, Samples};
use screen::{Key, Screen};
use view::View;

/// What a screen has where nobody says otherwise.
const WIDTH: u16 = 80;
const HEIGHT: u16 = 24;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// How often to look.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "2s")]
    interval: Duration,
    /// Print one screen and end, as where there is no terminal.
    #[arg(long)]
    once: bool,
}

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let edge = local_config(&args.config.config)?;
    let mut samples = Samples::default();
    samples.add(look(&edge).await?);
    if args.once || !std::io::stdout().is_terminal() {
        tokio::time::sleep(args.interval).await;
        samples.add(look(&edge).await?);
        print(&samples)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut screen = Screen::open().context("cannot use this terminal")?;
    let mut view = View::default();
    let mut next = Instant::now() + args.interval;
    loop {
        screen.draw(|frame| view.draw(frame, &samples))?;
        tokio::select! {
            () = tokio::time::sleep_until(next) => {
                samples.add(look(&edge).await?);
                next = Instant::now() + args.interval;
            }
            key = screen.key() => match key {
                Key::Quit => return Ok(ExitCode::SUCCESS),
                Key::Up => view.scroll_by(-1),
                Key::Down => view.scroll_by(1),
            },
        }
    }
}

async fn look(edge: &Edge) -> anyhow::Result<Sample> {
    let report = report(edge).await?;
    let told = match &edge.metrics {
        Some(address) => Some(scrape::scrape(address).await),
        None => None,
    };
    Ok(Sample { at: Instant::now(), report, told })
}

/// One screen, as text.
fn print(samples: &Samples) -> anyhow::Result<()> {
    let mut terminal = Terminal::new(TestBackend::new(WIDTH, HEIGHT))?;
    let shown = terminal.draw(|frame| View::default().draw(frame, samples))?;
    let rows = shown.buffer.content().chunks(WIDTH.into());
    for row in rows {
        let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        println!("{}", text.trim_end());
    }
    Ok(())
}
