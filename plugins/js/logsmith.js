/**
 * Write a logsmith plugin in JavaScript: declare the columns once, and write one function that turns a row of the
 * input into rows of the output.
 *
 *     import { plugin, Reject } from "./logsmith.js";
 *
 *     export const transform = plugin({
 *       name: "pair",
 *       version: "0.1.0",
 *       reads: { line: "string" },
 *       writes: { key: "string", value: "float64?" },
 *       settings: { separator: "=" },
 *       row({ line }, { separator }) {
 *         const [key, value] = line.split(separator);
 *         if (value === undefined) throw new Reject(`there is no ${separator}`);
 *         return { key, value: value === "" ? null : Number(value) };
 *       },
 *     });
 *
 * - Kinds are `boolean`, `int32`, `int64`, `float64`, `date` (days since 1970-01-01), `timestamp` (microseconds
 *   since 1970-01-01T00:00:00Z), `string`, `binary` (a `Uint8Array`) and `map` (from text to text or `null`: a plain
 *   object is written, and read). A `?` behind it says that a row may have no value.
 * - `row` answers an object, an array of them, or `null` (or an empty array) to drop the row on purpose.
 * - `throw new Reject(reason)` makes the row a dead letter, and so does a value that its column cannot hold. Any
 *   other exception is a mistake of the plugin: the host looks for the rows that cause it and sets these aside; a
 *   plugin that fails on every row is held until it is mended.
 * - `settings` gives each key of the configuration with its default, whose type the configured value must have.
 * - Columns that the plugin does not write are carried along; `discard: true` ends them here.
 * - A number of JavaScript is exact up to 2^53: larger int64 values are refused when written and rounded when read,
 *   and times before the year 1685 or after 2255 are exact to 32 microseconds only.
 * - Let no row depend on the rows before it. There is no clock, no randomness, no file and no network.
 */

import host from "logsmith:transform/host@0.1.0";

/** Thrown by `row`: the row cannot be transformed, for this reason. */
export class Reject extends Error {}

/** Writes a message to the agent's log; `level` is `debug`, `info`, `warn` or `error`. */
export function log(level, message) {
  host.log(level, message);
}

/** Adds to a counter of this plugin. */
export function count(name, by = 1) {
  host.count(name, by);
}

/** The days since 1970-01-01 of `2026-11-30`, or `null` where the text is no such date. */
export function parseDate(text) {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (parts === null || parts[1] === "0000") return null;
  const midnight = new Date(0);
  midnight.setUTCFullYear(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  // A day that the month does not have would have become one of the next.
  const exists = midnight.getUTCMonth() === Number(parts[2]) - 1 && midnight.getUTCDate() === Number(parts[3]);
  return exists ? midnight.getTime() / 86_400_000 : null;
}

/**
 * The microseconds since 1970-01-01T00:00:00Z of an RFC 3339 time, also with a blank instead of the `T` and with a
 * comma before the fraction, or `null` where the text is no such time. Without an offset it is UTC.
 */
export function parseTimestamp(text) {
  const form = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))?$/;
  const parts = form.exec(text);
  if (parts === null) return null;
  const days = parseDate(parts[1]);
  const [hour, minute, second] = parts.slice(2, 5).map(Number);
  const [eastHours, eastMinutes] = [Number(parts[7] ?? 0), Number(parts[8] ?? 0)];
  if (days === null || hour > 23 || minute > 59 || second > 60 || eastHours > 23 || eastMinutes > 59) return null;
  const east = (eastHours * 60 + eastMinutes) * (parts[6] === "-" ? -1 : 1);
  const seconds = days * 86_400 + hour * 3_600 + (minute - east) * 60 + second;
  return seconds * 1_000_000 + Number((parts[5] ?? "").slice(0, 6).padEnd(6, "0"));
}

/** Makes the exports of the component. */
export function plugin(definition) {
  const reads = Object.entries(definition.reads).map(([name, kind]) => ({ name, ...parseKind(kind) }));
  const writes = Object.entries(definition.writes).map(([name, kind]) => ({ name, ...parseKind(kind) }));
  const known = new Set(writes.map(({ name }) => name));
  let settings;
  return {
    open(config, input) {
      settings = parseSettings(config, definition.settings ?? {});
      for (const read of reads) checkInput(read, input);
      return {
        name: definition.name,
        version: definition.version,
        reads: reads.map(({ name }) => name),
        writes: writes.map(({ name, kind, nullable }) => ({ name, kind: kind.wit, nullable })),
        rest: definition.discard ? "discard" : "keep",
      };
    },
    apply(batch) {
      const output = { columns: [], sourceRows: [], dropped: [], rejects: [] };
      const readers = reads.map((read, index) => reader(read, batch.columns[index]));
      const builders = writes.map((write) => new Builder(write));
      for (let row = 0; row < batch.rows; row++) {
        try {
          const input = {};
          for (const read of readers) input[read.name] = read.get(row);
          const answers = [definition.row(input, settings) ?? []].flat();
          // All values are looked at before one is written: a reject leaves no half of a row behind.
          for (const cells of answers.map((answer) => checkRow(answer, writes, known))) {
            cells.forEach((cell, index) => builders[index].push(cell));
            output.sourceRows.push(row);
          }
          if (answers.length === 0) output.dropped.push(row);
        } catch (error) {
          if (!(error instanceof Reject)) throw { tag: "other", val: `${error}\n${error?.stack ?? ""}` };
          output.rejects.push({ row, reason: error.message });
        }
      }
      output.columns = builders.map((builder) => builder.finish());
      return output;
    },
  };
}

const integer = (low, high) => (value) => Number.isInteger(value) && value >= low && value <= high;

/** Of each kind: its name in the WIT, whether a value may stand in it, and the layout of its column. */
const KINDS = {
  boolean: { wit: "boolean", holds: (value) => typeof value === "boolean", layout: "bits" },
  int32: { wit: "int32", holds: integer(-(2 ** 31), 2 ** 31 - 1), layout: "numbers" },
  int64: { wit: "int64", holds: Number.isSafeInteger, layout: "numbers" },
  float64: { wit: "float64", holds: (value) => typeof value === "number", layout: "numbers" },
  date: { wit: "date32", holds: integer(-719_162, 2_932_896), layout: "numbers" },
  timestamp: { wit: "timestamp-us", holds: integer(-62_135_596_800_000_000, 253_402_300_799_999_968), layout: "numbers" },
  string: { wit: "utf8", holds: (value) => typeof value === "string", layout: "texts" },
  binary: { wit: "binary", holds: (value) => value instanceof Uint8Array, layout: "bytes" },
  map: { wit: "string-map", holds: isMap, layout: "maps" },
};

function isMap(value) {
  const text = (value) => value === null || typeof value === "string";
  return value !== null && typeof value === "object" && Object.values(value).every(text);
}

function parseKind(text) {
  const name = text.replace(/\?$/, "");
  if (!Object.hasOwn(KINDS, name)) throw new TypeError(`there is no kind \`${name}\`, only: ${Object.keys(KINDS)}`);
  return { kind: KINDS[name], kindName: name, nullable: name !== text };
}

function parseSettings(config, defaults) {
  const refuse = (text) => {
    throw { tag: "config", val: text };
  };
  const given = config.trim() === "" ? {} : (JSON.parse(config) ?? {});
  if (typeOf(given) !== "object") refuse(`expected an object, found ${config}`);
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaults, key)) {
      refuse(`unknown key \`${key}\`, expected one of: ${Object.keys(defaults).join(", ") || "none"}`);
    }
    const expected = typeOf(defaults[key]);
    if (typeOf(value) !== expected) refuse(`\`${key}\`: expected ${expected}, found ${JSON.stringify(value)}`);
  }
  return { ...defaults, ...given };
}

function typeOf(value) {
  if (Array.isArray(value)) return "array";
  return value === null ? "null" : typeof value;
}

function checkInput({ name, kind }, input) {
  const field = input.find((field) => field.name === name);
  if (field === undefined) {
    throw { tag: "input", val: `there is no column \`${name}\`, only: ${input.map(({ name }) => name).join(", ")}` };
  }
  if (field.kind !== kind.wit) {
    throw { tag: "input", val: `column \`${name}\` is ${field.kind}, but is read as ${kind.wit}` };
  }
}

/** The values of a row in the order of the columns, each found fit for its column. */
function checkRow(answer, writes, known) {
  for (const name of Object.keys(answer)) {
    if (!known.has(name)) throw new TypeError(`the row has \`${name}\`, which is no column that the plugin writes`);
  }
  return writes.map(({ name, kind, kindName, nullable }) => {
    const value = answer[name] ?? null;
    if (value === null && nullable) return null;
    if (value === null) throw new Reject(`column \`${name}\` has no value`);
    if (!kind.holds(value)) throw new Reject(`column \`${name}\`: ${JSON.stringify(value)} is no ${kindName}`);
    return value;
  });
}

const bit = (bits, index) => ((bits[index >> 3] >> (index & 7)) & 1) === 1;

/** Gives the values of a column that crossed the boundary. */
function reader({ name, kind, nullable }, { values: { val: values }, validity }) {
  const values_of = READERS[kind.layout](values);
  return {
    name,
    get(row) {
      if (validity === null || validity === undefined || bit(validity, row)) return values_of(row);
      if (nullable) return null;
      throw new Reject(`column \`${name}\` has no value`);
    },
  };
}

const READERS = {
  bits: (bits) => (row) => bit(bits, row),
  numbers: (numbers) => (row) => numbers[row],
  texts: ({ offsets, data }) => {
    const all = latin1(data);
    return (row) => decode(all.slice(offsets[row], offsets[row + 1]));
  },
  bytes: ({ offsets, data }) => (row) => Uint8Array.from(data.slice(offsets[row], offsets[row + 1])),
  maps: ({ offsets, keys, entryValues, entryValidity }) => {
    const [key, value] = [READERS.texts(keys), READERS.texts(entryValues)];
    return (row) => {
      const map = {};
      for (let entry = offsets[row]; entry < offsets[row + 1]; entry++) {
        map[key(entry)] = !entryValidity || bit(entryValidity, entry) ? value(entry) : null;
      }
      return map;
    };
  },
};

// The engine has no TextDecoder: bytes become characters below 256, and these become text where they are not ASCII.
function latin1(bytes) {
  const step = 4_096;
  let text = "";
  for (let at = 0; at < bytes.length; at += step) {
    text += String.fromCharCode.apply(null, bytes.slice(at, at + step));
  }
  return text;
}

const decode = (text) => (/[\x80-\xff]/.test(text) ? decodeURIComponent(escape(text)) : text);

const encode = (text) => (/[^\x00-\x7f]/.test(text) ? unescape(encodeURIComponent(text.toWellFormed())) : text);

/** A column under construction. */
class Builder {
  constructor({ kind }) {
    this.kind = kind;
    this.values = new LAYOUTS[kind.layout]();
    this.validity = new Bits();
  }

  push(value) {
    this.validity.push(value !== null);
    this.values.push(value);
  }

  finish() {
    return { values: { tag: this.kind.wit, val: this.values.finish() }, validity: this.validity.finishValidity() };
  }
}

class Bits {
  bytes = [];
  length = 0;
  ones = 0;

  push(value) {
    if (this.length % 8 === 0) this.bytes.push(0);
    if (value) {
      this.bytes[this.bytes.length - 1] |= 1 << this.length % 8;
      this.ones++;
    }
    this.length++;
  }

  finish() {
    return Uint8Array.from(this.bytes);
  }

  /** Nothing where every bit is set. */
  finishValidity() {
    return this.ones === this.length ? null : this.finish();
  }
}

class Numbers {
  numbers = [];

  push(value) {
    this.numbers.push(value ?? 0);
  }

  finish() {
    return this.numbers;
  }
}

/** Values of variable length, as characters below 256. */
class Strings {
  offsets = [0];
  pieces = [];
  length = 0;

  push(bytes) {
    this.pieces.push(bytes);
    this.length += bytes.length;
    this.offsets.push(this.length);
  }

  finish() {
    const data = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.pieces) {
      if (typeof piece === "string") {
        for (let index = 0; index < piece.length; index++) data[at++] = piece.charCodeAt(index);
      } else {
        data.set(piece, at);
        at += piece.length;
      }
    }
    return { offsets: this.offsets, data };
  }
}

class Texts extends Strings {
  push(text) {
    super.push(encode(text ?? ""));
  }
}

class Bytes extends Strings {
  push(bytes) {
    super.push(bytes ?? "");
  }
}

class Maps {
  offsets = [0];
  keys = new Texts();
  entryValues = new Texts();
  validity = new Bits();

  push(map) {
    for (const [key, value] of Object.entries(map ?? {})) {
      this.keys.push(key);
      this.entryValues.push(value);
      this.validity.push(value !== null);
    }
    this.offsets.push(this.validity.length);
  }

  finish() {
    return {
      offsets: this.offsets,
      keys: this.keys.finish(),
      entryValues: this.entryValues.finish(),
      entryValidity: this.validity.finishValidity(),
    };
  }
}

const LAYOUTS = { bits: Bits, numbers: Numbers, texts: Texts, bytes: Bytes, maps: Maps };
