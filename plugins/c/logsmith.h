/**
 * Write a logsmith plugin in C: declare the columns once, and write one function that turns a row of the input into
 * rows of the output.
 *
 *     #include "logsmith/logsmith.h"
 *
 *     enum { LINE };
 *     enum { KEY, VALUE };
 *     static struct ls_text separator = LS_TEXT("=");
 *
 *     static bool row(struct ls_row *row) {
 *       struct ls_text rest = ls_string(row, LINE), key, value;
 *       double number;
 *       if (!ls_next(&rest, separator.data[0], &key) || !ls_next(&rest, separator.data[0], &value))
 *         return ls_reject(row, "there is no %.*s", LS_ARG(separator));
 *       ls_set_string(row, KEY, key);
 *       if (ls_parse_float64(value, &number)) ls_set_float64(row, VALUE, number);
 *       return ls_emit(row);
 *     }
 *
 *     const struct ls_plugin ls_plugin = {
 *       .name = "pair",
 *       .version = "0.1.0",
 *       .reads = LS_COLUMNS([LINE] = {"line", LS_STRING}),
 *       .writes = LS_COLUMNS([KEY] = {"key", LS_STRING}, [VALUE] = {"value", LS_FLOAT64, LS_NULLABLE}),
 *       .settings = LS_SETTINGS({"separator", .text = &separator}),
 *       .row = row,
 *     };
 *
 * - The columns are named by their place in `reads` and in `writes`. A column that is `LS_NULLABLE` may have no value.
 * - `row` sets the values of a row and emits it, any number of times: values stay for the next one. A row of the input
 *   for which it emits nothing is dropped on purpose.
 * - `ls_reject` makes the row a dead letter, and so does a value that its column cannot hold; what was emitted for the
 *   row before is forgotten. `ls_fail`, like any trap, is a mistake of the plugin: the host looks for the rows that
 *   cause it and sets these aside; a plugin that fails on every row is held until it is mended.
 * - `settings` names the keys of the configuration, each with the variable that it sets: what stands in it is the
 *   default.
 * - Columns that the plugin does not write are carried along; `.discard = true` ends them here.
 * - The C library is there as far as it needs nothing of a system. There is no clock, no randomness, no file and no
 *   network: what calls for one imports what no plugin gets. Memory that is not freed ends with the batch.
 * - Let no row depend on the rows before it.
 */
#ifndef LOGSMITH_H
#define LOGSMITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes that stand elsewhere; they do not end with a NUL. */
struct ls_text {
  const char *data;
  size_t length;
};

/** The text of a string literal. */
#define LS_TEXT(literal) {literal, sizeof(literal) - 1}
/** A text as the two arguments that `%.*s` takes. */
#define LS_ARG(text) (int)(text).length, (text).data

struct ls_texts {
  const struct ls_text *data;
  size_t length;
};

enum ls_kind {
  LS_BOOLEAN,
  LS_INT32,
  LS_INT64,
  LS_FLOAT64,
  /** Days since 1970-01-01, of the years 1 to 9999. */
  LS_DATE,
  /** Microseconds since 1970-01-01T00:00:00Z, of the years 1 to 9999. */
  LS_TIMESTAMP,
  /** UTF-8. */
  LS_STRING,
  LS_BINARY,
  /** From text to text, or to nothing. */
  LS_MAP,
};

enum ls_nullable { LS_NOT_NULL, LS_NULLABLE };

struct ls_column {
  const char *name;
  enum ls_kind kind;
  enum ls_nullable nullable;
};

/** A key of the configuration: one of the pointers says which type its value has, and where it goes. */
struct ls_setting {
  const char *name;
  bool *boolean;
  double *number;
  struct ls_text *text;
  struct ls_texts *texts;
};

struct ls_row;

struct ls_plugin {
  const char *name;
  const char *version;
  const struct ls_column *reads;
  const struct ls_column *writes;
  /** None if left out. */
  const struct ls_setting *settings;
  /** End the columns that the plugin does not write. */
  bool discard;
  /** Answers what `ls_emit` and `ls_reject` answer, or `true`. */
  bool (*row)(struct ls_row *row);
};

#define LS_COLUMNS(...) (const struct ls_column[]){__VA_ARGS__, {0}}
#define LS_SETTINGS(...) (const struct ls_setting[]){__VA_ARGS__, {0}}

/** The plugin: each defines its own. */
extern const struct ls_plugin ls_plugin;

/* What stands in a row: `column` is a place in `reads`. A column that is not nullable always has a value. */

bool ls_is_null(const struct ls_row *row, size_t column);
bool ls_boolean(const struct ls_row *row, size_t column);
int32_t ls_int32(const struct ls_row *row, size_t column);
int64_t ls_int64(const struct ls_row *row, size_t column);
double ls_float64(const struct ls_row *row, size_t column);
int32_t ls_date(const struct ls_row *row, size_t column);
int64_t ls_timestamp(const struct ls_row *row, size_t column);
struct ls_text ls_string(const struct ls_row *row, size_t column);
struct ls_text ls_binary(const struct ls_row *row, size_t column);
/** The entry of a map; `false` where it has no more. The `data` of a value that is not there is `NULL`. */
bool ls_entry(const struct ls_row *row, size_t column, size_t entry, struct ls_text *key, struct ls_text *value);

/* What is written: `column` is a place in `writes`. Texts are copied by `ls_emit`, and must live until then. */

void ls_set_null(struct ls_row *row, size_t column);
void ls_set_boolean(struct ls_row *row, size_t column, bool value);
void ls_set_int32(struct ls_row *row, size_t column, int32_t value);
void ls_set_int64(struct ls_row *row, size_t column, int64_t value);
void ls_set_float64(struct ls_row *row, size_t column, double value);
void ls_set_date(struct ls_row *row, size_t column, int32_t days);
void ls_set_timestamp(struct ls_row *row, size_t column, int64_t micros);
void ls_set_string(struct ls_row *row, size_t column, struct ls_text value);
void ls_set_binary(struct ls_row *row, size_t column, struct ls_text value);
/** Sets an empty map. */
void ls_set_map(struct ls_row *row, size_t column);
/** Adds an entry to the map that was set. A value whose `data` is `NULL` is not there. */
void ls_put(struct ls_row *row, size_t column, struct ls_text key, struct ls_text value);

/** Writes a row; `false` if it cannot be one, which rejects the row of the input. */
bool ls_emit(struct ls_row *row);
/** Makes the row a dead letter, for a reason in the form of `printf`. Answers `false`. */
__attribute__((format(printf, 2, 3))) bool ls_reject(struct ls_row *row, const char *reason, ...);
/** Gives up on the whole batch, as a mistake of the plugin. */
__attribute__((format(printf, 1, 2))) _Noreturn void ls_fail(const char *reason, ...);

enum ls_level { LS_DEBUG, LS_INFO, LS_WARN, LS_ERROR };

/** Writes a message to the agent's log. */
void ls_log(enum ls_level level, struct ls_text message);
/** Adds to a counter of this plugin. */
void ls_count(struct ls_text name, uint64_t by);

bool ls_equal(struct ls_text one, struct ls_text other);
bool ls_starts_with(struct ls_text text, struct ls_text prefix);
/** Takes the part before the next separator off `rest`, or all of it; `false` where nothing is left. */
bool ls_next(struct ls_text *rest, char separator, struct ls_text *part);

/* Each is `false`, and leaves its result alone, where the text as a whole is nothing of the kind. */

/** Digits with or without a `-`. */
bool ls_parse_int64(struct ls_text text, int64_t *number);
/** A decimal number, also with an exponent. */
bool ls_parse_float64(struct ls_text text, double *number);
/** `2026-11-30`. */
bool ls_parse_date(struct ls_text text, int32_t *days);
/** RFC 3339, also with a blank instead of the `T` and with a comma before the fraction. Without an offset it is UTC. */
bool ls_parse_timestamp(struct ls_text text, int64_t *micros);

#endif
