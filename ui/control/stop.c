/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pulls a machine's plug, also where its process doesn't answer any more.
 */
#include "client.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "instance.h"

/* How long a process may take to end once the plug is pulled, before it is killed. */
#define STOP_SECONDS 10

int
vt_control_open_process (const char *folder, GError **error)
{
  VtInstance before, after;
  vt_instance_query (folder, &before);
  int fd = before.running && before.pid ? pidfd_open (before.pid, 0) : -1;
  vt_instance_query (folder, &after);
  /* The number may have passed to another process meanwhile, but not while the lock is still held
   * after the open. */
  if (fd >= 0 && (!after.running || after.pid != before.pid))
    {
      close (fd);
      fd = -1;
    }
  vt_instance_clear (&before);
  vt_instance_clear (&after);
  if (fd < 0)
    g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_STATE, _ ("The machine doesn't run."));
  return fd;
}

gboolean
vt_control_wait_process (int process, int seconds)
{
  struct pollfd fd = { .fd = process, .events = POLLIN };
  gint64        deadline = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  for (;;)
    {
      gint64 left = deadline - g_get_monotonic_time ();
      int    n = poll (&fd, 1, left > 0 ? (int) (left / 1000) + 1 : 0);
      if (n > 0)
        return TRUE;
      if ((n == 0 && left <= 0) || (n < 0 && errno != EINTR))
        return FALSE;
    }
}

gboolean
vt_control_force_off (const char *folder, int process, gboolean *killed, GError **error)
{
  g_autoptr (GDBusConnection) connection = vt_control_connect (folder, NULL);
  *killed = FALSE;
  if (connection)
    {
      g_autoptr (GVariant)
          answer = vt_control_call (connection, "Stop", NULL, VT_CONTROL_TIMEOUT_MS, NULL);
      if (answer && vt_control_wait_process (process, STOP_SECONDS))
        return TRUE;
    }
  /* Its image locks end with it, and the guest's loss is that of a power cut either way. */
  if (pidfd_send_signal (process, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED,
                   _ ("Can't end the machine's process: %s."), g_strerror (errno));
      return FALSE;
    }
  if (!vt_control_wait_process (process, STOP_SECONDS))
    {
      g_set_error (error, VITRINE_ERROR, VITRINE_ERROR_FAILED,
                   _ ("The machine's process hangs in the kernel; look for failing disks."));
      return FALSE;
    }
  *killed = TRUE;
  return TRUE;
}
