/* Writes what it reads, of each kind that a fixture can give, and commits the mistakes that the text names. */

#include "logsmith/logsmith.h"

enum { TEXT, WHOLE, REAL, FLAG, TIME, NAMES, DAY };

static bool is_text(struct ls_row *row, const char *text, size_t length) {
  return ls_equal(ls_string(row, TEXT), (struct ls_text){text, length});
}

#define IS(literal) is_text(row, literal, sizeof(literal) - 1)

static bool echo(struct ls_row *row) {
  struct ls_text key, value, text = ls_string(row, TEXT);
  ls_set_string(row, TEXT, text);
  if (!ls_is_null(row, WHOLE)) ls_set_int64(row, WHOLE, ls_int64(row, WHOLE));
  if (!ls_is_null(row, REAL)) ls_set_float64(row, REAL, ls_float64(row, REAL));
  if (!ls_is_null(row, FLAG)) ls_set_boolean(row, FLAG, ls_boolean(row, FLAG));
  if (!ls_is_null(row, TIME)) ls_set_timestamp(row, TIME, ls_timestamp(row, TIME));
  if (!ls_is_null(row, NAMES)) ls_set_map(row, NAMES);
  for (size_t entry = 0; ls_entry(row, NAMES, entry, &key, &value); entry++) ls_put(row, NAMES, key, value);
  if (IS("drop")) return true;
  if (IS("fail")) ls_fail("told to %s", "fail");
  if (IS("wrong kind")) ls_set_int32(row, WHOLE, 1);
  if (IS("silent")) return false;
  if (IS("half")) return ls_emit(row) && ls_reject(row, "after %d", 1);
  if (IS("odd")) return ls_reject(row, "\xff%1021sé", "");
  if (IS("twice") && !ls_emit(row)) return false;
  if (IS("nothing")) ls_set_null(row, TEXT);
  if (IS("é")) ls_set_string(row, TEXT, (struct ls_text){text.data, 1});
  if (IS("late")) ls_set_date(row, DAY, 2932897);
  if (IS("early")) ls_set_timestamp(row, TIME, -62135596800000001);
  return ls_emit(row);
}

const struct ls_plugin ls_plugin = {
    .name = "echo",
    .version = "0.1.0",
    .reads = LS_COLUMNS([TEXT] = {"text", LS_STRING}, [WHOLE] = {"whole", LS_INT64, LS_NULLABLE},
                        [REAL] = {"real", LS_FLOAT64, LS_NULLABLE}, [FLAG] = {"flag", LS_BOOLEAN, LS_NULLABLE},
                        [TIME] = {"time", LS_TIMESTAMP, LS_NULLABLE}, [NAMES] = {"names", LS_MAP, LS_NULLABLE}),
    .writes = LS_COLUMNS([TEXT] = {"text", LS_STRING}, [WHOLE] = {"whole", LS_INT64, LS_NULLABLE},
                         [REAL] = {"real", LS_FLOAT64, LS_NULLABLE}, [FLAG] = {"flag", LS_BOOLEAN, LS_NULLABLE},
                         [TIME] = {"time", LS_TIMESTAMP, LS_NULLABLE}, [NAMES] = {"names", LS_MAP, LS_NULLABLE},
                         [DAY] = {"day", LS_DATE, LS_NULLABLE}),
    .discard = true,
    .row = echo,
};
