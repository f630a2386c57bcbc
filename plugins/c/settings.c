/* The configuration: a JSON text that the host wrote, so that only its meaning is looked at. */

#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void skip_blanks(struct ls_text *rest) {
  while (rest->length > 0 && memchr(" \t\r\n", rest->data[0], 4) != NULL)
    *rest = (struct ls_text){rest->data + 1, rest->length - 1};
}

/* Takes this byte off, and the blanks around it. */
static bool take(struct ls_text *rest, char byte) {
  skip_blanks(rest);
  if (rest->length == 0 || rest->data[0] != byte) return false;
  *rest = (struct ls_text){rest->data + 1, rest->length - 1};
  skip_blanks(rest);
  return true;
}

/* Takes a value off, as it stands there. */
static struct ls_text take_value(struct ls_text *rest) {
  skip_blanks(rest);
  size_t depth = 0, at = 0;
  bool is_text = false;
  for (; at < rest->length; at++) {
    char byte = rest->data[at];
    if (is_text) {
      if (byte == '\\') at++;
      if (byte == '"') is_text = false;
    } else if (byte == '"') {
      is_text = true;
    } else if (byte == '[' || byte == '{') {
      depth++;
    } else if (byte == ']' || byte == '}' || byte == ',' || byte == ':') {
      if (depth == 0) break;
      if (byte == ']' || byte == '}') depth--;
    }
  }
  if (at > rest->length) at = rest->length;
  struct ls_text value = {rest->data, at};
  while (value.length > 0 && memchr(" \t\r\n", value.data[value.length - 1], 4) != NULL) value.length--;
  *rest = (struct ls_text){rest->data + at, rest->length - at};
  return value;
}

static const char *type_of(struct ls_text value) {
  switch (value.length > 0 ? value.data[0] : 'n') {
    case '"': return "string";
    case '[': return "array";
    case '{': return "object";
    case 't': case 'f': return "boolean";
    case 'n': return "null";
    default: return "number";
  }
}

static uint32_t hexadecimal(const char *digits) {
  char four[5] = {digits[0], digits[1], digits[2], digits[3], '\0'};
  return (uint32_t)strtoul(four, NULL, 16);
}

static size_t put_character(char *out, uint32_t character) {
  if (character < 0x80) return out[0] = (char)character, 1;
  size_t more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
  static const uint32_t FIRST[] = {0, 0xc0, 0xe0, 0xf0};
  out[0] = (char)(FIRST[more] | character >> 6 * more);
  for (size_t at = 1; at <= more; at++) out[at] = (char)(0x80 | (character >> 6 * (more - at) & 0x3f));
  return more + 1;
}

/* What a string means. */
static struct ls_text unescaped(struct ls_text value) {
  const char *end = value.data + value.length - 1;
  char *text = allocate(value.length), *out = text;
  for (const char *in = value.data + 1; in < end;) {
    if (*in != '\\') {
      *out++ = *in++;
    } else if (in[1] == 'u') {
      uint32_t character = hexadecimal(in + 2);
      in += 6;
      if (character >= 0xd800 && character < 0xdc00 && in < end) {
        character = 0x10000 + ((character - 0xd800) << 10) + (hexadecimal(in + 2) - 0xdc00);
        in += 6;
      }
      out += put_character(out, character);
    } else {
      static const char NAMES[] = "bfnrt", MEANT[] = "\b\f\n\r\t";
      const char *name = strchr(NAMES, in[1]);
      *out++ = name == NULL ? in[1] : MEANT[name - NAMES];
      in += 2;
    }
  }
  return (struct ls_text){text, (size_t)(out - text)};
}

/* Whether each item of the array is a string; if so, these. */
static bool texts_of(struct ls_text value, struct ls_texts *texts) {
  struct buffer items = {0};
  struct ls_text rest = value;
  take(&rest, '[');
  if (!take(&rest, ']')) {
    do {
      struct ls_text item = take_value(&rest);
      if (strcmp(type_of(item), "string") != 0) return false;
      item = unescaped(item);
      append(&items, &item, sizeof item);
    } while (take(&rest, ','));
  }
  *texts = (struct ls_texts){(const struct ls_text *)items.data, items.length / sizeof(struct ls_text)};
  return true;
}

static const char *expected_type(const struct ls_setting *setting) {
  if (setting->boolean != NULL) return "boolean";
  if (setting->number != NULL) return "number";
  return setting->text != NULL ? "string" : "array";
}

/* Answers what is wrong with the value; a text without a length if it could be set. */
static struct ls_text set(const struct ls_setting *setting, struct ls_text value) {
  const char *expected = expected_type(setting);
  if (strcmp(type_of(value), expected) != 0)
    return told("`%s`: expected %s, found %.*s", setting->name, expected, LS_ARG(value));
  if (setting->boolean != NULL) *setting->boolean = value.data[0] == 't';
  if (setting->number != NULL) ls_parse_float64(value, setting->number);
  if (setting->text != NULL) *setting->text = unescaped(value);
  if (setting->texts != NULL && !texts_of(value, setting->texts))
    return told("`%s`: expected an array of strings, found %.*s", setting->name, LS_ARG(value));
  return (struct ls_text){NULL, 0};
}

static struct ls_text known(void) {
  struct buffer names = {0};
  for (const struct ls_setting *setting = ls_plugin.settings; setting != NULL && setting->name != NULL; setting++) {
    append(&names, ", ", names.length == 0 ? 0 : 2);
    append(&names, setting->name, strlen(setting->name));
  }
  if (names.length == 0) return (struct ls_text)LS_TEXT("none");
  return (struct ls_text){(const char *)names.data, names.length};
}

static struct ls_text set_named(struct ls_text name, struct ls_text value) {
  for (const struct ls_setting *setting = ls_plugin.settings; setting != NULL && setting->name != NULL; setting++)
    if (ls_equal(name, (struct ls_text){setting->name, strlen(setting->name)})) return set(setting, value);
  struct ls_text names = known();
  return told("unknown key `%.*s`, expected one of: %.*s", LS_ARG(name), LS_ARG(names));
}

struct ls_text configure(struct ls_text config) {
  struct ls_text rest = config, wrong = {NULL, 0};
  skip_blanks(&rest);
  if (strcmp(type_of(rest), "null") == 0) return wrong;
  if (!take(&rest, '{')) return told("expected an object, found %.*s", LS_ARG(config));
  if (take(&rest, '}')) return wrong;
  do {
    struct ls_text name = unescaped(take_value(&rest));
    take(&rest, ':');
    wrong = set_named(name, take_value(&rest));
  } while (wrong.length == 0 && take(&rest, ','));
  return wrong;
}
