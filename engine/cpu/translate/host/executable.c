/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two mappings of one memfd: see executable.h.
 */
#include "executable.h"

#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

static void *
map (void *at, int fd, size_t size, int protection, int flags)
{
  void *const mapped = mmap (at, size, protection, flags, fd, 0);
  return mapped == MAP_FAILED ? NULL : mapped;
}

/* Both parts side by side, in a range that is reserved first. */
static void
map_execute (VtExecutable *area, int fd)
{
  uint8_t *const at = map (NULL, -1, area->size + area->data_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);

  if (at == NULL)
    return;
  area->data = at + area->size;
  area->execute = map (at, fd, area->size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED);
  if (area->execute == NULL
      || (area->data_size && mprotect (area->data, area->data_size, PROT_READ | PROT_WRITE) != 0))
    {
      munmap (at, area->size + area->data_size);
      area->execute = area->data = NULL;
    }
}

bool
vt_executable_map (VtExecutable *area, const char *name, size_t size, size_t data_size)
{
  *area = (VtExecutable){ .size = size, .data_size = data_size };
  int fd = memfd_create (name, MFD_CLOEXEC | MFD_EXEC);
  /* Kernels before 6.3 don't know the flag. */
  if (fd < 0)
    fd = memfd_create (name, MFD_CLOEXEC);
  if (fd < 0)
    return false;
  if (ftruncate (fd, (off_t) size) == 0)
    {
      area->write = map (NULL, fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
      map_execute (area, fd);
    }
  close (fd);
  if (area->write != NULL && area->execute != NULL)
    return true;
  vt_executable_unmap (area);
  return false;
}

void
vt_executable_unmap (VtExecutable *area)
{
  if (area->write != NULL)
    munmap (area->write, area->size);
  if (area->execute != NULL)
    munmap (area->execute, area->size + area->data_size);
  *area = (VtExecutable){ 0 };
}

bool
vt_executable_allowed (void)
{
  VtExecutable area;
  const bool   mapped = vt_executable_map (&area, "vitrine-probe", 4 * VT_KIB, 0);

  vt_executable_unmap (&area);
  return mapped;
}
