//! What a plugin may use: the table `limits` beside its key `plugin`.

use std::time::Duration;

use super::reader::{Document, Section};
use crate::transform::{FileOwner, Limits};

/// A 32-bit memory has no more.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// A component is held in memory while it is compiled.
const COMPONENT_BYTES_MAX: u64 = 1 << 30;
/// A call is the time for which a pipeline cannot be stopped.
const CALL_CPU_TIME_MAX: Duration = Duration::from_secs(60);

/// The limits that a plugin's section names, beside what holds for all plugins.
pub(super) fn limits<'a>(doc: &mut Document<'a>, section: &mut Section<'a>, owner: FileOwner) -> Limits {
    let mut limits = Limits { file_owner: owner, ..Limits::default() };
    let Some(mut section) = section.section(doc, "limits") else { return limits };
    if let Some(bytes) = section.bytes(doc, "memory_bytes_max") {
        if bytes > MEMORY_BYTES_MAX {
            section.wrong(doc, "memory_bytes_max", "is too large; write at most \"4GiB\"");
        }
        limits.memory_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    if let Some(bytes) = section.bytes(doc, "component_bytes_max") {
        if bytes > COMPONENT_BYTES_MAX {
            section.wrong(doc, "component_bytes_max", "is too large; write at most \"1GiB\"");
        }
        limits.component_bytes_max = bytes;
    }
    let times = [
        ("open_cpu_time_max", &mut limits.open_cpu_time_max),
        ("call_cpu_time_max", &mut limits.call_cpu_time_max),
        ("row_cpu_time_max", &mut limits.row_cpu_time_max),
    ];
    for (name, limit) in times {
        if let Some(time) = section.duration(doc, name) {
            if time > CALL_CPU_TIME_MAX {
                section.wrong(doc, name, "is too long; write at most \"60s\"");
            }
            *limit = time;
        }
    }
    limits.rejects_per_minute_max = section.number(doc, "rejects_per_minute_max", 0);
    section.finish(doc);
    // A row that is tried alone has more time than a call, and a plugin counts as broken only after several of these.
    limits.lone_row_cpu_time_max = limits.lone_row_cpu_time_max.max(limits.call_cpu_time_max * 10);
    limits.fault_cpu_time_max = limits.fault_cpu_time_max.max(limits.lone_row_cpu_time_max * 3);
    limits
}
