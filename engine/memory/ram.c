/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * RAM blocks in memfd, and their dirty log.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory-private.h"

VtRam *
vt_ram_new (const char *name, uint64_t size, GError **error)
{
  VtRam *ram;
  void  *host;
  int    fd;

  if (size == 0 || size > (UINT64_C (1) << 46))
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    "Memory “%s” can't have a size of %" G_GUINT64_FORMAT " bytes", name, size);
      return NULL;
    }
  size = vt_align_up (size, VT_PAGE_SIZE);
  fd = memfd_create (name, MFD_CLOEXEC);
  if (fd < 0 || ftruncate (fd, (off_t) size) < 0)
    {
      vt_set_errno (error, errno, "Memory “%s” of %" G_GUINT64_FORMAT " MiB could not be had", name,
                    size / VT_MIB);
      if (fd >= 0)
        close (fd);
      return NULL;
    }
  host = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (host == MAP_FAILED)
    {
      vt_set_errno (error, errno,
                    "Memory “%s” of %" G_GUINT64_FORMAT
                    " MiB could not be mapped: give the machine less memory",
                    name, size / VT_MIB);
      close (fd);
      return NULL;
    }
  /* Guest memory does not belong in a core dump: it is large and private. */
  madvise (host, size, MADV_DONTDUMP);

  ram = g_new0 (VtRam, 1);
  ram->name = g_strdup (name);
  ram->size = size;
  ram->host = host;
  ram->fd = fd;
  return ram;
}

void
vt_ram_free (VtRam *ram)
{
  if (ram == NULL)
    return;
  munmap (ram->host, ram->size);
  close (ram->fd);
  g_free (ram->log);
  g_free (ram->watched);
  g_free (ram->name);
  g_free (ram);
}

uint8_t *
vt_ram_host (const VtRam *ram)
{
  return ram->host;
}

uint64_t
vt_ram_size (const VtRam *ram)
{
  return ram->size;
}

int
vt_ram_fd (const VtRam *ram)
{
  return ram->fd;
}

const char *
vt_ram_name (const VtRam *ram)
{
  return ram->name;
}

static uint64_t
log_words (const VtRam *ram)
{
  return ((ram->size >> VT_PAGE_SHIFT) + 63) / 64;
}

void
vt_ram_log_start (VtRam *ram)
{
  if (__atomic_load_n (&ram->logging, __ATOMIC_ACQUIRE))
    return;
  if (ram->log == NULL)
    ram->log = g_new0 (uint64_t, log_words (ram));
  __atomic_store_n (&ram->logging, 1, __ATOMIC_RELEASE);
  if (ram->space != NULL)
    vt_space_log_switch (ram->space, ram, true);
}

void
vt_ram_log_stop (VtRam *ram)
{
  if (!__atomic_exchange_n (&ram->logging, 0, __ATOMIC_ACQ_REL))
    return;
  if (ram->space != NULL)
    vt_space_log_switch (ram->space, ram, false);
}

void
vt_ram_mark_dirty (VtRam *ram, uint64_t offset, uint64_t len)
{
  if (len == 0 || !vt_range_ok (offset, len, ram->size))
    return;
  if (__atomic_load_n (&ram->watched, __ATOMIC_ACQUIRE) != NULL)
    vt_ram_tell_written (ram, offset, len);
  vt_ram_log (ram, offset, len);
}

bool
vt_ram_log_fetch (VtRam *ram, uint64_t *bitmap)
{
  bool any = false;

  if (!__atomic_load_n (&ram->logging, __ATOMIC_ACQUIRE))
    {
      memset (bitmap, 0, log_words (ram) * sizeof *bitmap);
      return false;
    }
  if (ram->space != NULL)
    vt_space_log_sync (ram->space, ram);
  for (uint64_t i = 0; i < log_words (ram); i++)
    {
      /* Most words are clean, and a plain read is far cheaper than an exchange. */
      bitmap[i] = __atomic_load_n (&ram->log[i], __ATOMIC_RELAXED) == 0
                      ? 0
                      : __atomic_exchange_n (&ram->log[i], 0, __ATOMIC_ACQ_REL);
      any |= bitmap[i] != 0;
    }
  return any;
}
