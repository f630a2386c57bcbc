"""What tills say: one line has the articles of one customer, and becomes a row for each article.

    2026-11-30T08:05:09Z 7 apple*3@0.25 pear*1@0.5 paid due=2026-12-30 receipt=00ff note=ann
"""

import re

from logsmith import Reject, parse_date, parse_timestamp, plugin

NUMBER = re.compile(r"\d+", re.ASCII)
ARTICLE = re.compile(r"([^*=]+)\*(\d+)@(\d+(?:\.\d+)?)", re.ASCII)


def sales(line, settings):
    if line.startswith("#"):
        return None
    time, _, rest = line.partition(" ")
    shop, *words = rest.split(" ")
    sale = {
        "time": expect(parse_timestamp(time), "a time", time),
        "shop": expect(int(shop) if NUMBER.fullmatch(shop) else None, "the number of a shop", shop),
        "paid": False,
        "notes": {},
    }
    sold = []
    for word in words:
        key, _, value = word.partition("=")
        if parts := ARTICLE.fullmatch(word):
            sold.append({"article": parts[1], "pieces": int(parts[2]), "price": float(parts[3])})
        elif word == "paid":
            sale["paid"] = True
        elif key == "due":
            sale["due"] = expect(parse_date(value), "a date", value)
        elif key == "receipt":
            sale["receipt"] = expect(parse_hex(value), "hexadecimal digits", value)
        else:
            sale["notes"][expect(key if "=" in word and key else None, "a note such as key=value", word)] = value
    wanted = settings["articles"]
    return [sale | article for article in sold if not wanted or article["article"] in wanted]


def expect(value, what, found):
    if value is None:
        raise Reject(f'expected {what}, found "{found}"')
    return value


def parse_hex(text):
    return bytes.fromhex(text) if re.fullmatch(r"([0-9a-f]{2})*", text) else None


Transform = plugin(
    sales,
    version="0.1.0",
    reads={"line": "string"},
    writes={
        "time": "timestamp",
        "shop": "int32",
        "article": "string",
        "pieces": "int64",
        "price": "float64",
        "paid": "boolean",
        "due": "date?",
        "receipt": "binary?",
        "notes": "map",
    },
    # Only these articles, where some are named.
    settings={"articles": []},
)
