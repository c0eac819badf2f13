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
#include <unistd.h>

#include "board.h"

/* Some devices interrupt from threads of their own. */
static GMutex lock;

static void
gsi_cb (unsigned n, bool level)
{
  g_mutex_lock (&lock);
  printf ("IRQ %s %u\n", level ? "raise" : "lower", n);
  g_mutex_unlock (&lock);
}

static void
nothing_cb (void *data)
{
}

/* Lets what the command has posted run. */
static void
settle (VtMachine *machine)
{
  const VtDeviceEnv *platform = machine->envs->pdata[0];

  while (vt_context_dispatch (platform->context))
    ;
  for (guint i = 1; i < machine->envs->len; i++)
    vt_context_call (((VtDeviceEnv *) machine->envs->pdata[i])->context, nothing_cb, NULL);
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
answer (bool has_value, uint64_t value)
{
  g_mutex_lock (&lock);
  if (has_value)
    printf ("OK 0x%" PRIx64 "\n", value);
  else
    printf ("OK\n");
  g_mutex_unlock (&lock);
}

static void
run (VtMachine *machine, char **words)
{
  unsigned    n = g_strv_length (words), size = 0;
  uint64_t    address = n > 1 ? g_ascii_strtoull (words[1], NULL, 0) : 0;
  uint64_t    value = n > 2 ? g_ascii_strtoull (words[2], NULL, 0) : 0;
  uint8_t     bytes[8] = { 0 };
  VtSpaceKind kind = VT_SPACE_MEMORY;

  vt_st64 (bytes, value);
  if (n == 2 && strcmp (words[0], "clock_step") == 0)
    {
      vt_clock_advance (machine->clock, (int64_t) address);
      settle (machine);
      answer (true, (uint64_t) vt_clock_now (machine->clock));
      return;
    }
  if (n == 2 && ((size = access_size (words[0], "in")) != 0 ||
                 (size = access_size (words[0], "read")) != 0))
    {
      kind = words[0][0] == 'i' ? VT_SPACE_IO : VT_SPACE_MEMORY;
      vt_space_read (machine->space, kind, address, bytes, size);
      settle (machine);
      answer (true, vt_ld (bytes, size));
      return;
    }
  if (n == 3 && ((size = access_size (words[0], "out")) != 0 ||
                 (size = access_size (words[0], "write")) != 0))
    {
      kind = words[0][0] == 'o' ? VT_SPACE_IO : VT_SPACE_MEMORY;
      vt_space_write (machine->space, kind, address, bytes, size);
      settle (machine);
      answer (false, 0);
      return;
    }
  printf ("FAIL unknown command\n");
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  VtMachine *machine = oracle_board_new (argc > 1 ? argv[1] : NULL, gsi_cb, &error);
  char       line[256];

  if (machine == NULL)
    {
      fprintf (stderr, "poke: %s\n", error->message);
      return 1;
    }
  while (fgets (line, sizeof line, stdin) != NULL)
    {
      g_auto (GStrv) words = g_strsplit (g_strstrip (line), " ", -1);

      run (machine, words);
      fflush (stdout);
    }
  /* Threads still have their contexts: what is left goes with the process. */
  fflush (stdout);
  _exit (0);
}
