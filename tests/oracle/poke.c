/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our machine's registers by qtest's command language, one command a line on standard input:
 *
 *   inb|inw|inl ADDR              outb|outw|outl ADDR VALUE
 *   readb|readw|readl|readq ADDR  writeb|writew|writel|writeq ADDR VALUE
 *   clock_step NS
 *
 * Each is answered by "OK [VALUE]" or "FAIL …"; changes of the I/O APIC's inputs are told before, as
 * "IRQ raise N" and "IRQ lower N".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

static void
gsi_cb (void *data, unsigned n, bool level)
{
  printf ("IRQ %s %u\n", level ? "raise" : "lower", n);
}

/* "inb" and the like; 0: no such suffix. */
static unsigned
access_size (const char *command, const char *verb)
{
  size_t len = strlen (verb);

  if (strncmp (command, verb, len) != 0 || command[len] == '\0' || command[len + 1] != '\0')
    return 0;
  switch (command[len])
    {
    case 'b':
      return 1;
    case 'w':
      return 2;
    case 'l':
      return 4;
    case 'q':
      return 8;
    default:
      return 0;
    }
}

static void
run (OracleBoard *board, char **words)
{
  unsigned n = g_strv_length (words), size;
  uint64_t address = n > 1 ? g_ascii_strtoull (words[1], NULL, 0) : 0;
  uint64_t value = n > 2 ? g_ascii_strtoull (words[2], NULL, 0) : 0;
  uint8_t  bytes[8] = { 0 };

  vt_st64 (bytes, value);
  if (n == 2 && strcmp (words[0], "clock_step") == 0)
    {
      vt_clock_advance (board->clock, (int64_t) address);
      while (vt_context_dispatch (board->context))
        ;
      printf ("OK %" PRId64 "\n", vt_clock_now (board->clock));
    }
  else if (n == 2 && (size = access_size (words[0], "in")) != 0)
    {
      vt_space_read (board->space, VT_SPACE_IO, address, bytes, size);
      printf ("OK 0x%" PRIx64 "\n", vt_ld (bytes, size));
    }
  else if (n == 3 && (size = access_size (words[0], "out")) != 0)
    {
      vt_space_write (board->space, VT_SPACE_IO, address, bytes, size);
      printf ("OK\n");
    }
  else if (n == 2 && (size = access_size (words[0], "read")) != 0)
    {
      vt_space_read (board->space, VT_SPACE_MEMORY, address, bytes, size);
      printf ("OK 0x%" PRIx64 "\n", vt_ld (bytes, size));
    }
  else if (n == 3 && (size = access_size (words[0], "write")) != 0)
    {
      vt_space_write (board->space, VT_SPACE_MEMORY, address, bytes, size);
      printf ("OK\n");
    }
  else
    printf ("FAIL unknown command\n");
  while (vt_context_dispatch (board->context))
    ;
}

int
main (int argc, char **argv)
{
  OracleBoard board = { 0 };
  g_autoptr (GError) error = NULL;
  char line[256];

  for (unsigned i = 0; i < ORACLE_GSIS; i++)
    board.gsi[i] = vt_line_new (gsi_cb, NULL, i);
  if (!oracle_board_build (&board, argv + 1, &error))
    {
      fprintf (stderr, "poke: %s\n", error->message);
      return 1;
    }
  while (fgets (line, sizeof line, stdin) != NULL)
    {
      g_auto (GStrv) words = g_strsplit (g_strstrip (line), " ", -1);

      run (&board, words);
      fflush (stdout);
    }
  return 0;
}
