/**
 * Lines that begin with a time, a level and the name of a part of the program:
 *
 *     2026-11-30T08:05:09.25Z INFO checkout: order 17 took 35 ms
 */

import { parseTimestamp, plugin, Reject } from "./logsmith.js";

export const transform = plugin({
  name: "PLUGIN_NAME",
  version: "0.1.0",
  reads: { line: "string" },
  // Each is a column of the Silver table, with a `?` where there may be no value.
  writes: { time: "timestamp", level: "string", part: "string?", message: "string" },
  // Reads one line. `null` drops it on purpose, a `Reject` makes it a dead letter with that reason.
  row({ line }) {
    if (line.startsWith("#")) return null;
    const [first, level, ...words] = line.split(" ");
    const time = parseTimestamp(first);
    if (time === null) throw new Reject("the line does not begin with a time");
    if (level === undefined) throw new Reject("there is no level behind the time");
    const [, part, message] = /^(?:([^ ]*): )?(.*)$/s.exec(words.join(" "));
    return { time, level, part, message };
  },
});
