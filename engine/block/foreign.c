/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files that are not what they are taken for: a disk image of another format, taken as raw, would show
 * the guest that format's tables as its disk and be destroyed by the first write.
 */
#include <errno.h>
#include <unistd.h>

#include "block-private.h"

typedef struct
{
  uint32_t    offset;
  uint8_t     len;
  bool        packed; /* A compressed file: refused as a CD only, for a disk may well hold one. */
  const char *magic, *name;
} Format;

static const Format formats[] = {
  { 0, 4, false, "QFI\xfb", "a QCOW" },
  { 0, 4, false, "KDMV", "a VMDK" },
  { 0, 21, false, "# Disk DescriptorFile", "a VMDK" },
  { 0, 8, false, "vhdxfile", "a VHDX" },
  { 0, 8, false, "conectix", "a VHD" },
  { 64, 4, false, "\x7f\x10\xda\xbe", "a VDI" },
  { 0, 6, true, "\xfd" "7zXZ", "an XZ" },
  { 0, 3, true, "\x1f\x8b\x08", "a GZIP" },
  { 0, 4, true, "\x28\xb5\x2f\xfd", "a ZSTD" },
  { 0, 3, true, "BZh", "a BZIP2" },
  { 0, 4, true, "PK\x03\x04", "a ZIP" },
};

bool
vt_block_check_format (int fd, const char *path, bool read_only, GError **error)
{
  uint8_t head[128] = { 0 };
  ssize_t n;

  do
    n = pread (fd, head, sizeof head, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return vt_set_errno (error, errno, "The image “%s” can't be read", path);
  for (unsigned i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      const Format *f = &formats[i];

      if (memcmp (head + f->offset, f->magic, f->len) != 0)
        continue;
      if (!f->packed)
        return vt_set_error (error, VITRINE_ERROR_UNSUPPORTED,
                             "“%s” is %s image and would be destroyed if it were used as a raw one: "
                             "convert it with \"qemu-img convert -O raw\"",
                             path, f->name);
      if (read_only)
        return vt_set_error (error, VITRINE_ERROR_INVALID,
                             "“%s” is %s file, not an image: unpack it first", path, f->name);
    }
  return true;
}
