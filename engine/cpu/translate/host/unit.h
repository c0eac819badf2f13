/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The x87, MMX and vector units' state in a core, and the running of one guest instruction on the
 * host's own units: its form (form.h) is looked up among those that are part of this program, and called with
 * the guest's registers. What the host raises there (SIGFPE, SIGILL, SIGSEGV) is the guest's fault.
 */
#pragma once

#include "../core.h"
#include "trap.h"

/* The bits of MXCSR that a guest may set. The image's own mask is the host's, which may have more. */
#define VT_MXCSR_MASK 0xffffu
#define VT_UNIT_REGISTERS 5u
#define VT_XSAVE_HEADER 512u
#define VT_XSAVE_EXTENDED 576u
#define VT_FEATURE_X87 VT_BIT (0)
#define VT_FEATURE_SSE VT_BIT (1)
#define VT_FEATURE_AVX VT_BIT (2)
#define VT_FEATURES_AVX512 (VT_BIT (5) | VT_BIT (6) | VT_BIT (7))
#define VT_FEATURE_PKRU VT_BIT (9)

/* A part of the extended area, as CPUID leaf 0xd of this host has it. */
typedef struct
{
  uint32_t offset, size;
  bool     align; /* To 64 bytes in the compact format. */
} VtUnitPart;

VtUnit *vt_unit_new (void);
void    vt_unit_free (VtUnit *unit);
/* The host's XCR0: what a guest can be offered. */
uint64_t          vt_unit_features (const VtUnit *unit);
const VtUnitPart *vt_unit_part (const VtUnit *unit, unsigned feature);

/* The instruction, wholly: faults, memory, registers. Raises; declines what isn't the units'. */
void vt_unit_run (VtCore *core, const VtInsn *insn);

/* host/mask.c: an operand under a mask, where VtUnitUse (examine.h) says so. Which of its elements are
 * selected, as bits; their reading, the others as zeroes; whether they may be written, which raises; their
 * writing, behind that. */
struct VtUnitUse;
uint64_t vt_unit_selected (const VtCore *core, const struct VtUnitUse *use);
void     vt_unit_masked_read (VtCore *core, const VtInsn *insn, const struct VtUnitUse *use,
                              uint64_t selected, uint8_t *to);
void     vt_unit_masked_probe (VtCore *core, const VtInsn *insn, const struct VtUnitUse *use,
                               uint64_t selected);
void     vt_unit_masked_write (VtCore *core, const VtInsn *insn, const struct VtUnitUse *use,
                               uint64_t selected, const uint8_t *from);

/* host/registers.c: registers in the core's image; vectors of 64 bytes, MMX registers of 16. */
void     vt_unit_get_vector (const VtCore *core, unsigned reg, uint8_t *to);
void     vt_unit_put_vector (VtCore *core, unsigned reg, const uint8_t *from);
uint64_t vt_unit_get_mask (const VtCore *core, unsigned k);
void     vt_unit_put_mask (VtCore *core, unsigned k, uint64_t value);
void     vt_unit_get_mmx (const VtCore *core, unsigned reg, uint8_t *to);
void     vt_unit_put_mmx (VtCore *core, unsigned reg, const uint8_t *from);
/* Moves the x87's registers to where another top has them; the status word is the caller's. */
void vt_unit_move_top (VtCore *core, unsigned top);
/* Makes a feature's part of the image what it stands for, where that is in its initial state. */
void vt_unit_use (VtCore *core, unsigned feature);

/* State that has come from outside (a file, a guest's XRSTOR) is put right, so that the host's XRSTOR
 * takes it. */
void vt_unit_sanitize (VtCore *core);
uint32_t vt_unit_pkru (const VtCore *core);
void     vt_unit_set_pkru (VtCore *core, uint32_t value);

/* XSTATE_BV of the core's image. */
static inline uint64_t
vt_unit_in_use (const VtCore *core)
{
  return vt_ld64 (core->xsave + VT_XSAVE_HEADER);
}

static inline void
vt_unit_set_in_use (VtCore *core, uint64_t features)
{
  vt_st64 (core->xsave + VT_XSAVE_HEADER, features);
}

/* Vector and mask registers by number, and MXCSR: loaded before a form, and stored behind it. */
typedef struct
{
  uint8_t  vector[VT_UNIT_REGISTERS][64];
  uint64_t mask[VT_UNIT_REGISTERS];
  uint32_t mxcsr;
  uint32_t size; /* Of a vector: 16, 32, or 64, and then there are masks. */
} VtUnitRegisters;

/* host/call.c: a call of a form. Returns: 0, or the signal that the host raised. */
typedef struct
{
  uint64_t gpr[VT_CPU_GPRS];
  uint64_t flags;
  uint64_t code;
  uint64_t features;  /* What is loaded before and saved after. */
  uint8_t *guest, *host; /* XSAVE areas. */
  uint64_t rsp;       /* The host's, for the way out. */
  VtUnitRegisters *registers; /* NULL: the units' state goes by @features and these areas. */
  uint32_t signal, mxcsr;
  VtTrap   trap;
} VtUnitCall;

uint32_t vt_unit_call (VtUnitCall *call);
