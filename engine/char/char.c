/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Byte channels: the part that all back ends share, and the one in memory.
 */
#include "vt-char.h"

void
vt_char_attach (VtChar *chr, VtContext *context, const VtCharUser *user, void *data)
{
  if (chr == NULL)
    return;
  if (chr->user != NULL && chr->ops->attached != NULL)
    chr->ops->attached (chr, false);
  chr->user = user;
  chr->user_data = data;
  chr->context = user == NULL ? NULL : context;
  if (user != NULL && chr->ops->attached != NULL)
    chr->ops->attached (chr, true);
}

size_t
vt_char_write (VtChar *chr, const uint8_t *bytes, size_t len)
{
  return chr == NULL ? len : chr->ops->write (chr, bytes, len);
}

void
vt_char_poll (VtChar *chr)
{
  if (chr != NULL && chr->user != NULL && chr->ops->poll != NULL)
    chr->ops->poll (chr);
}

void
vt_char_close (VtChar *chr)
{
  if (chr == NULL)
    return;
  vt_char_attach (chr, NULL, NULL, NULL);
  chr->ops->close (chr);
}

/* Memory --------------------------------------------------------------------------------------- */

typedef struct
{
  VtChar      chr;
  GByteArray *output, *input;
  bool        feeding; /* A device that polls from inside receive() must not recurse. */
} MemoryChar;

static size_t
memory_write (VtChar *chr, const uint8_t *bytes, size_t len)
{
  g_byte_array_append (((MemoryChar *) chr)->output, bytes, (guint) len);
  return len;
}

static void
memory_poll (VtChar *chr)
{
  MemoryChar *memory = (MemoryChar *) chr;

  if (memory->feeding)
    return;
  memory->feeding = true;
  while (chr->user != NULL && memory->input->len > 0)
    {
      size_t room = MIN (chr->user->room (chr->user_data), memory->input->len);

      if (room == 0)
        break;
      chr->user->receive (chr->user_data, memory->input->data, room);
      g_byte_array_remove_range (memory->input, 0, (guint) room);
    }
  memory->feeding = false;
}

static void
memory_close (VtChar *chr)
{
  MemoryChar *memory = (MemoryChar *) chr;

  g_byte_array_unref (memory->output);
  g_byte_array_unref (memory->input);
  g_free (chr->name);
  g_free (memory);
}

static const VtCharOps memory_ops = {
  .write = memory_write,
  .poll = memory_poll,
  .close = memory_close,
};

VtChar *
vt_char_new_memory (void)
{
  MemoryChar *memory = g_new0 (MemoryChar, 1);

  memory->chr.ops = &memory_ops;
  memory->chr.name = g_strdup ("memory");
  memory->output = g_byte_array_new ();
  memory->input = g_byte_array_new ();
  return &memory->chr;
}

GByteArray *
vt_char_memory_output (VtChar *chr)
{
  return ((MemoryChar *) chr)->output;
}

void
vt_char_memory_feed (VtChar *chr, const void *bytes, size_t len)
{
  g_byte_array_append (((MemoryChar *) chr)->input, bytes, (guint) len);
  vt_char_poll (chr);
}
