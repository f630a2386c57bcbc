/* Columns: read where they lie, built value by value. */

#include <string.h>

#include "internal.h"

const char *const KIND_NAMES[] = {"boolean", "int32", "int64", "float64", "date32",
                                  "timestamp-us", "utf8", "binary", "string-map"};

static bool bit(const struct list *bits, size_t index) {
  return ((const uint8_t *)bits->data)[index / 8] >> (index % 8) & 1;
}

static const struct column *column_of(const struct ls_row *row, size_t column, enum ls_kind kind) {
  if (column >= row->reads || ls_plugin.reads[column].kind != kind)
    ls_fail("the plugin reads no column %zu that is %s", column, KIND_NAMES[kind]);
  return &row->columns[column];
}

bool ls_is_null(const struct ls_row *row, size_t column) {
  if (column >= row->reads) ls_fail("the plugin reads no column %zu", column);
  const struct maybe_list *validity = &row->columns[column].validity;
  return validity->is_some && !bit(&validity->list, row->place);
}

bool ls_boolean(const struct ls_row *row, size_t column) {
  return bit(&column_of(row, column, LS_BOOLEAN)->list, row->place);
}

int32_t ls_int32(const struct ls_row *row, size_t column) {
  return ((const int32_t *)column_of(row, column, LS_INT32)->list.data)[row->place];
}

int64_t ls_int64(const struct ls_row *row, size_t column) {
  return ((const int64_t *)column_of(row, column, LS_INT64)->list.data)[row->place];
}

double ls_float64(const struct ls_row *row, size_t column) {
  return ((const double *)column_of(row, column, LS_FLOAT64)->list.data)[row->place];
}

int32_t ls_date(const struct ls_row *row, size_t column) {
  return ((const int32_t *)column_of(row, column, LS_DATE)->list.data)[row->place];
}

int64_t ls_timestamp(const struct ls_row *row, size_t column) {
  return ((const int64_t *)column_of(row, column, LS_TIMESTAMP)->list.data)[row->place];
}

static struct ls_text text_of(const struct strings *strings, size_t index) {
  const int32_t *offsets = strings->offsets.data;
  const char *data = strings->data.data;
  return (struct ls_text){data + offsets[index], (size_t)(offsets[index + 1] - offsets[index])};
}

struct ls_text ls_string(const struct ls_row *row, size_t column) {
  return text_of(&column_of(row, column, LS_STRING)->strings, row->place);
}

struct ls_text ls_binary(const struct ls_row *row, size_t column) {
  return text_of(&column_of(row, column, LS_BINARY)->strings, row->place);
}

bool ls_entry(const struct ls_row *row, size_t column, size_t entry, struct ls_text *key, struct ls_text *value) {
  const struct entries *entries = &column_of(row, column, LS_MAP)->entries;
  const int32_t *offsets = entries->offsets.data;
  size_t at = (size_t)offsets[row->place] + entry;
  if (at >= (size_t)offsets[row->place + 1]) return false;
  bool is_there = !entries->validity.is_some || bit(&entries->validity.list, at);
  *key = text_of(&entries->keys, at);
  *value = is_there ? text_of(&entries->values, at) : (struct ls_text){NULL, 0};
  return true;
}

/* The cell of a column, which has a value from now on. */
static struct cell *cell_of(struct ls_row *row, size_t column, enum ls_kind kind) {
  if (column >= row->writes || ls_plugin.writes[column].kind != kind)
    ls_fail("the plugin writes no column %zu that is %s", column, KIND_NAMES[kind]);
  row->cells[column].is_present = true;
  return &row->cells[column];
}

void ls_set_null(struct ls_row *row, size_t column) {
  if (column >= row->writes) ls_fail("the plugin writes no column %zu", column);
  row->cells[column].is_present = false;
}

void ls_set_boolean(struct ls_row *row, size_t column, bool value) {
  cell_of(row, column, LS_BOOLEAN)->boolean = value;
}

void ls_set_int32(struct ls_row *row, size_t column, int32_t value) {
  cell_of(row, column, LS_INT32)->int32 = value;
}

void ls_set_int64(struct ls_row *row, size_t column, int64_t value) {
  cell_of(row, column, LS_INT64)->int64 = value;
}

void ls_set_float64(struct ls_row *row, size_t column, double value) {
  cell_of(row, column, LS_FLOAT64)->float64 = value;
}

void ls_set_date(struct ls_row *row, size_t column, int32_t days) { cell_of(row, column, LS_DATE)->int32 = days; }

void ls_set_timestamp(struct ls_row *row, size_t column, int64_t micros) {
  cell_of(row, column, LS_TIMESTAMP)->int64 = micros;
}

void ls_set_string(struct ls_row *row, size_t column, struct ls_text value) {
  cell_of(row, column, LS_STRING)->text = value;
}

void ls_set_binary(struct ls_row *row, size_t column, struct ls_text value) {
  cell_of(row, column, LS_BINARY)->text = value;
}

void ls_set_map(struct ls_row *row, size_t column) { cell_of(row, column, LS_MAP)->entries.length = 0; }

void ls_put(struct ls_row *row, size_t column, struct ls_text key, struct ls_text value) {
  bool is_first = column < row->writes && !row->cells[column].is_present;
  struct cell *cell = cell_of(row, column, LS_MAP);
  if (is_first) cell->entries.length = 0;
  struct entry entry = {key, value};
  append(&cell->entries, &entry, sizeof entry);
}

bool ls_reject(struct ls_row *row, const char *reason, ...) {
  va_list arguments;
  va_start(arguments, reason);
  row->reason = told_with(reason, arguments);
  va_end(arguments);
  row->is_rejected = true;
  return false;
}

size_t character(const uint8_t *data, size_t length) {
  uint8_t first = data[0];
  if (first < 0x80) return 1;
  size_t bytes = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (bytes == 0 || bytes > length) return 0;
  for (size_t at = 1; at < bytes; at++)
    if ((data[at] & 0xc0) != 0x80) return 0;
  // Neither longer than it has to be, nor half of a pair, nor beyond the last character.
  bool is_none = (first == 0xe0 && data[1] < 0xa0) || (first == 0xed && data[1] > 0x9f) ||
                 (first == 0xf0 && data[1] < 0x90) || (first == 0xf4 && data[1] > 0x8f);
  return is_none ? 0 : bytes;
}

static bool is_utf8(struct ls_text text) {
  for (size_t at = 0; at < text.length;) {
    size_t bytes = character((const uint8_t *)text.data + at, text.length - at);
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}

/* Whether the column can hold what stands in the cell; if not, the row is rejected. */
static bool check(struct ls_row *row, const struct ls_column *column, const struct cell *cell) {
  const char *name = column->name;
  if (!cell->is_present) return column->nullable || ls_reject(row, "column `%s` has no value", name);
  switch (column->kind) {
    case LS_DATE:
      return (cell->int32 >= -719162 && cell->int32 <= 2932896) ||
             ls_reject(row, "column `%s`: %d is no date", name, (int)cell->int32);
    case LS_TIMESTAMP:
      return (cell->int64 >= -62135596800000000 && cell->int64 <= 253402300799999999) ||
             ls_reject(row, "column `%s`: %lld is no timestamp", name, (long long)cell->int64);
    case LS_STRING:
      return is_utf8(cell->text) || ls_reject(row, "column `%s`: the value is no UTF-8", name);
    case LS_MAP: {
      const struct entry *entries = (const struct entry *)cell->entries.data;
      for (size_t at = 0; at < cell->entries.length / sizeof *entries; at++)
        if (!is_utf8(entries[at].key) || !is_utf8(entries[at].value))
          return ls_reject(row, "column `%s`: an entry is no UTF-8", name);
      return true;
    }
    default: return true;
  }
}

/* What a value takes in a column of fixed width. */
static size_t width_of(enum ls_kind kind) {
  switch (kind) {
    case LS_BOOLEAN: return 1;
    case LS_INT32: case LS_DATE: return 4;
    case LS_INT64: case LS_TIMESTAMP: case LS_FLOAT64: return 8;
    default: return 0;
  }
}

static void append_offset(struct buffer *offsets, size_t offset) {
  int32_t number = (int32_t)offset;
  append(offsets, &number, sizeof number);
}

static void append_text(struct texts *texts, struct ls_text text) {
  append(&texts->data, text.data, text.length);
  append_offset(&texts->offsets, texts->data.length);
}

static void append_flag(struct buffer *flags, bool flag) { append(flags, &(uint8_t){flag}, 1); }

static void push(struct builder *builder, enum ls_kind kind, const struct cell *cell) {
  static const struct ls_text EMPTY = {NULL, 0};
  append_flag(&builder->present, cell->is_present);
  if (kind == LS_STRING || kind == LS_BINARY) {
    append_text(&builder->texts, cell->is_present ? cell->text : EMPTY);
  } else if (kind == LS_MAP) {
    const struct entry *entries = (const struct entry *)cell->entries.data;
    size_t count = cell->is_present ? cell->entries.length / sizeof *entries : 0;
    for (size_t at = 0; at < count; at++) {
      append_text(&builder->keys, entries[at].key);
      append_text(&builder->texts, entries[at].value);
      append_flag(&builder->entry_present, entries[at].value.data != NULL);
    }
    append_offset(&builder->entry_offsets, builder->entry_present.length);
  } else {
    append(&builder->numbers, &cell->int64, width_of(kind));
  }
}

bool ls_emit(struct ls_row *row) {
  if (row->is_rejected) return false;
  // All values are looked at before one is written: a reject leaves no half of a row behind.
  for (size_t column = 0; column < row->writes; column++)
    if (!check(row, &ls_plugin.writes[column], &row->cells[column])) return false;
  for (size_t column = 0; column < row->writes; column++)
    push(&row->builders[column], ls_plugin.writes[column].kind, &row->cells[column]);
  row->emitted++;
  return true;
}

/* Keeps `count` offsets behind the first, which is 0, and answers the last of these. */
static size_t truncate_offsets(struct buffer *offsets, size_t count) {
  if (offsets->length == 0) append_offset(offsets, 0);
  offsets->length = (count + 1) * sizeof(int32_t);
  return (size_t)((const int32_t *)offsets->data)[count];
}

static void truncate_texts(struct texts *texts, size_t count) {
  texts->data.length = truncate_offsets(&texts->offsets, count);
}

void truncate_column(struct builder *builder, enum ls_kind kind, size_t rows) {
  builder->present.length = rows;
  builder->numbers.length = rows * width_of(kind);
  if (kind == LS_STRING || kind == LS_BINARY) truncate_texts(&builder->texts, rows);
  if (kind != LS_MAP) return;
  size_t entries = truncate_offsets(&builder->entry_offsets, rows);
  builder->entry_present.length = entries;
  truncate_texts(&builder->keys, entries);
  truncate_texts(&builder->texts, entries);
}

/* A bit for each flag. */
static struct list pack(const struct buffer *flags) {
  size_t bytes = (flags->length + 7) / 8;
  uint8_t *bits = allocate(bytes);
  memset(bits, 0, bytes);
  for (size_t at = 0; at < flags->length; at++) bits[at / 8] |= (uint8_t)(flags->data[at] << at % 8);
  return (struct list){bits, bytes};
}

/* Nothing where every flag is set. */
static struct maybe_list validity(const struct buffer *flags) {
  bool is_full = flags->length == 0 || memchr(flags->data, 0, flags->length) == NULL;
  return is_full ? (struct maybe_list){0} : (struct maybe_list){1, pack(flags)};
}

static struct strings finish_texts(const struct texts *texts) {
  return (struct strings){{texts->offsets.data, texts->offsets.length / sizeof(int32_t)},
                          {texts->data.data, texts->data.length}};
}

struct column finish_column(const struct builder *builder, enum ls_kind kind, size_t rows) {
  struct column column = {.kind = kind, .validity = validity(&builder->present)};
  if (kind == LS_BOOLEAN) {
    column.list = pack(&builder->numbers);
  } else if (kind == LS_STRING || kind == LS_BINARY) {
    column.strings = finish_texts(&builder->texts);
  } else if (kind == LS_MAP) {
    const struct buffer *offsets = &builder->entry_offsets;
    column.entries = (struct entries){{offsets->data, offsets->length / sizeof(int32_t)}, finish_texts(&builder->keys),
                                      finish_texts(&builder->texts), validity(&builder->entry_present)};
  } else {
    column.list = (struct list){builder->numbers.data, rows};
  }
  return column;
}
