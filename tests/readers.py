"""Reads a Delta table with DuckDB, Polars and deltalake, and prints what each sees as JSON, for the tests.

usage: readers.py TABLE_URL COLUMN ...   one JSON object: reader -> sorted rows, each a list of texts; "protocol" -> versions
"""
import datetime
import glob
import json
import os
import sys

import deltalake
import duckdb
import duckdb_extension_delta
import polars

url, columns = sys.argv[1], sys.argv[2:]


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()
    return None if value is None else str(value)


def sorted_rows(rows):
    return sorted([plain(value) for value in row] for row in rows)


# DuckDB would fetch its extension from a server of its own; the package brings it along.
folder = os.path.dirname(duckdb_extension_delta.__file__)
extension = glob.glob(os.path.join(folder, "extensions/*/delta.duckdb_extension"))[0]
duck = duckdb.connect()
duck.execute(f"LOAD '{extension}'")
named = ", ".join(f'"{column}"' for column in columns)
table = deltalake.DeltaTable(url)
protocol = table.protocol()
scanned = duck.execute(f"SELECT {named} FROM delta_scan('{url}')").to_arrow_table()
print(json.dumps({
    "duckdb": sorted_rows(row.values() for row in scanned.to_pylist()),
    "polars": sorted_rows(polars.scan_delta(url).select(columns).collect().rows()),
    "deltalake": sorted_rows(row.values() for row in table.to_pyarrow_table(columns=columns).to_pylist()),
    "protocol": [protocol.min_reader_version, protocol.min_writer_version],
}))
# DuckDB's threads do not always survive the end of Python's.
sys.stdout.flush()
os._exit(0)
