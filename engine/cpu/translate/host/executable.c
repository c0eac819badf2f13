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
map (int fd, size_t size, int protection)
{
  void *at = mmap (NULL, size, protection, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? NULL : at;
}

bool
vt_executable_map (VtExecutable *area, const char *name, size_t size)
{
  *area = (VtExecutable){ .size = size };
  int fd = memfd_create (name, MFD_CLOEXEC | MFD_EXEC);
  /* Kernels before 6.3 don't know the flag. */
  if (fd < 0)
    fd = memfd_create (name, MFD_CLOEXEC);
  if (fd < 0)
    return false;
  if (ftruncate (fd, (off_t) size) == 0)
    {
      area->write = map (fd, size, PROT_READ | PROT_WRITE);
      area->execute = map (fd, size, PROT_READ | PROT_EXEC);
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
    munmap (area->execute, area->size);
  *area = (VtExecutable){ 0 };
}
