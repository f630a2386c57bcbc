//! The table as a picture: for each number of rows a panel, for each setting a row, for each way a mark.

use std::fmt::Write;

use crate::{ROWS, Series, Setting};

/// Pixels.
const LEFT: f64 = 280.0;
const TOP: f64 = 86.0;
const PANEL: f64 = 270.0;
const GAP: f64 = 24.0;
const ROW: f64 = 30.0;
const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 60.0;

/// Colours that everybody can tell apart, and shapes for those who print.
const MARKS: [(&str, &str, Shape); 4] = [
    ("columns", "#0072b2", Shape::Disc),
    ("list<record>", "#d55e00", Shape::Square),
    ("Arrow IPC", "#009e73", Shape::Triangle),
    ("the agent", "#0072b2", Shape::Ring),
];
const NATIVE: &str = "native";
const INK: &str = "#333";

#[derive(Clone, Copy)]
enum Shape {
    Disc,
    Ring,
    Square,
    Triangle,
}

/// An SVG document.
pub fn draw(all: &[Series], line_bytes: usize) -> String {
    let mut settings: Vec<Setting> = all.iter().filter_map(|series| series.setting).collect();
    settings.dedup();
    let scale = Scale::of(all);
    let width = LEFT + ROWS.len() as f64 * (PANEL + GAP) - GAP + RIGHT;
    let height = TOP + settings.len() as f64 * ROW + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"{INK}\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let title = format!(
        "A line of {line_bytes} bytes into six columns: CPU time in ns a row (logarithmic); dashed: native, no boundary"
    );
    text(&mut svg, (16.0, 26.0), "start", &title);
    legend(&mut svg);
    for (number, setting) in settings.iter().enumerate() {
        text(&mut svg, (LEFT - 14.0, middle(number) + 4.0), "end", &label(*setting));
    }
    for (panel, rows) in ROWS.into_iter().enumerate() {
        let left = LEFT + panel as f64 * (PANEL + GAP);
        let bottom = TOP + settings.len() as f64 * ROW;
        frame(&mut svg, &scale, left, bottom);
        text(&mut svg, (left + PANEL / 2.0, bottom + 44.0), "middle", &format!("{rows} rows a call"));
        for series in all {
            let x = left + scale.at(series.row_ns[panel]);
            let number = settings.iter().position(|setting| Some(*setting) == series.setting);
            match (MARKS.iter().find(|(name, ..)| *name == series.name), number) {
                (Some((_, colour, shape)), Some(number)) => {
                    mark(&mut svg, *shape, colour, (x, middle(number)))
                }
                (Some((_, colour, shape)), None) => {
                    let [_, fresh] = Setting::agent();
                    let number = settings.iter().position(|setting| *setting == fresh).unwrap();
                    mark(&mut svg, *shape, colour, (x, middle(number)));
                }
                (None, _) => {
                    assert_eq!(series.name, NATIVE);
                    line(&mut svg, (x, TOP), (x, bottom), INK, " stroke-dasharray=\"5 4\"");
                }
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn label(Setting { instances, epochs, simd }: Setting) -> String {
    format!("{} instance, epochs {}, SIMD {}", instances.name(), epochs.name(), simd.name())
}

/// The height of a setting's marks.
fn middle(number: usize) -> f64 {
    TOP + (number as f64 + 0.5) * ROW
}

/// Nanoseconds to pixels.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(all: &[Series]) -> Self {
        let ns = || all.iter().flat_map(|series| series.row_ns);
        Self { least: ns().fold(f64::INFINITY, f64::min) * 0.8, most: ns().fold(0.0, f64::max) * 1.25 }
    }

    fn at(&self, ns: f64) -> f64 {
        (ns / self.least).ln() / (self.most / self.least).ln() * PANEL
    }

    /// Round numbers in reach.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let decades = (0..7).map(|power| 10_f64.powi(power));
        let ticks = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * decade));
        ticks.filter(|tick| (self.least..self.most).contains(tick))
    }
}

fn frame(svg: &mut String, scale: &Scale, left: f64, bottom: f64) {
    for tick in scale.ticks() {
        let x = left + scale.at(tick);
        line(svg, (x, TOP), (x, bottom), "#ddd", "");
        text(svg, (x, bottom + 20.0), "middle", &format!("{tick}"));
    }
    line(svg, (left, bottom), (left + PANEL, bottom), INK, "");
}

fn legend(svg: &mut String) {
    for (number, (name, colour, shape)) in MARKS.into_iter().enumerate() {
        let x = LEFT + 8.0 + number as f64 * 150.0;
        mark(svg, shape, colour, (x, 52.0));
        text(svg, (x + 12.0, 56.0), "start", name);
    }
}

fn mark(svg: &mut String, shape: Shape, colour: &str, (x, y): (f64, f64)) {
    let shape = match shape {
        Shape::Disc => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>"),
        Shape::Ring => format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ),
        Shape::Square => format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"{colour}\"/>",
            x - 4.5,
            y - 4.5
        ),
        Shape::Triangle => {
            format!("<path d=\"M{:.1} {:.1}h11l-5.5 -10z\" fill=\"{colour}\"/>", x - 5.5, y + 5.0)
        }
    };
    writeln!(svg, "{shape}").unwrap();
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, more: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"{more}/>"
    )
    .unwrap();
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>").unwrap();
}
