/**
 * What tills say: one line has the articles of one customer, and becomes a row for each article.
 *
 *     2026-11-30T08:05:09Z 7 apple*3@0.25 pear*1@0.5 paid due=2026-12-30 receipt=00ff note=ann
 */

import { parseDate, parseTimestamp, plugin, Reject } from "./logsmith.js";

export const transform = plugin({
  name: "sales",
  version: "0.1.0",
  reads: { line: "string" },
  writes: {
    time: "timestamp",
    shop: "int32",
    article: "string",
    pieces: "int64",
    price: "float64",
    paid: "boolean",
    due: "date?",
    receipt: "binary?",
    notes: "map",
  },
  // Only these articles, where some are named.
  settings: { articles: [] },
  row({ line }, { articles }) {
    if (line.startsWith("#")) return null;
    const [time, shop = "", ...words] = line.split(" ");
    const sale = { time: expect(parseTimestamp(time), "a time", time), paid: false, notes: {} };
    sale.shop = expect(/^\d+$/.test(shop) ? Number(shop) : null, "the number of a shop", shop);
    const sold = [];
    for (const word of words) {
      const parts = /^([^*=]+)\*(\d+)@(\d+(?:\.\d+)?)$/.exec(word);
      const [key, value] = split(word);
      if (parts !== null) sold.push({ article: parts[1], pieces: Number(parts[2]), price: Number(parts[3]) });
      else if (word === "paid") sale.paid = true;
      else if (key === "due") sale.due = expect(parseDate(value), "a date", value);
      else if (key === "receipt") sale.receipt = expect(parseHex(value), "hexadecimal digits", value);
      else sale.notes[expect(key, "a note such as key=value", word)] = value;
    }
    const wanted = sold.filter(({ article }) => articles.length === 0 || articles.includes(article));
    return wanted.map((article) => ({ ...sale, ...article }));
  },
});

function expect(value, what, found) {
  if (value === null) throw new Reject(`expected ${what}, found "${found}"`);
  return value;
}

function split(word) {
  const at = word.indexOf("=");
  return at < 1 ? [null, null] : [word.slice(0, at), word.slice(at + 1)];
}

function parseHex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) return null;
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => parseInt(digits, 16));
}
