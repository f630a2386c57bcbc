//! What stands on the screen. All that colour says, words say too.

use bytesize::ByteSize;
use ratatui::Frame;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::sample::{Sample, Samples};
use crate::edge::{FileReport, PipelineReport, UploadReport};
use crate::text::Shown;

/// Files get so many rows, however many pipelines there are.
const FILE_ROWS_MIN: usize = 3;

/// Cells of the bar.
const BAR: u64 = 20;

/// What a user chose to see.
#[derive(Debug)]
pub(super) struct View {
    first_file: usize,
    has_colours: bool,
}

impl Default for View {
    fn default() -> Self {
        let is_colourless = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { first_file: 0, has_colours: !is_colourless }
    }
}

impl View {
    /// Moves the list of files.
    pub(super) fn scroll_by(&mut self, files: isize) {
        self.first_file = self.first_file.saturating_add_signed(files);
    }

    /// Draws all.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, samples: &Samples) {
        let Some(sample) = samples.last() else { return };
        let (width, height) = (usize::from(frame.area().width), usize::from(frame.area().height));
        let mut lines = vec![self.title(sample, width), self.host(sample, samples)];
        let below = self.below(sample, samples, width);
        // A title and a blank line belong to the files, and one line to the foot.
        let rows = height.saturating_sub(lines.len() + below.len() + 4).max(FILE_ROWS_MIN);
        lines.push(Line::default());
        lines.extend(self.files(sample, samples, width, rows));
        lines.push(Line::default());
        lines.extend(below);
        lines.truncate(height.saturating_sub(1));
        lines.resize(height.saturating_sub(1), Line::default());
        lines.push(self.foot(sample));
        frame.render_widget(Paragraph::new(lines), frame.area());
    }

    fn title(&self, sample: &Sample, width: usize) -> Line<'static> {
        let host = format!("logsmith top  {}", sample.report.host);
        let (state, colour) = match (&sample.told, sample.report.has_run) {
            (_, false) => ("the agent has not run here yet".to_owned(), Color::Yellow),
            (None, _) => ("no [metrics]: without rates of the agent".to_owned(), Color::Reset),
            (Some(Err(reason)), _) => (format!("agent does not answer: {}", Shown(reason)), Color::Red),
            (Some(Ok(told)), _) => match &told.unready {
                None => ("agent is ready".to_owned(), Color::Green),
                Some(reason) => (format!("agent is not ready: {}", Shown(reason)), Color::Yellow),
            },
        };
        let state = clipped(&state, width.saturating_sub(host.chars().count() + 2));
        let gap = width.saturating_sub(host.chars().count() + state.chars().count());
        Line::from(vec![
            Span::styled(host, Modifier::BOLD),
            Span::raw(" ".repeat(gap)),
            Span::styled(state, self.coloured(colour)),
        ])
    }

    fn host(&self, sample: &Sample, samples: &Samples) -> Line<'static> {
        let disk = sample.report.disk;
        let used = (disk.used_bytes * BAR).checked_div(disk.budget_bytes).unwrap_or(0).min(BAR);
        let bar: String = (0..BAR).map(|at| if at < used { '#' } else { '.' }).collect();
        let waits = match (disk.takes_nothing, disk.is_full) {
            (Some(reason), _) => format!("  TAKES NOTHING: {reason}"),
            (None, true) => "  FULL, reading waits".to_owned(),
            (None, false) => String::new(),
        };
        let colour = if waits.is_empty() { Color::Reset } else { Color::Red };
        let mut text =
            format!("disk [{bar}] {} of {}{waits}", ByteSize(disk.used_bytes), ByteSize(disk.budget_bytes));
        if let Some(memory) = sample.told().and_then(|told| told.value("process_resident_memory_bytes", &[]))
        {
            text += &format!("  memory {}", ByteSize(memory as u64));
        }
        if let Some(cores) = samples.cores() {
            text += &format!("  cpu {:.1} %", cores * 100.0);
        }
        Line::styled(text, self.coloured(colour))
    }

    fn files(&mut self, sample: &Sample, samples: &Samples, width: usize, rows: usize) -> Vec<Line<'static>> {
        let path_width = width.saturating_sub(4 * 11);
        let title = format!(
            "{:<path_width$}{:>11}{:>11}{:>11}{:>11}",
            format!("FILES {}", sample.report.files.len()),
            "SIZE",
            "TAKEN",
            "LAG",
            "READ/S"
        );
        let mut files: Vec<&FileReport> = sample.report.files.iter().collect();
        files.sort_by(|a, b| b.lag_bytes.cmp(&a.lag_bytes).then_with(|| a.path.cmp(&b.path)));
        self.first_file = self.first_file.min(files.len().saturating_sub(rows));
        let line = |file: &&FileReport| {
            let size = file.size_bytes.map_or("gone".to_owned(), |size| ByteSize(size).to_string());
            let rate = samples.taken_a_second(&file.path).map(|rate| ByteSize(rate as u64).to_string());
            let text = format!(
                "{:<path_width$}{size:>11}{:>11}{:>11}{:>11}",
                end_of(&Shown(&file.path).to_string(), path_width.saturating_sub(1)),
                ByteSize(file.taken_bytes).to_string(),
                ByteSize(file.lag_bytes).to_string(),
                rate.unwrap_or_default()
            );
            let colour = if file.lag_bytes > 0 { Color::Yellow } else { Color::Reset };
            Line::styled(text, self.coloured(colour))
        };
        let shown = files.iter().skip(self.first_file).take(rows).map(line);
        std::iter::once(self.heading(title)).chain(shown).collect()
    }

    fn below(&self, sample: &Sample, samples: &Samples, width: usize) -> Vec<Line<'static>> {
        let name_width = width.saturating_sub(6 * 10).max(8);
        let mut lines = vec![self.heading(format!(
            "{:<name_width$}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "PIPELINE", "LINES", "LINES/S", "DROPPED", "DEAD", "WAITING", "CPU/LINE"
        ))];
        for pipeline in &sample.report.pipelines {
            lines.extend(self.pipeline(pipeline, samples, name_width));
        }
        lines.push(Line::default());
        lines.push(self.heading(format!(
            "{:<name_width$}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "UPLOADS", "MADE", "WAITING", "BYTES", "FAILED", "OLDEST"
        )));
        for pipeline in &sample.report.pipelines {
            lines.push(match &pipeline.uploads {
                None => Line::raw(format!("{:<name_width$}  no central store", pipeline.name)),
                Some(uploads) => self.uploads(&pipeline.name, uploads, sample, name_width),
            });
        }
        lines
    }

    fn pipeline(&self, pipeline: &PipelineReport, samples: &Samples, width: usize) -> Vec<Line<'static>> {
        let rate = samples.lines_a_second(&pipeline.name).map(|rate| count(rate as u64));
        let cpu = samples.cpu_a_line(&pipeline.name).map(|seconds| format!("{:.1} us", seconds * 1e6));
        let text = format!(
            "{:<width$}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            clipped(&pipeline.name, width.saturating_sub(1)),
            count(pipeline.lines),
            rate.unwrap_or_default(),
            count(pipeline.dropped),
            count(pipeline.dead_letters),
            count(pipeline.waiting.lines),
            cpu.unwrap_or_default()
        );
        let mut lines = vec![Line::raw(text)];
        let said = [("HOLDS", &pipeline.held), ("REFUSED", &pipeline.refused)];
        for (word, reason) in said {
            if let Some(reason) = reason {
                lines.push(Line::styled(format!("  {word}: {}", Shown(reason)), self.coloured(Color::Red)));
            }
        }
        lines
    }

    fn uploads(&self, name: &str, uploads: &UploadReport, sample: &Sample, width: usize) -> Line<'static> {
        let label = [("table", name)];
        let told = |metric: &str| sample.told().and_then(|told| told.value(metric, &label));
        let failed = told("logsmith_sync_failures_total").map(|failures| count(failures as u64));
        let oldest = told("logsmith_sync_lag_seconds").map(|seconds| format!("{seconds:.0} s"));
        let text = format!(
            "{:<width$}{:>10}{:>10}{:>10}{:>10}{:>10}",
            clipped(name, width.saturating_sub(1)),
            count(uploads.objects_made),
            count(uploads.waiting_objects),
            ByteSize(uploads.waiting_bytes).to_string(),
            failed.unwrap_or_default(),
            oldest.unwrap_or_default()
        );
        let colour = if uploads.waiting_objects > 1 { Color::Yellow } else { Color::Reset };
        Line::styled(text, self.coloured(colour))
    }

    fn foot(&self, sample: &Sample) -> Line<'static> {
        let losses = sample.report.losses;
        let mut text = "q quit  arrows move".to_owned();
        if losses.vanished_files > 0 {
            text += &format!("  {} files vanished unread", count(losses.vanished_files));
        }
        if losses.cut_lines > 0 {
            text += &format!("  {} lines cut", count(losses.cut_lines));
        }
        if sample.report.configuration_refused.is_some() {
            text += "  the changed configuration is not taken: see `logsmith status`";
        }
        Line::styled(text, Modifier::DIM)
    }

    fn heading(&self, text: String) -> Line<'static> {
        Line::styled(text, Modifier::REVERSED)
    }

    fn coloured(&self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }
}

/// A number in at most seven characters.
fn count(number: u64) -> String {
    match number {
        0..1_000_000 => number.to_string(),
        1_000_000..1_000_000_000 => format!("{:.1} M", number as f64 / 1e6),
        _ => format!("{:.1} G", number as f64 / 1e9),
    }
}

/// The beginning of a text, with a mark where more follows.
fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The end of a path, with a mark where more stands before.
fn end_of(path: &str, width: usize) -> String {
    let length = path.chars().count();
    if length <= width {
        return path.to_owned();
    }
    std::iter::once('…').chain(path.chars().skip(length + 1 - width.max(1))).collect()
}
