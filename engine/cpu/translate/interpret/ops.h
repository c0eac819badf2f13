/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The instructions, one function for a family; table.c says which mnemonic is which with what @alu and
 * @arg. Each raises before it changes anything, or takes a snapshot.
 */
#pragma once

#include "alu.h"
#include "insn.h"

#define VT_OPS(X)                                                                                  \
  X (aad) X (aam) X (ac) X (arpl) X (ascii_adjust) X (binary) X (bit) X (bound) X (bswap)          \
  X (call) X (cli) X (clts) X (cmc) X (cmov) X (cmpxchg) X (cmpxchg_pair) X (compare) X (cpuid)    \
  X (decimal_adjust) X (div) X (enter) X (fence) X (extend_a) X (extend_d) X (flag) X (fclex) X (fldcw)      \
  X (fldenv) X (fninit) X (fnsave) X (fnstcw) X (fnstenv) X (fnstsw) X (frstor) X (fwait)          \
  X (fxrstor) X (fxsave) X (hlt) X (idiv) X (imul) X (in) X (int) X (int_fixed) X (invlpg)         \
  X (invpcid) X (iret) X (jcc) X (jcxz) X (jmp) X (lahf) X (lar) X (ldmxcsr) X (lea) X (leave)     \
  X (lldt) X (lmsw) X (load_far) X (load_table) X (loop) X (lsl) X (ltr) X (mov)                   \
  X (gather) X (masked) X (masked_bytes) X (mov_control) X (mov_debug) X (movbe) X (movsx)         \
  X (movzx) X (mul) X (nop) X (out) X (pop)                                                        \
  X (popa) X (popf) X (privileged_nop) X (push) X (pusha) X (pushf) X (random) X (rdmsr) X (rdpid)            \
  X (rdpkru) X (rdtsc) X (read_base) X (ret) X (rsm) X (sahf) X (salc) X (scan) X (set) X (shift)          \
  X (shift_double) X (smsw) X (sti) X (stmxcsr) X (store_selector) X (store_table) X (string)      \
  X (swapgs) X (syscall) X (sysenter) X (sysexit) X (sysret) X (touch) X (ud) X (unary)            \
  X (verify) X (write_base) X (wrmsr) X (wrpkru) X (xadd) X (xchg) X (xgetbv) X (xlat)             \
  X (xrstor) X (xsave) X (xsetbv)

#define VT_OP_DECLARE(name) void vt_op_##name (VtCore *core, const VtInsn *insn);
VT_OPS (VT_OP_DECLARE)
#undef VT_OP_DECLARE

enum
{
  VT_STRING_MOVS,
  VT_STRING_STOS,
  VT_STRING_LODS,
  VT_STRING_CMPS,
  VT_STRING_SCAS,
  VT_STRING_INS,
  VT_STRING_OUTS,
};

/* string.c: ports, permission checked by the caller. */
uint32_t vt_port_in (VtCore *core, uint16_t port, unsigned size);
void     vt_port_out (VtCore *core, uint16_t port, unsigned size, uint32_t value);

/* The state of the units that XSAVE's variants differ in. */
enum
{
  VT_XSAVE_STANDARD,
  VT_XSAVE_OPT,
  VT_XSAVE_COMPACT,
  VT_XSAVE_SUPERVISOR, /* XSAVES, XRSTORS */
};
