/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The SPICE server for peers of other programs: prints the port and what the devices get, until
 * standard input ends.
 */
#include <glib-unix.h>
#include <unistd.h>

#include "spice-rig.h"

static gboolean
stdin_cb (int fd, GIOCondition condition, gpointer data)
{
  *(bool *) data = true;
  return G_SOURCE_REMOVE;
}

int
main (void)
{
  Rig                *rig = rig_new ();
  VitrineSpiceServer *server = rig_serve (rig, &(VitrineSpiceOptions){ 0 });
  bool                ended = false;
  int                 hint_width = 0, hint_height = 0;
  unsigned            seed = 0;

  g_print ("port %u\n", vitrine_spice_server_get_port (server));
  g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP, stdin_cb, &ended);
  while (!ended)
    {
      g_autofree char *text = NULL;
      int              width, height;

      wait_turn (0);
      /* Something to draw, whoever looks. */
      rig_damage (rig, 100, 100, 16, 16, seed++);
      g_mutex_lock (&rig->lock);
      text = g_strdelimit (g_strdup (rig->log->str), " ", '\n');
      g_string_truncate (rig->log, 0);
      g_mutex_unlock (&rig->lock);
      g_print ("%s", text);
      width = g_atomic_int_get (&rig->hint_width);
      height = g_atomic_int_get (&rig->hint_height);
      if (width != hint_width || height != hint_height)
        g_print ("hint %dx%d\n", width, height);
      hint_width = width;
      hint_height = height;
      fflush (stdout);
    }
  rig_end_server (server);
  rig_free (rig);
  return 0;
}
