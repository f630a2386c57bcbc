/**
 * Lines that begin with a time, a level and the name of a part of the program:
 *
 *     2026-11-30T08:05:09.25Z INFO checkout: order 17 took 35 ms
 */

#include "logsmith/logsmith.h"

enum { LINE };
enum { TIME, LEVEL, PART, MESSAGE };

/* Reads one line. Nothing emitted drops it on purpose, `ls_reject` makes it a dead letter with that reason. */
static bool row(struct ls_row *row) {
  struct ls_text line = ls_string(row, LINE), text = line, first, level, part;
  int64_t micros;
  if (ls_starts_with(line, (struct ls_text)LS_TEXT("#"))) return true;
  if (!ls_next(&text, ' ', &first) || !ls_parse_timestamp(first, &micros))
    return ls_reject(row, "the line does not begin with a time");
  if (!ls_next(&text, ' ', &level)) return ls_reject(row, "there is no level behind the time");
  ls_set_timestamp(row, TIME, micros);
  ls_set_string(row, LEVEL, level);
  struct ls_text message = text;
  if (ls_next(&message, ' ', &part) && message.data != NULL && part.length > 0 && part.data[part.length - 1] == ':') {
    ls_set_string(row, PART, (struct ls_text){part.data, part.length - 1});
    text = message;
  }
  ls_set_string(row, MESSAGE, text);
  return ls_emit(row);
}

const struct ls_plugin ls_plugin = {
    .name = "PLUGIN_NAME",
    .version = "0.1.0",
    .reads = LS_COLUMNS([LINE] = {"line", LS_STRING}),
    /* Each is a column of the Silver table. */
    .writes = LS_COLUMNS([TIME] = {"time", LS_TIMESTAMP}, [LEVEL] = {"level", LS_STRING},
                         [PART] = {"part", LS_STRING, LS_NULLABLE}, [MESSAGE] = {"message", LS_STRING}),
    .row = row,
};
