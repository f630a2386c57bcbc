/* What the component imports and exports. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define INTERFACE "logsmith:transform/transform@0.1.0"
#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("logsmith:transform/host@0.1.0"), import_name(name)))

/* The longest text that is made; longer ones are cut. */
enum { TOLD_BYTES_MAX = 1024 };

enum { FAULT_CONFIG, FAULT_INPUT };

struct plan {
  struct list name;
  struct list version;
  struct list reads;
  struct list writes;
  uint8_t is_rest_discarded;
};

struct fault {
  uint8_t kind;
  struct list text;
};

struct opened {
  uint8_t is_fault;
  union {
    struct plan plan;
    struct fault fault;
  };
};

struct reject {
  uint32_t row;
  struct list reason;
};

struct applied {
  uint8_t is_fault;
  struct list columns;
  struct list source_rows;
  struct list dropped;
  struct list rejects;
};

IMPORT("log") void host_log(uint32_t level, const char *message, size_t length);
IMPORT("count") void host_count(const char *name, size_t length, uint64_t by);

void ls_log(enum ls_level level, struct ls_text message) { host_log(level, message.data, message.length); }

void ls_count(struct ls_text name, uint64_t by) { host_count(name.data, name.length, by); }

/* Writes a text in the form of `printf`, of which the host can read each character, and answers its length. */
static size_t print(char text[TOLD_BYTES_MAX], const char *form, va_list arguments) {
  int whole = vsnprintf(text, TOLD_BYTES_MAX, form, arguments);
  size_t length = whole < TOLD_BYTES_MAX ? (size_t)whole : TOLD_BYTES_MAX - 1;
  for (size_t at = 0; at < length;) {
    size_t bytes = character((const uint8_t *)text + at, length - at);
    if (bytes == 0) text[at] = '?';
    at += bytes == 0 ? 1 : bytes;
  }
  return length;
}

_Noreturn void ls_fail(const char *reason, ...) {
  char text[TOLD_BYTES_MAX];
  va_list arguments;
  va_start(arguments, reason);
  size_t length = print(text, reason, arguments);
  va_end(arguments);
  host_log(LS_ERROR, text, length);
  __builtin_trap();
}

/* The head of each piece of memory, which keeps what follows aligned. */
struct block {
  struct block *next;
  uint32_t unused[3];
};

static struct block *blocks;

void *allocate(size_t bytes) {
  struct block *block = malloc(sizeof *block + bytes);
  if (block == NULL) ls_fail("there is no memory for another %zu bytes", bytes);
  block->next = blocks;
  blocks = block;
  return block + 1;
}

static void release(void) {
  while (blocks != NULL) {
    struct block *next = blocks->next;
    free(blocks);
    blocks = next;
  }
}

void append(struct buffer *buffer, const void *data, size_t bytes) {
  if (buffer->capacity - buffer->length < bytes) {
    buffer->capacity = 2 * buffer->capacity + bytes + 64;
    buffer->data = realloc(buffer->data, buffer->capacity);
    if (buffer->data == NULL) ls_fail("there is no memory for another %zu bytes", buffer->capacity);
  }
  if (bytes > 0) memcpy(buffer->data + buffer->length, data, bytes);
  buffer->length += bytes;
}

struct ls_text told_with(const char *form, va_list arguments) {
  char text[TOLD_BYTES_MAX];
  size_t length = print(text, form, arguments);
  return (struct ls_text){memcpy(allocate(length), text, length), length};
}

struct ls_text told(const char *form, ...) {
  va_list arguments;
  va_start(arguments, form);
  struct ls_text text = told_with(form, arguments);
  va_end(arguments);
  return text;
}

/* The host puts here what it passes. */
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_bytes, size_t align, size_t bytes) {
  (void)align;
  void *memory = allocate(bytes);
  if (old_bytes > 0) memcpy(memory, old, old_bytes < bytes ? old_bytes : bytes);
  return memory;
}

static struct list list_of(struct ls_text text) { return (struct list){text.data, text.length}; }

static struct list name_of(const char *name) { return (struct list){name, strlen(name)}; }

static struct ls_text listed(const struct field *fields, size_t count) {
  struct buffer names = {0};
  for (size_t at = 0; at < count; at++) {
    append(&names, ", ", at == 0 ? 0 : 2);
    append(&names, fields[at].name.data, fields[at].name.length);
  }
  return (struct ls_text){(const char *)names.data, names.length};
}

/* What is wrong with the input: a text without a length if it has the column. */
static struct ls_text lacks(const struct field *fields, size_t count, const struct ls_column *column) {
  struct list name = name_of(column->name);
  for (size_t at = 0; at < count; at++) {
    const struct field *field = &fields[at];
    if (field->name.length != name.length || memcmp(field->name.data, name.data, name.length) != 0) continue;
    if (field->kind == column->kind) return (struct ls_text){NULL, 0};
    return told("column `%s` is %s, but is read as %s", column->name, KIND_NAMES[field->kind], KIND_NAMES[column->kind]);
  }
  struct ls_text names = listed(fields, count);
  return told("there is no column `%s`, only: %.*s", column->name, LS_ARG(names));
}

static size_t count_columns(const struct ls_column *columns) {
  size_t count = 0;
  while (columns != NULL && columns[count].name != NULL) count++;
  return count;
}

static struct list names_of(const struct ls_column *columns, size_t count) {
  struct list *names = allocate(count * sizeof *names);
  for (size_t at = 0; at < count; at++) names[at] = name_of(columns[at].name);
  return (struct list){names, count};
}

static struct list fields_of(const struct ls_column *columns, size_t count) {
  struct field *fields = allocate(count * sizeof *fields);
  for (size_t at = 0; at < count; at++)
    fields[at] = (struct field){name_of(columns[at].name), columns[at].kind, columns[at].nullable == LS_NULLABLE};
  return (struct list){fields, count};
}

static struct ls_row row;

static struct opened *fault(uint8_t kind, struct ls_text text) {
  static struct opened opened;
  opened = (struct opened){.is_fault = 1, .fault = {kind, list_of(text)}};
  return &opened;
}

EXPORT(INTERFACE "#open")
struct opened *plugin_open(const char *config, size_t config_length, const struct field *input, size_t input_length) {
  row.reads = count_columns(ls_plugin.reads);
  row.writes = count_columns(ls_plugin.writes);
  row.cells = calloc(row.writes + 1, sizeof *row.cells);
  row.builders = calloc(row.writes + 1, sizeof *row.builders);
  if (row.cells == NULL || row.builders == NULL) ls_fail("there is no memory for %zu columns", row.writes);
  struct ls_text wrong = configure((struct ls_text){config, config_length});
  if (wrong.length > 0) return fault(FAULT_CONFIG, wrong);
  for (size_t column = 0; column < row.reads; column++) {
    wrong = lacks(input, input_length, &ls_plugin.reads[column]);
    if (wrong.length > 0) return fault(FAULT_INPUT, wrong);
  }
  static struct opened opened;
  opened.plan = (struct plan){
      .name = name_of(ls_plugin.name),
      .version = name_of(ls_plugin.version),
      .reads = names_of(ls_plugin.reads, row.reads),
      .writes = fields_of(ls_plugin.writes, row.writes),
      .is_rest_discarded = ls_plugin.discard,
  };
  // What the configuration set stays as long as the instance.
  blocks = NULL;
  return &opened;
}

static struct buffer source_rows, dropped, rejects;

/* Keeps the first `rows` rows that were emitted. */
static void truncate_rows(size_t rows) {
  for (size_t column = 0; column < row.writes; column++)
    truncate_column(&row.builders[column], ls_plugin.writes[column].kind, rows);
  row.emitted = rows;
}

/* Whether each column that is read has a value where it must; if not, the row is rejected. */
static bool is_complete(void) {
  for (size_t column = 0; column < row.reads; column++) {
    const struct ls_column *read = &ls_plugin.reads[column];
    if (!read->nullable && ls_is_null(&row, column)) return ls_reject(&row, "column `%s` has no value", read->name);
  }
  return true;
}

/* Has the plugin answer for the row at `place`. */
static void judge(uint32_t place) {
  size_t before = row.emitted;
  row.place = place;
  row.is_rejected = false;
  for (size_t column = 0; column < row.writes; column++) row.cells[column].is_present = false;
  bool is_good = is_complete() && ls_plugin.row(&row);
  if (!is_good && !row.is_rejected) ls_reject(&row, "the plugin tells no reason");
  if (row.is_rejected) {
    truncate_rows(before);
    struct reject reject = {place, list_of(row.reason)};
    append(&rejects, &reject, sizeof reject);
  } else if (row.emitted == before) {
    append(&dropped, &place, sizeof place);
  }
  for (; before < row.emitted; before++) append(&source_rows, &place, sizeof place);
}

EXPORT(INTERFACE "#apply")
struct applied *plugin_apply(uint32_t rows, const struct column *columns, size_t columns_length) {
  (void)columns_length;
  row.columns = columns;
  source_rows.length = dropped.length = rejects.length = 0;
  truncate_rows(0);
  for (uint32_t place = 0; place < rows; place++) judge(place);
  struct column *written = allocate(row.writes * sizeof *written);
  for (size_t column = 0; column < row.writes; column++)
    written[column] = finish_column(&row.builders[column], ls_plugin.writes[column].kind, row.emitted);
  static struct applied applied;
  applied = (struct applied){
      .columns = {written, row.writes},
      .source_rows = {source_rows.data, source_rows.length / sizeof(uint32_t)},
      .dropped = {dropped.data, dropped.length / sizeof(uint32_t)},
      .rejects = {rejects.data, rejects.length / sizeof(struct reject)},
  };
  return &applied;
}

EXPORT("cabi_post_" INTERFACE "#apply") void plugin_applied(struct applied *result) {
  (void)result;
  release();
}
