/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fuzz target for kernel images (bzImage, PVH ELF): any bytes are refused with one sentence, or
 * give a plan in which every piece lies inside the file.
 */
#include "boot/boot.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *file = g_malloc (size);
  VtKernel            kernel = { 0 };

  /* A block of its own, so that a byte read behind the end is noticed. */
  if (size > 0)
    memcpy (file, data, size);
  if (!vt_kernel_parse ("kernel", file, size, &kernel, &error))
    {
      g_assert_nonnull (error);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return 0;
    }
  g_assert_no_error (error);
  g_assert_cmpuint (kernel.plan.n_segments, <=, VT_BOOT_SEGMENTS_MAX);
  g_assert_cmpuint (kernel.plan.setup_size, <=, size);
  g_assert_cmpuint (kernel.plan.setup_size, <=, VT_BOOT_AREA);
  for (uint32_t i = 0; i < kernel.plan.n_segments; i++)
    {
      const VtBootSegment *segment = &kernel.plan.segments[i];

      g_assert_true (vt_range_ok (segment->file_offset, segment->file_size, size));
      g_assert_cmpuint (segment->file_size, <=, segment->memory_size);
      g_assert_true (vt_range_ok (segment->address, segment->memory_size, 4 * VT_GIB));
    }
  return 0;
}
