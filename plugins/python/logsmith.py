"""Write a logsmith plugin in Python: declare the columns once, and write one function that turns a row of the input
into rows of the output.

    from logsmith import Reject, plugin

    def pair(line, settings):
        key, found, value = line.partition(settings["separator"])
        if not found:
            raise Reject(f"there is no {settings['separator']}")
        return {"key": key, "value": float(value) if value else None}

    Transform = plugin(
        pair,
        version="0.1.0",
        reads={"line": "string"},
        writes={"key": "string", "value": "float64?"},
        settings={"separator": "="},
    )

- Kinds are `boolean`, `int32`, `int64`, `float64`, `date` (`datetime.date`), `timestamp` (`datetime.datetime`, without
  a zone in UTC), `string`, `binary` (`bytes`) and `map` (a `dict` from `str` to `str` or `None`). A `?` behind it says
  that a row may have no value, which is `None`.
- The function's arguments are the columns that it reads, by name, and `settings`. It answers a dict, a list of dicts,
  or `None` (or an empty list) to drop the row on purpose. It is ordinary Python: call it in a test.
- `raise Reject(reason)` makes the row a dead letter, and so does a value that its column cannot hold. Any other
  exception is a mistake of the plugin: the host looks for the rows that cause it and sets these aside; a plugin that
  fails on every row is held until it is mended.
- `settings` gives each key of the configuration with its default, whose type the configured value must have.
- Columns that the plugin does not write are carried along; `discard=True` ends them here.
- Let no row depend on the rows before it. There is no clock, no randomness, no file and no network.
"""

import datetime
import gc
import json
import re
import traceback

try:
    from componentize_py_types import Err
    from wit_world.exports import transform as wit
    from wit_world.imports import host
except ImportError:  # In a native test of the function there is no host.
    wit = host = None

# The collector of cycles reads a clock, which is not there. An instance lives for one batch, and reference counts free
# all that is in no cycle.
gc.disable()

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = datetime.date(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


class Reject(Exception):
    """The row cannot be transformed, for this reason."""


def log(level, message):
    """Writes a message to the agent's log; `level` is `debug`, `info`, `warn` or `error`."""
    if host is None:
        print(f"{level}: {message}")
    else:
        host.log(host.Level[level.upper()], message)


def count(name, by=1):
    """Adds to a counter of this plugin."""
    if host is not None:
        host.count(name, by)


def parse_date(text):
    """The date that `2026-11-30` writes, or `None` where the text is no such date."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def parse_timestamp(text):
    """The time that RFC 3339 writes, also with a blank instead of the `T` and with a comma before the fraction, or
    `None` where the text is no such time. Without an offset it is UTC."""
    parts = _TIMESTAMP.fullmatch(text)
    day = parse_date(parts[1]) if parts else None
    if day is None:
        return None
    hour, minute, second = int(parts[2]), int(parts[3]), int(parts[4])
    east_hours, east_minutes = int(parts[7] or 0), int(parts[8] or 0)
    if hour > 23 or minute > 59 or second > 60 or east_hours > 23 or east_minutes > 59:
        return None
    east = datetime.timedelta(hours=east_hours, minutes=east_minutes)
    after_midnight = datetime.timedelta(
        hours=hour, minutes=minute, seconds=second, microseconds=int((parts[5] or "")[:6].ljust(6, "0"))
    )
    midnight = datetime.datetime(day.year, day.month, day.day, tzinfo=UTC)
    try:
        return midnight + after_midnight - (-east if parts[6] == "-" else east)
    except OverflowError:
        return None


_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))?", re.ASCII
)


def plugin(function, *, version, reads, writes, settings=None, discard=False, name=None):
    """Makes the class that the component exports, which must be named `Transform`. The plugin has the function's
    name if it is given no other."""
    reads = [_Column(*column) for column in reads.items()]
    writes = [_Column(*column) for column in writes.items()]
    names = {column.name for column in writes}
    defaults = settings or {}
    name = name or function.__name__
    settings = None

    class Transform:
        def open(self, config, input):
            nonlocal settings
            settings = _parse_settings(config, defaults)
            for column in reads:
                column.check(input)
            return wit.Plan(
                name,
                version,
                [column.name for column in reads],
                [wit.Field(column.name, column.wit_kind, column.nullable) for column in writes],
                wit.Rest.DISCARD if discard else wit.Rest.KEEP,
            )

        def apply(self, batch):
            output = wit.Output([], [], [], [])
            inputs = [(column.name, column.read(given)) for column, given in zip(reads, batch.columns)]
            cells = [[] for _ in writes]
            for row in range(batch.rows):
                try:
                    given = {name: values[row] for name, values in inputs}
                    for column in reads:
                        if given[column.name] is None and not column.nullable:
                            raise Reject(f"column `{column.name}` has no value")
                    answers = function(**given, settings=settings)
                    answers = [answers] if isinstance(answers, dict) else answers or []
                    # All values are looked at before one is written: a reject leaves no half of a row behind.
                    checked = [_check_row(answer, writes, names) for answer in answers]
                except Reject as reject:
                    output.rejects.append(wit.Reject(row, str(reject)))
                    continue
                except Exception:
                    raise Err(wit.Fault_Other(traceback.format_exc()))
                for values in checked:
                    for column, value in zip(cells, values):
                        column.append(value)
                    output.source_rows.append(row)
                if not checked:
                    output.dropped.append(row)
            output.columns = [column.write(values) for column, values in zip(writes, cells)]
            return output

    return Transform


class _Column:
    """A column that the plugin reads or writes."""

    def __init__(self, name, text):
        self.name = name
        self.kind = text.removesuffix("?")
        self.nullable = self.kind != text
        if self.kind not in _KINDS:
            raise TypeError(f"there is no kind `{self.kind}`, only: {', '.join(_KINDS)}")
        self.wit_name, self.holds, self.decode, self.encode = _KINDS[self.kind]

    @property
    def wit_kind(self):
        return wit.Kind[self.wit_name.upper()]

    def check(self, input):
        """Refuses an input that does not have this column."""
        for field in input:
            if field.name == self.name and field.kind == self.wit_kind:
                return
            if field.name == self.name:
                found, wanted = field.kind.name.lower(), self.wit_name
                raise Err(wit.Fault_Input(f"column `{self.name}` is {found}, but is read as {wanted}"))
        names = ", ".join(field.name for field in input)
        raise Err(wit.Fault_Input(f"there is no column `{self.name}`, only: {names}"))

    def read(self, column):
        """All values of a column that crossed the boundary, `None` where there is none."""
        values = self.decode(column.values.value)
        if column.validity is None:
            return values
        return [value if _bit(column.validity, row) else None for row, value in enumerate(values)]

    def write(self, values):
        """The column of these values as it crosses the boundary."""
        case = "Values_" + "".join(word.capitalize() for word in self.wit_name.split("_"))
        return wit.Column(getattr(wit, case)(self.encode(values)), _validity(values))


def _check_row(row, writes, names):
    """The values of a row in the order of the columns, each found fit for its column."""
    unknown = row.keys() - names
    if unknown:
        raise TypeError(f"the row has {sorted(unknown)}, which the plugin does not write")
    values = []
    for column in writes:
        value = row.get(column.name)
        if value is None and not column.nullable:
            raise Reject(f"column `{column.name}` has no value")
        if value is not None and not column.holds(value):
            raise Reject(f"column `{column.name}`: {value!r} is no {column.kind}")
        values.append(value)
    return values


def _parse_settings(config, defaults):
    given = json.loads(config or "null")
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise Err(wit.Fault_Config(f"expected an object, found {config}"))
    for key, value in given.items():
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise Err(wit.Fault_Config(f"unknown key `{key}`, expected one of: {known}"))
        expected, found = _json_type(defaults[key]), _json_type(value)
        if found != expected:
            raise Err(wit.Fault_Config(f"`{key}`: expected {expected}, found {json.dumps(value)}"))
    return {**defaults, **given}


def _json_type(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "array", dict: "object"}.get(type(value), "null")


def _bit(bits, index):
    return bits[index >> 3] >> (index & 7) & 1 == 1


def _pack(flags):
    bits = bytearray((len(flags) + 7) // 8)
    for index, flag in enumerate(flags):
        if flag:
            bits[index >> 3] |= 1 << (index & 7)
    return bytes(bits)


def _validity(values):
    """Nothing where every value is present."""
    present = [value is not None for value in values]
    return None if all(present) else _pack(present)


def _decode_strings(strings):
    offsets, data = strings.offsets, strings.data
    return [data[offsets[index] : offsets[index + 1]] for index in range(len(offsets) - 1)]


def _encode_strings(values):
    offsets, end = [0], 0
    for value in values:
        end += len(value)
        offsets.append(end)
    return wit.Strings(offsets, b"".join(values))


def _decode_texts(strings):
    return [value.decode() for value in _decode_strings(strings)]


def _encode_texts(values):
    return _encode_strings([(value or "").encode(errors="replace") for value in values])


def _decode_maps(maps):
    keys, values = _decode_texts(maps.keys), _decode_texts(maps.entry_values)
    if maps.entry_validity is not None:
        values = [value if _bit(maps.entry_validity, entry) else None for entry, value in enumerate(values)]
    ends = maps.offsets
    entries = list(zip(keys, values))
    return [dict(entries[ends[index] : ends[index + 1]]) for index in range(len(ends) - 1)]


def _encode_maps(maps):
    offsets, keys, values = [0], [], []
    for entries in maps:
        keys.extend(entries or ())
        values.extend((entries or {}).values())
        offsets.append(len(keys))
    return wit.Entries(offsets, _encode_texts(keys), _encode_texts(values), _validity(values))


def _is_map(value):
    return isinstance(value, dict) and all(
        isinstance(key, str) and (text is None or isinstance(text, str)) for key, text in value.items()
    )


def _whole(bits):
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return lambda value: type(value) is int and low <= value <= high


def _micros(value):
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (aware - EPOCH) // MICROSECOND


def _numbers(of_value):
    return lambda values: [0 if value is None else of_value(value) for value in values]


def _same(values):
    return values


# Of each kind: its name in the WIT, whether a value may stand in it, and how a column is read and written.
_KINDS = {
    "boolean": (
        "boolean",
        lambda value: isinstance(value, bool),
        lambda bits: [_bit(bits, index) for index in range(len(bits) * 8)],
        _pack,
    ),
    "int32": ("int32", _whole(32), _same, _numbers(int)),
    "int64": ("int64", _whole(64), _same, _numbers(int)),
    "float64": ("float64", lambda value: type(value) in (int, float), _same, _numbers(float)),
    "date": (
        "date32",
        lambda value: type(value) is datetime.date,
        lambda days: [EPOCH_DAY + datetime.timedelta(days=day) for day in days],
        _numbers(lambda day: (day - EPOCH_DAY).days),
    ),
    "timestamp": (
        "timestamp_us",
        lambda value: isinstance(value, datetime.datetime),
        lambda micros: [EPOCH + number * MICROSECOND for number in micros],
        _numbers(_micros),
    ),
    "string": ("utf8", lambda value: isinstance(value, str), _decode_texts, _encode_texts),
    "binary": (
        "binary",
        lambda value: isinstance(value, bytes),
        _decode_strings,
        lambda values: _encode_strings([value or b"" for value in values]),
    ),
    "map": ("string_map", _is_map, _decode_maps, _encode_maps),
}
