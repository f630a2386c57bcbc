/* What the files of the helper share: the canonical ABI's layout of the WIT's types, memory, and columns. */
#ifndef LOGSMITH_INTERNAL_H
#define LOGSMITH_INTERNAL_H

#include <stdarg.h>

#include "logsmith.h"

struct list {
  const void *data;
  size_t length;
};

/* An option of a list. */
struct maybe_list {
  uint8_t is_some;
  struct list list;
};

struct field {
  struct list name;
  uint8_t kind;
  uint8_t is_nullable;
};

struct strings {
  struct list offsets;
  struct list data;
};

struct entries {
  struct list offsets;
  struct strings keys;
  struct strings values;
  struct maybe_list validity;
};

struct column {
  uint8_t kind;
  union {
    struct list list;
    struct strings strings;
    struct entries entries;
  };
  struct maybe_list validity;
};

/* Bytes that grow. */
struct buffer {
  uint8_t *data;
  size_t length;
  size_t capacity;
};

void append(struct buffer *buffer, const void *data, size_t bytes);

/* Memory until the end of the call, or of the instance if it is opened in this call. */
void *allocate(size_t bytes);

/* A text in the form of `printf`, in such memory. */
__attribute__((format(printf, 1, 2))) struct ls_text told(const char *form, ...);
struct ls_text told_with(const char *form, va_list arguments);

/* How many bytes of UTF-8 the first character takes; 0 if it is none. */
size_t character(const uint8_t *data, size_t length);

/* Values of variable length: value i is `data[offsets[i]..offsets[i + 1]]`. */
struct texts {
  struct buffer offsets;
  struct buffer data;
};

/* A column under construction, with a byte for each flag. Maps have theirs in `keys` and `texts`. */
struct builder {
  struct buffer present;
  struct buffer numbers;
  struct texts texts;
  struct texts keys;
  struct buffer entry_present;
  struct buffer entry_offsets;
};

/* The value of a column that the next row gets. */
struct cell {
  bool is_present;
  union {
    uint8_t boolean;
    int32_t int32;
    int64_t int64;
    double float64;
    struct ls_text text;
  };
  struct buffer entries;
};

/* An entry of a map. */
struct entry {
  struct ls_text key;
  struct ls_text value;
};

struct ls_row {
  /* How many columns are read and written. */
  size_t reads;
  size_t writes;
  /* The columns that were read, and the place in them. */
  const struct column *columns;
  size_t place;
  struct cell *cells;
  struct builder *builders;
  size_t emitted;
  bool is_rejected;
  struct ls_text reason;
};

extern const char *const KIND_NAMES[];

/* Takes back all rows of a column behind the first `rows`; prepares it for the first. */
void truncate_column(struct builder *builder, enum ls_kind kind, size_t rows);

/* The column as it crosses the boundary. */
struct column finish_column(const struct builder *builder, enum ls_kind kind, size_t rows);

/* Sets what the configuration says; the text of what is wrong with it has a length. */
struct ls_text configure(struct ls_text config);

#endif
