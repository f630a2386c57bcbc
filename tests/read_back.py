"""Reads Delta tables with the `deltalake` package and prints what it sees as JSON, for the tests.

usage: read_back.py TABLE_URL [COLUMN ...]   one JSON object a row
       read_back.py --json                   reads [{"table": .., "columns": [..]}, ..] from standard input,
                                             prints one JSON array of arrays of rows
Bytes are printed as hexadecimal, times as microseconds since the epoch.
"""
import datetime
import json
import os
import sys

from deltalake import DeltaTable

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def rows(table, columns):
    options = {key.lower(): value for key, value in os.environ.items() if key.startswith("AWS_")}
    data = DeltaTable(table, storage_options=options).to_pyarrow_table(columns=columns or None)
    return [{name: plain(value) for name, value in row.items()} for row in data.to_pylist()]


if sys.argv[1] == "--json":
    asked = json.load(sys.stdin)
    print(json.dumps([rows(one["table"], one.get("columns")) for one in asked]))
else:
    for row in rows(sys.argv[1], sys.argv[2:]):
        print(json.dumps(row))

# Threads of the reader's own libraries may still run at the interpreter's end, and abort it.
sys.stdout.flush()
os._exit(0)
