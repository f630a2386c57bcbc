//! What pipelines make of lines, and what that costs.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{By, Labels, Seconds, plain, seconds, whole};
use crate::silver::Counts;
use crate::transform::{Verdicts, Work};

/// So many names of counters are kept apart for the plugins of a pipeline; the rest is counted as [`OTHER`].
const PLUGIN_COUNTERS_MAX: usize = 100;
const OTHER: &str = "other";

type ByPlugin<M> = Family<Labels<3>, M>;

/// What is counted of pipelines.
#[derive(Clone, Debug)]
pub(in crate::edge) struct Pipelines {
    lines: By<Counter>,
    rows: By<Counter>,
    dropped: By<Counter>,
    dead: By<Counter>,
    commits: By<Counter>,
    held: By<Gauge>,
    refused: By<Gauge>,
    waiting: By<Gauge>,
    lag: By<Seconds>,
    plugin_rows: ByPlugin<Counter>,
    plugin_rejects: ByPlugin<Counter>,
    plugin_dropped: ByPlugin<Counter>,
    plugin_discarded: ByPlugin<Counter>,
    plugin_cpu: ByPlugin<Counter<f64, AtomicU64>>,
    plugin_counts: Family<Labels<2>, Counter>,
}

/// The handles of one pipeline's stage.
#[derive(Debug)]
pub(in crate::edge) struct PipelineMeters {
    name: String,
    lines: Counter,
    rows: Counter,
    dropped: Counter,
    dead: Counter,
    commits: Counter,
    held: Gauge,
    refused: Gauge,
    all: Pipelines,
    /// Names of counters that plugins have used.
    names: BTreeSet<String>,
}

impl Pipelines {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            lines: plain(registry, "pipeline_lines", "Lines judged"),
            rows: plain(registry, "pipeline_rows", "Rows made of them"),
            dropped: plain(registry, "pipeline_dropped", "Lines dropped on purpose"),
            dead: plain(registry, "pipeline_dead_letters", "Lines that became dead letters"),
            commits: plain(registry, "pipeline_commits", "Commits to Silver"),
            held: plain(registry, "pipeline_held", "1 while the pipeline holds, since its plugin is broken"),
            refused: plain(
                registry,
                "pipeline_refused",
                "1 while changed plugins are refused, and those before run",
            ),
            waiting: plain(registry, "pipeline_waiting_versions", "Versions of Bronze without a verdict"),
            lag: seconds(registry, "pipeline_lag", "Age of the oldest lines without a verdict"),
            plugin_rows: plain(registry, "plugin_rows", "Rows that the plugin was given, tries among them"),
            plugin_rejects: plain(registry, "plugin_rejects", "Rows that it rejected or failed on"),
            plugin_dropped: plain(registry, "plugin_dropped", "Rows that it dropped on purpose"),
            plugin_discarded: plain(
                registry,
                "plugin_instances_discarded",
                "Instances thrown away after a fault",
            ),
            plugin_cpu: seconds(registry, "plugin_cpu", "CPU time of its calls"),
            plugin_counts: plain(registry, "plugin_count", "What plugins count themselves"),
        }
    }

    /// For the stage of one pipeline.
    pub(in crate::edge) fn of(&self, name: &str) -> PipelineMeters {
        let label = [("pipeline", name.to_owned())];
        PipelineMeters {
            name: name.to_owned(),
            lines: self.lines.get_or_create_owned(&label),
            rows: self.rows.get_or_create_owned(&label),
            dropped: self.dropped.get_or_create_owned(&label),
            dead: self.dead.get_or_create_owned(&label),
            commits: self.commits.get_or_create_owned(&label),
            held: self.held.get_or_create_owned(&label),
            refused: self.refused.get_or_create_owned(&label),
            all: self.clone(),
            names: BTreeSet::new(),
        }
    }

    /// 1 while this pipeline holds.
    pub(in crate::edge) fn is_held(&self, name: &str) -> Gauge {
        self.held.get_or_create_owned(&[("pipeline", name.to_owned())])
    }

    /// How much of Bronze waits for a pipeline, and for how long.
    pub(in crate::edge) fn wait(&self, name: &str, versions: u64, lag_seconds: f64) {
        let label = [("pipeline", name.to_owned())];
        self.waiting.get_or_create(&label).set(whole(versions));
        self.lag.get_or_create(&label).set(lag_seconds);
    }
}

impl PipelineMeters {
    /// What the plugins did, by what the configuration calls them, in order.
    pub(in crate::edge) fn worked<'a>(&self, plugins: impl Iterator<Item = (&'a str, Work)>) {
        for (at, (plugin, work)) in plugins.enumerate() {
            let label = [
                ("pipeline", self.name.clone()),
                ("step", (at + 1).to_string()),
                ("plugin", plugin.to_owned()),
            ];
            self.all.plugin_rows.get_or_create(&label).inc_by(work.rows);
            self.all.plugin_rejects.get_or_create(&label).inc_by(work.rejects);
            self.all.plugin_dropped.get_or_create(&label).inc_by(work.dropped);
            self.all.plugin_discarded.get_or_create(&label).inc_by(work.instances_discarded);
            self.all.plugin_cpu.get_or_create(&label).inc_by(work.cpu_time.as_secs_f64());
        }
    }

    /// What the plugins counted of a batch.
    pub(in crate::edge) fn counted(&mut self, verdicts: &Verdicts) {
        for (name, by) in &verdicts.counts {
            if !self.names.contains(name) && self.names.len() < PLUGIN_COUNTERS_MAX {
                self.names.insert(name.clone());
            }
            let name = if self.names.contains(name) { name } else { OTHER };
            let label = [("pipeline", self.name.clone()), ("name", name.to_owned())];
            self.all.plugin_counts.get_or_create(&label).inc_by(*by);
        }
    }

    /// A commit to Silver.
    pub(in crate::edge) fn committed(&self, counts: Counts) {
        self.commits.inc();
        self.lines.inc_by(counts.lines);
        self.rows.inc_by(counts.rows);
        self.dropped.inc_by(counts.dropped);
        self.dead.inc_by(counts.dead);
    }

    /// Whether the pipeline holds.
    pub(in crate::edge) fn held(&self, is_held: bool) {
        self.held.set(is_held.into());
    }

    /// Whether its plugins are refused as they are now.
    pub(in crate::edge) fn refused(&self, is_refused: bool) {
        self.refused.set(is_refused.into());
    }
}
