/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A raw image and one request on it, as raw.c, raw-op.c and the engines share them.
 */
#pragma once

#include "block-private.h"

struct VtRaw
{
  VtBlock               base;
  gint                  refs;
  int                   fd;
  int                   direct_fd;    /* O_DIRECT, or -1. */
  uint32_t              direct_align; /* Of memory, offsets and lengths on direct_fd. */
  uint64_t              file_size;    /* When opened: info.size before it was rounded up. */
  bool                  device;       /* A block device, not a file. */
  VtBlockAccount       *account;
  const VtRawEngineOps *engine_ops;
  VtRawEngine          *engine;
};

void     vt_raw_unref (VtRaw *raw);
VtRawOp *vt_raw_op_new (VtRaw *raw, VtBlockRequest *request);
