/**
 * What tills say: one line has the articles of one customer, and becomes a row for each article.
 *
 *     2026-11-30T08:05:09Z 7 apple*3@0.25 pear*1@0.5 paid due=2026-12-30 receipt=00ff note=ann
 */

#include <stdlib.h>
#include <string.h>

#include "logsmith/logsmith.h"

enum { LINE };
enum { TIME, SHOP, ARTICLE, PIECES, PRICE, PAID, DUE, RECEIPT, NOTES };

/* Only these articles, where some are named. */
static struct ls_texts articles;

static bool expected(struct ls_row *row, const char *what, struct ls_text found) {
  return ls_reject(row, "expected %s, found \"%.*s\"", what, LS_ARG(found));
}

struct article {
  struct ls_text name;
  int64_t pieces;
  double price;
};

/* Reads a word such as `apple*3@0.25`. */
static bool parse_article(struct ls_text word, struct article *article) {
  struct ls_text name, pieces;
  if (!ls_next(&word, '*', &name) || name.length == 0 || memchr(name.data, '=', name.length) != NULL) return false;
  if (!ls_next(&word, '@', &pieces) || !ls_parse_int64(pieces, &article->pieces) || article->pieces < 0) return false;
  article->name = name;
  return word.data != NULL && ls_parse_float64(word, &article->price) && article->price >= 0;
}

static bool is_wanted(const struct article *article) {
  for (size_t at = 0; at < articles.length; at++)
    if (ls_equal(articles.data[at], article->name)) return true;
  return articles.length == 0;
}

static bool emit(struct ls_row *row, const struct article *article) {
  ls_set_string(row, ARTICLE, article->name);
  ls_set_int64(row, PIECES, article->pieces);
  ls_set_float64(row, PRICE, article->price);
  return ls_emit(row);
}

/* Sets bytes of pairs of hexadecimal digits. */
static bool take_receipt(struct ls_row *row, struct ls_text digits) {
  static const char DIGITS[] = "0123456789abcdef";
  if (digits.length % 2 != 0) return false;
  char *bytes = calloc(digits.length / 2 + 1, 1);
  for (size_t at = 0; at < digits.length; at++) {
    const char *digit = memchr(DIGITS, digits.data[at], 16);
    if (digit == NULL) return false;
    bytes[at / 2] = (char)(bytes[at / 2] << 4 | (digit - DIGITS));
  }
  ls_set_binary(row, RECEIPT, (struct ls_text){bytes, digits.length / 2});
  return true;
}

/* Sets what a word that is no article says of the whole sale. */
static bool take_note(struct ls_row *row, struct ls_text word) {
  static const struct ls_text PAID_WORD = LS_TEXT("paid"), DUE_KEY = LS_TEXT("due"), RECEIPT_KEY = LS_TEXT("receipt");
  struct ls_text value = word, key;
  ls_next(&value, '=', &key);
  if (ls_equal(word, PAID_WORD)) {
    ls_set_boolean(row, PAID, true);
    return true;
  }
  if (value.data == NULL || key.length == 0) return expected(row, "a note such as key=value", word);
  int32_t days;
  if (ls_equal(key, DUE_KEY)) {
    if (!ls_parse_date(value, &days)) return expected(row, "a date", value);
    ls_set_date(row, DUE, days);
  } else if (ls_equal(key, RECEIPT_KEY)) {
    return take_receipt(row, value) || expected(row, "hexadecimal digits", value);
  } else {
    ls_put(row, NOTES, key, value);
  }
  return true;
}

static bool sale(struct ls_row *row) {
  struct ls_text line = ls_string(row, LINE), rest = line, word, time = {0}, shop = {0};
  int64_t micros, number;
  if (ls_starts_with(line, (struct ls_text)LS_TEXT("#"))) return true;
  ls_next(&rest, ' ', &time);
  ls_next(&rest, ' ', &shop);
  if (!ls_parse_timestamp(time, &micros)) return expected(row, "a time", time);
  if (!ls_parse_int64(shop, &number) || number < 0 || number > INT32_MAX)
    return expected(row, "the number of a shop", shop);
  ls_set_timestamp(row, TIME, micros);
  ls_set_int32(row, SHOP, (int32_t)number);
  ls_set_boolean(row, PAID, false);
  ls_set_map(row, NOTES);
  struct article article;
  // Notes first: they hold for the articles before them, too.
  for (struct ls_text words = rest; ls_next(&words, ' ', &word);)
    if (!parse_article(word, &article) && !take_note(row, word)) return false;
  for (struct ls_text words = rest; ls_next(&words, ' ', &word);)
    if (parse_article(word, &article) && is_wanted(&article) && !emit(row, &article)) return false;
  return true;
}

const struct ls_plugin ls_plugin = {
    .name = "sales",
    .version = "0.1.0",
    .reads = LS_COLUMNS([LINE] = {"line", LS_STRING}),
    .writes = LS_COLUMNS([TIME] = {"time", LS_TIMESTAMP}, [SHOP] = {"shop", LS_INT32},
                         [ARTICLE] = {"article", LS_STRING}, [PIECES] = {"pieces", LS_INT64},
                         [PRICE] = {"price", LS_FLOAT64}, [PAID] = {"paid", LS_BOOLEAN},
                         [DUE] = {"due", LS_DATE, LS_NULLABLE}, [RECEIPT] = {"receipt", LS_BINARY, LS_NULLABLE},
                         [NOTES] = {"notes", LS_MAP}),
    .settings = LS_SETTINGS({"articles", .texts = &articles}),
    .row = sale,
};
