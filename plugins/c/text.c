/* Texts, and what they say. */

#include <stdlib.h>
#include <string.h>

#include "logsmith.h"

bool ls_equal(struct ls_text one, struct ls_text other) {
  return one.length == other.length && memcmp(one.data, other.data, one.length) == 0;
}

bool ls_starts_with(struct ls_text text, struct ls_text prefix) {
  return text.length >= prefix.length && memcmp(text.data, prefix.data, prefix.length) == 0;
}

bool ls_next(struct ls_text *rest, char separator, struct ls_text *part) {
  if (rest->data == NULL) return false;
  const char *end = memchr(rest->data, separator, rest->length);
  *part = *rest;
  if (end == NULL) {
    *rest = (struct ls_text){NULL, 0};
  } else {
    part->length = (size_t)(end - rest->data);
    *rest = (struct ls_text){end + 1, rest->length - part->length - 1};
  }
  return true;
}

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool ls_parse_int64(struct ls_text text, int64_t *number) {
  bool is_negative = text.length > 0 && text.data[0] == '-';
  size_t at = is_negative;
  if (at == text.length) return false;
  int64_t sum = 0;
  for (; at < text.length; at++) {
    if (!is_digit(text.data[at])) return false;
    int digit = text.data[at] - '0';
    // Down from zero, where there is room for one more.
    if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_sub_overflow(sum, digit, &sum)) return false;
  }
  if (!is_negative && sum == INT64_MIN) return false;
  *number = is_negative ? sum : -sum;
  return true;
}

/* A number such as `-12.125`, if whole numbers and one division say it exactly. */
static bool parse_short(struct ls_text text, double *number) {
  static const double POWERS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  bool is_negative = text.length > 0 && text.data[0] == '-';
  int64_t digits = 0;
  size_t count = 0, places = 0;
  bool is_fraction = false;
  for (size_t at = is_negative; at < text.length; at++) {
    if (text.data[at] == '.' && !is_fraction) {
      is_fraction = true;
    } else if (is_digit(text.data[at]) && count < 15) {
      digits = digits * 10 + (text.data[at] - '0');
      count++;
      places += is_fraction;
    } else {
      return false;
    }
  }
  if (count == 0) return false;
  double value = (double)digits / POWERS[places];
  *number = is_negative ? -value : value;
  return true;
}

bool ls_parse_float64(struct ls_text text, double *number) {
  // What the C library does is exact, too, and takes its time.
  if (parse_short(text, number)) return true;
  char digits[64];
  if (text.length == 0 || text.length >= sizeof digits) return false;
  for (size_t at = 0; at < text.length; at++) {
    // Neither blanks nor the words and prefixes that the C library would take.
    if (!is_digit(text.data[at]) && memchr("+-.eE", text.data[at], 5) == NULL) return false;
  }
  memcpy(digits, text.data, text.length);
  digits[text.length] = '\0';
  char *end;
  double value = strtod(digits, &end);
  if (end != digits + text.length) return false;
  *number = value;
  return true;
}

/* Takes `count` digits off the text. */
static bool take_number(struct ls_text *text, size_t count, int *number) {
  if (text->length < count) return false;
  *number = 0;
  for (size_t at = 0; at < count; at++) {
    if (!is_digit(text->data[at])) return false;
    *number = *number * 10 + (text->data[at] - '0');
  }
  *text = (struct ls_text){text->data + count, text->length - count};
  return true;
}

/* Takes one byte off the text if it is one of these. */
static bool take_one_of(struct ls_text *text, const char *these, char *found) {
  if (text->length == 0 || text->data[0] == '\0' || strchr(these, text->data[0]) == NULL) return false;
  if (found != NULL) *found = text->data[0];
  *text = (struct ls_text){text->data + 1, text->length - 1};
  return true;
}

static bool take_date(struct ls_text *text, int32_t *days) {
  static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int year, month, day;
  if (!take_number(text, 4, &year) || !take_one_of(text, "-", NULL) || !take_number(text, 2, &month) ||
      !take_one_of(text, "-", NULL) || !take_number(text, 2, &day) || year < 1 || month < 1 || month > 12)
    return false;
  bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day < 1 || day > LENGTHS[month - 1] + (month == 2 && is_leap)) return false;
  int before = year - 1, in_year = day - 1;
  for (int earlier = 1; earlier < month; earlier++) in_year += LENGTHS[earlier - 1] + (earlier == 2 && is_leap);
  *days = before * 365 + before / 4 - before / 100 + before / 400 + in_year - 719162;
  return true;
}

bool ls_parse_date(struct ls_text text, int32_t *days) {
  int32_t found;
  if (!take_date(&text, &found) || text.length != 0) return false;
  *days = found;
  return true;
}

/* The digits behind a point, of which six count. */
static bool take_micros(struct ls_text *text, int *micros) {
  size_t count = 0;
  *micros = 0;
  for (int digit; take_number(text, 1, &digit); count++)
    if (count < 6) *micros = *micros * 10 + digit;
  for (size_t place = count; place < 6; place++) *micros *= 10;
  return count > 0;
}

bool ls_parse_timestamp(struct ls_text text, int64_t *micros) {
  int32_t days;
  int hour, minute, second, fraction = 0, east_hours = 0, east_minutes = 0;
  char sign = '+';
  if (!take_date(&text, &days) || !take_one_of(&text, "Tt ", NULL) || !take_number(&text, 2, &hour) ||
      !take_one_of(&text, ":", NULL) || !take_number(&text, 2, &minute) || !take_one_of(&text, ":", NULL) ||
      !take_number(&text, 2, &second))
    return false;
  if (take_one_of(&text, ".,", NULL) && !take_micros(&text, &fraction)) return false;
  if (take_one_of(&text, "+-", &sign)) {
    if (!take_number(&text, 2, &east_hours)) return false;
    take_one_of(&text, ":", NULL);
    if (!take_number(&text, 2, &east_minutes)) return false;
  } else {
    take_one_of(&text, "Zz", NULL);
  }
  if (text.length != 0 || hour > 23 || minute > 59 || second > 60 || east_hours > 23 || east_minutes > 59) return false;
  int east = (east_hours * 60 + east_minutes) * (sign == '-' ? -1 : 1);
  int64_t seconds = (int64_t)days * 86400 + hour * 3600 + (minute - east) * 60 + second;
  *micros = seconds * 1000000 + fraction;
  return true;
}
