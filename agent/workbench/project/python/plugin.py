"""Lines that begin with a time, a level and the name of a part of the program:

    2026-11-30T08:05:09.25Z INFO checkout: order 17 took 35 ms
"""

from logsmith import Reject, parse_timestamp, plugin


def row(line, settings):
    """Reads one line. `None` drops it on purpose, a `Reject` makes it a dead letter with that reason."""
    if line.startswith("#"):
        return None
    first, *words = line.split(" ", 2)
    time = parse_timestamp(first)
    if time is None:
        raise Reject("the line does not begin with a time")
    if not words:
        raise Reject("there is no level behind the time")
    level, text = words if len(words) == 2 else (words[0], "")
    part, found, message = text.partition(": ")
    if not found or " " in part:
        part, message = None, text
    return {"time": time, "level": level, "part": part, "message": message}


Transform = plugin(
    row,
    name="PLUGIN_NAME",
    version="0.1.0",
    reads={"line": "string"},
    # Each is a column of the Silver table, with a `?` where there may be no value.
    writes={"time": "timestamp", "level": "string", "part": "string?", "message": "string"},
)
