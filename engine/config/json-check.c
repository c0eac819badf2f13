/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A JSON checker without recursion (RFC 8259) that remembers at which line each value is.
 */
#include "json-check.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "vt-base.h"

#define MAX_PLACE_KEY 64
#define MAX_PLACE_DEPTH 4

typedef struct
{
  bool        is_array;
  bool        placed;    /* Its members' places are recorded. */
  guint       n;         /* Members so far. */
  gsize       place_len; /* Of its own place in Checker.place. */
  GHashTable *keys;      /* Objects: the keys seen. */
} Level;

typedef struct
{
  const char *p, *end;
  guint       line;
  const char *origin;
  GHashTable *lines;
  GError    **error;
  Level       levels[VT_JSON_MAX_DEPTH];
  guint       depth;
  GString    *place; /* Of the value that comes next. */
  bool        placed;
} Checker;

static bool
fail (Checker *c, const char *what)
{
  return vt_set_error (c->error, VITRINE_ERROR_INVALID, _("%s:%u: This is not JSON: %s."),
                       c->origin, c->line, what);
}

static void
skip_space (Checker *c)
{
  for (; c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'); c->p++)
    if (*c->p == '\n')
      c->line++;
}

/* Four hexadecimal digits after "\u". */
static bool
read_hex (Checker *c, guint *out)
{
  guint v = 0;
  for (int i = 0; i < 4; i++, c->p++)
    {
      if (c->p >= c->end || !g_ascii_isxdigit (*c->p))
        return fail (c, _("“\\u” is followed by something else than four hexadecimal digits"));
      v = v << 4 | (guint) g_ascii_xdigit_value (*c->p);
    }
  *out = v;
  return true;
}

static bool
read_unicode (Checker *c, GString *out)
{
  guint u, low;
  if (!read_hex (c, &u))
    return false;
  if (u == 0)
    return fail (c, _("a text contains a zero byte"));
  if (u >= 0xd800 && u < 0xdc00)
    {
      if (c->end - c->p < 2 || c->p[0] != '\\' || c->p[1] != 'u')
        return fail (c, _("half of a surrogate pair is missing"));
      c->p += 2;
      if (!read_hex (c, &low))
        return false;
      if (low < 0xdc00 || low > 0xdfff)
        return fail (c, _("half of a surrogate pair is missing"));
      u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    }
  else if (u >= 0xdc00 && u < 0xe000)
    return fail (c, _("half of a surrogate pair is missing"));
  g_string_append_unichar (out, u);
  return true;
}

/* At the opening quote; @out gets the decoded text. */
static bool
read_string (Checker *c, GString *out)
{
  static const char escapes[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
  for (c->p++; c->p < c->end && *c->p != '"';)
    {
      guchar ch = (guchar) *c->p++;
      if (ch < 0x20)
        return fail (c, _("a text contains a control character, or its closing quote is missing"));
      if (ch != '\\')
        {
          g_string_append_c (out, (char) ch);
          continue;
        }
      if (c->p >= c->end)
        break;
      char        e = *c->p++;
      const char *at = e ? strchr (escapes, e) : NULL;
      if (at)
        g_string_append_c (out, plain[at - escapes]);
      else if (e != 'u')
        return fail (c, _("a text contains an unknown escape"));
      else if (!read_unicode (c, out))
        return false;
    }
  if (c->p >= c->end)
    return fail (c, _("the file ends inside a text; it may be truncated"));
  c->p++;
  return true;
}

static bool
skip_digits (Checker *c)
{
  const char *start = c->p;
  while (c->p < c->end && g_ascii_isdigit (*c->p))
    c->p++;
  return c->p > start;
}

static bool
read_number (Checker *c)
{
  const char *start = c->p;
  bool        whole = true;
  if (*c->p == '-')
    c->p++;
  if (c->p < c->end && *c->p == '0')
    c->p++;
  else if (!skip_digits (c))
    return fail (c, _("a number has no digits"));
  if (c->p < c->end && *c->p == '.')
    {
      whole = false;
      c->p++;
      if (!skip_digits (c))
        return fail (c, _("a number has no digits after its point"));
    }
  if (c->p < c->end && (*c->p == 'e' || *c->p == 'E'))
    {
      whole = false;
      c->p++;
      if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
        c->p++;
      if (!skip_digits (c))
        return fail (c, _("a number has no digits in its exponent"));
    }
  g_autofree char *number = g_strndup (start, (gsize) (c->p - start));
  if (whole ? !g_ascii_string_to_signed (number, 10, G_MININT64, G_MAXINT64, NULL, NULL)
            : !isfinite (g_ascii_strtod (number, NULL)))
    return fail (c, _("a number is too large"));
  return true;
}

static void
record_line (Checker *c)
{
  if (c->lines && c->placed)
    g_hash_table_insert (c->lines, g_strdup (c->place->str), GUINT_TO_POINTER (c->line));
}

static bool
open_level (Checker *c, bool is_array)
{
  if (c->depth == VT_JSON_MAX_DEPTH)
    return fail (c, _("it is nested too deeply"));
  Level *level = &c->levels[c->depth++];
  level->is_array = is_array;
  level->placed = c->placed && c->depth <= MAX_PLACE_DEPTH;
  level->n = 0;
  level->place_len = c->place->len;
  level->keys = is_array ? NULL : g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  c->p++;
  return true;
}

static void
close_level (Checker *c)
{
  Level *level = &c->levels[--c->depth];
  g_clear_pointer (&level->keys, g_hash_table_unref);
  g_string_truncate (c->place, level->place_len);
  c->p++;
}

/* A scalar, or the opening of a container. */
static bool
read_value (Checker *c)
{
  static const char *const words[] = { "true", "false", "null" };
  if (c->p >= c->end)
    return fail (c, _("the file ends where a value should be; it may be truncated"));
  record_line (c);
  if (*c->p == '{' || *c->p == '[')
    return open_level (c, *c->p == '[');
  if (*c->p == '"')
    {
      g_autoptr (GString) ignored = g_string_new (NULL);
      return read_string (c, ignored);
    }
  if (*c->p == '-' || g_ascii_isdigit (*c->p))
    return read_number (c);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if ((gsize) (c->end - c->p) >= strlen (words[i])
        && strncmp (c->p, words[i], strlen (words[i])) == 0)
      {
        c->p += strlen (words[i]);
        return true;
      }
  return fail (c, _("a value is missing or misspelt"));
}

/* At a key: reads it and the colon, and sets the place of its value. */
static bool
read_key (Checker *c, Level *level)
{
  if (c->p >= c->end || *c->p != '"')
    return fail (c, _("a key in quotes is missing"));
  g_autoptr (GString) key = g_string_new (NULL);
  if (!read_string (c, key))
    return false;
  g_string_truncate (c->place, level->place_len);
  c->placed = level->placed && key->len <= MAX_PLACE_KEY;
  if (c->placed)
    {
      if (level->place_len)
        g_string_append_c (c->place, '.');
      g_string_append (c->place, key->str);
    }
  if (!g_hash_table_add (level->keys, g_string_free (g_steal_pointer (&key), FALSE)))
    return fail (c, _("a key is there twice"));
  skip_space (c);
  if (c->p >= c->end || *c->p != ':')
    return fail (c, _("the colon after a key is missing"));
  c->p++;
  skip_space (c);
  return true;
}

/* After a comma or an opening: the next member's value, or the container's end. */
static bool
read_member (Checker *c)
{
  Level *level = &c->levels[c->depth - 1];
  char   closing = level->is_array ? ']' : '}';

  skip_space (c);
  if (c->p >= c->end)
    return fail (c, _("the file ends too early; it may be truncated"));
  if (*c->p == closing)
    {
      close_level (c);
      return true;
    }
  if (level->n)
    {
      if (*c->p != ',')
        return fail (c, _("a comma or a closing bracket is missing"));
      c->p++;
      skip_space (c);
    }
  if (level->is_array)
    {
      g_string_truncate (c->place, level->place_len);
      c->placed = level->placed;
      if (c->placed)
        g_string_append_printf (c->place, "[%u]", level->n);
    }
  else if (!read_key (c, level))
    return false;
  level->n++;
  return read_value (c);
}

static bool
check_text (Checker *c)
{
  skip_space (c);
  if (c->p >= c->end)
    return vt_set_error (c->error, VITRINE_ERROR_INVALID, _("%s: The file is empty."), c->origin);
  if (!read_value (c))
    return false;
  while (c->depth)
    if (!read_member (c))
      return false;
  skip_space (c);
  return c->p == c->end || fail (c, _("something follows after its end"));
}

gboolean
vt_json_check (const char *text, gsize len, const char *origin, GHashTable *lines, GError **error)
{
  Checker     c = { .p = text, .end = text + len, .line = 1, .origin = origin, .lines = lines,
                    .error = error, .placed = true };
  const char *bad;
  /* Zero bytes fail here too. */
  if (!g_utf8_validate (text, (gssize) len, &bad))
    {
      for (const char *p = text; p < bad; p++)
        c.line += *p == '\n';
      return fail (&c, _("it contains bytes that are not UTF-8"));
    }
  c.place = g_string_new (NULL);
  bool ok = check_text (&c);
  while (c.depth)
    close_level (&c);
  g_string_free (c.place, TRUE);
  return ok;
}
