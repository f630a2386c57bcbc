//! What was seen, and what has changed since the look before.

use tokio::time::Instant;

use super::scrape::Told;
use crate::edge::{FileReport, PipelineReport, Report};

/// One look at a host.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) report: Report,
    /// What the running agent told, or why it did not; none if it serves no metrics.
    pub(super) told: Option<Result<Told, String>>,
}

impl Sample {
    /// What the running agent told.
    pub(super) fn told(&self) -> Option<&Told> {
        self.told.as_ref()?.as_ref().ok()
    }

    fn file(&self, path: &str) -> Option<&FileReport> {
        // Sorted by path.
        let files = &self.report.files;
        files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().and_then(|at| files.get(at))
    }

    fn pipeline(&self, name: &str) -> Option<&PipelineReport> {
        self.report.pipelines.iter().find(|pipeline| pipeline.name == name)
    }
}

/// The last two looks.
#[derive(Debug, Default)]
pub(super) struct Samples {
    before: Option<Sample>,
    last: Option<Sample>,
}

impl Samples {
    /// Takes the next look.
    pub(super) fn add(&mut self, sample: Sample) {
        self.before = self.last.replace(sample);
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&Sample> {
        self.last.as_ref()
    }

    /// Bytes of a file that were taken in a second.
    pub(super) fn taken_a_second(&self, path: &str) -> Option<f64> {
        self.a_second(|sample| Some(sample.file(path)?.taken_bytes as f64))
    }

    /// Lines that a pipeline judged in a second.
    pub(super) fn lines_a_second(&self, pipeline: &str) -> Option<f64> {
        // The agent knows at once what its tables say at the end of a rhythm.
        let rows = [("pipeline", pipeline), ("step", "1")];
        self.a_second(|sample| sample.told()?.value("logsmith_plugin_rows_total", &rows))
            .or_else(|| self.a_second(|sample| Some(sample.pipeline(pipeline)?.lines as f64)))
    }

    /// CPU time that the plugins of a pipeline took for a line, in seconds; since the start of the agent where there was
    /// none since the last look.
    pub(super) fn cpu_a_line(&self, pipeline: &str) -> Option<f64> {
        let of = |sample: &Sample| {
            let told = sample.told()?;
            let rows = told.value("logsmith_plugin_rows_total", &[("pipeline", pipeline), ("step", "1")])?;
            Some((told.sum("logsmith_plugin_cpu_seconds_total", &[("pipeline", pipeline)]), rows))
        };
        let (cpu, rows) = of(self.last.as_ref()?)?;
        let (cpu_before, rows_before) = self.before.as_ref().and_then(of).unwrap_or_default();
        match rows > rows_before {
            true => Some((cpu - cpu_before) / (rows - rows_before)),
            false => (rows > 0.0).then(|| cpu / rows),
        }
    }

    /// The share of a core that the agent takes.
    pub(super) fn cores(&self) -> Option<f64> {
        self.a_second(|sample| sample.told()?.value("process_cpu_seconds_total", &[]))
    }

    fn a_second(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let (before, last) = (self.before.as_ref()?, self.last.as_ref()?);
        let seconds = (last.at - before.at).as_secs_f64();
        // What is less than before began anew.
        (seconds > 0.0).then_some((of(last)? - of(before)?).max(0.0) / seconds)
    }
}
