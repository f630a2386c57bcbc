//! What the process takes, under the names that all exporters give to it.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::Timestamp;
use crate::logging;

/// Has it looked up whenever somebody asks.
pub(super) fn register(registry: &mut Registry, now: Timestamp) {
    registry.register_collector(Box::new(Process { began: began(now) }));
}

/// Has what the process has logged looked up whenever somebody asks.
pub(super) fn register_messages(registry: &mut Registry) {
    registry.register_collector(Box::new(Messages));
}

#[derive(Debug)]
struct Messages;

impl Collector for Messages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (levels, left_out) = logging::counts();
        let written = Family::<[(&str, &str); 1], Counter>::default();
        for (level, messages) in levels {
            written.get_or_create(&[("level", level)]).inc_by(messages);
        }
        let help = "Messages that were logged";
        written.encode(encoder.encode_descriptor("log_messages", help, None, written.metric_type())?)?;
        let left_out = ConstCounter::new(left_out);
        let help = "Messages that were not, since there were too many of one place";
        left_out.encode(encoder.encode_descriptor(
            "log_messages_left_out",
            help,
            None,
            left_out.metric_type(),
        )?)
    }
}

#[derive(Debug)]
struct Process {
    /// When it was started, in seconds since 1970.
    began: Option<f64>,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = ConstCounter::new(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
        let unit = Some(&Unit::Seconds);
        let of_cpu = encoder.encode_descriptor("process_cpu", "CPU time", unit, cpu.metric_type())?;
        cpu.encode(of_cpu)?;
        if let Some(began) = self.began {
            let began = ConstGauge::new(began);
            let help = "When the process was started, since 1970";
            let of_start =
                encoder.encode_descriptor("process_start_time", help, unit, began.metric_type())?;
            began.encode(of_start)?;
        }
        if let Some(bytes) = resident_bytes() {
            let memory = ConstGauge::new(bytes);
            let help = "Memory in use";
            let of_memory = encoder.encode_descriptor(
                "process_resident_memory",
                help,
                Some(&Unit::Bytes),
                memory.metric_type(),
            )?;
            memory.encode(of_memory)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            let files = ConstGauge::new(open.count() as i64);
            let of_files =
                encoder.encode_descriptor("process_open_fds", "Open files", None, files.metric_type())?;
            files.encode(of_files)?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<i64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as i64)
}

/// The kernel counts from its own start in ticks; between now and then lies what it has run since.
fn began(now: Timestamp) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let up = up.tv_sec as f64 + up.tv_nsec as f64 / 1e9;
    Some(now.micros() as f64 / 1e6 - up + ticks / rustix::param::clock_ticks_per_second() as f64)
}
