/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Bochs VBE extension ("DISPI"): sixteen-bit registers that set a linear mode.
 * Bochs VBE display interface 0xB0C5, as the Bochs and QEMU documentation describe it.
 */
#pragma once

#include "linear.h"
#include "vt-state.h"

typedef enum
{
  VT_DISPI_ID,
  VT_DISPI_XRES,
  VT_DISPI_YRES,
  VT_DISPI_BPP,
  VT_DISPI_ENABLE,
  VT_DISPI_BANK,
  VT_DISPI_VIRT_WIDTH,
  VT_DISPI_VIRT_HEIGHT,
  VT_DISPI_X_OFFSET,
  VT_DISPI_Y_OFFSET,
  VT_DISPI_MEMORY_64K, /* Read-only. */
  VT_DISPI_N_REGS = VT_DISPI_MEMORY_64K,
} VtDispiRegister;

enum
{
  VT_DISPI_ENABLED = 0x01,
  VT_DISPI_GETCAPS = 0x02,
  VT_DISPI_8BIT_DAC = 0x20,
  VT_DISPI_LFB = 0x40,
  VT_DISPI_NOCLEAR = 0x80,
};

#define VT_DISPI_MAX_X 16000
#define VT_DISPI_MAX_Y 12000

typedef struct
{
  uint16_t regs[VT_DISPI_N_REGS];
  uint16_t index;
  uint8_t  low;        /* The low byte of a data write that came in two halves. */
  uint8_t  big_endian; /* 0 or 1: byte order of the frame buffer. */
} VtDispiState;

extern const VtStateDesc vt_dispi_state;

void     vt_dispi_reset (VtDispiState *dispi);
uint16_t vt_dispi_read (const VtDispiState *dispi, unsigned reg, uint64_t vram_size);
/* Returns: whether the enabling asks for the picture's memory to be cleared: *@clear bytes. */
bool vt_dispi_write (VtDispiState *dispi, unsigned reg, uint16_t value, uint64_t vram_size,
                     uint64_t *clear);

bool vt_dispi_enabled (const VtDispiState *dispi);

/* What the registers show. Everything in @mode is safe for a memory of @vram_size, whatever was
 * loaded or written. @mode->bits is 4 for the planar mode. False: not enabled. */
bool vt_dispi_mode (const VtDispiState *dispi, uint64_t vram_size, VtLinearMode *mode);

/* The registers as ports 0x1CE to 0x1D1 (bytes 0 to 3 here), @size 1 or 2. */
uint32_t vt_dispi_port_read (const VtDispiState *dispi, unsigned port, unsigned size,
                             uint64_t vram_size);
bool     vt_dispi_port_write (VtDispiState *dispi, unsigned port, unsigned size, uint32_t value,
                              uint64_t vram_size, uint64_t *clear);

/* The registers in the memory BAR, 0x500 to 0x5FF: register n at 2 n. */
#define VT_DISPI_MMIO 0x500
/* The frame buffer's byte order, 0x600: size of this block, 0x604: which. */
#define VT_DISPI_MMIO_EXTENDED 0x600
uint32_t vt_dispi_extended_read (const VtDispiState *dispi, unsigned offset);
void     vt_dispi_extended_write (VtDispiState *dispi, unsigned offset, uint32_t value);
