/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Decimal arithmetic, which 64-bit mode does not have, and SALC, which no manual has.
 */
#include "ops.h"

static void
set_al (VtCore *core, uint8_t value)
{
  vt_core_set_gpr (core, VT_CPU_RAX, 1, value);
}

/* SF, ZF and PF of AL. */
static void
result_flags (VtCore *core)
{
  uint64_t flags = core->rflags;
  vt_alu_or (vt_core_gpr (core, VT_CPU_RAX, 1), 0, 1, &flags);
  const uint64_t mask = VT_FLAG_SF | VT_FLAG_ZF | VT_FLAG_PF;
  core->rflags = (core->rflags & ~mask) | (flags & mask);
}

/* DAA and DAS: @arg 1 subtracts. */
void
vt_op_decimal_adjust (VtCore *core, const VtInsn *insn)
{
  const uint8_t al = (uint8_t) core->gpr[VT_CPU_RAX];
  const bool    carry = (core->rflags & VT_FLAG_CF) != 0, subtract = insn->op->arg != 0;
  uint8_t       value = al;
  bool          out = false;

  if ((al & 15) > 9 || (core->rflags & VT_FLAG_AF))
    {
      const uint8_t adjusted = (uint8_t) (subtract ? al - 6 : al + 6);
      out = carry || (subtract ? al < 6 : al > 0xf9);
      value = adjusted;
      vt_put_flag (core, VT_FLAG_AF, true);
    }
  else
    vt_put_flag (core, VT_FLAG_AF, false);
  if (al > 0x99 || carry)
    {
      value = (uint8_t) (subtract ? value - 0x60 : value + 0x60);
      out = true;
    }
  set_al (core, value);
  vt_put_flag (core, VT_FLAG_CF, out);
  result_flags (core);
}

/* AAA and AAS: @arg 1 subtracts. */
void
vt_op_ascii_adjust (VtCore *core, const VtInsn *insn)
{
  const bool adjust = (core->gpr[VT_CPU_RAX] & 15) > 9 || (core->rflags & VT_FLAG_AF);

  if (adjust)
    {
      const uint16_t ax = (uint16_t) core->gpr[VT_CPU_RAX];
      vt_core_set_gpr (core, VT_CPU_RAX, 2,
                       insn->op->arg ? (uint16_t) (ax - 6 - 0x100) : (uint16_t) (ax + 0x106));
    }
  vt_put_flag (core, VT_FLAG_AF, adjust);
  vt_put_flag (core, VT_FLAG_CF, adjust);
  set_al (core, core->gpr[VT_CPU_RAX] & 15);
}

void
vt_op_aam (VtCore *core, const VtInsn *insn)
{
  const uint8_t base = (uint8_t) vt_operand_read (core, insn, 0);
  const uint8_t al = (uint8_t) core->gpr[VT_CPU_RAX];

  if (base == 0)
    vt_core_raise (core, VT_EXC_DE, 0);
  vt_core_set_gpr (core, VT_CPU_RAX, 2, (uint16_t) (al / base << 8 | al % base));
  result_flags (core);
}

void
vt_op_aad (VtCore *core, const VtInsn *insn)
{
  const uint8_t  base = (uint8_t) vt_operand_read (core, insn, 0);
  const uint16_t ax = (uint16_t) core->gpr[VT_CPU_RAX];

  vt_core_set_gpr (core, VT_CPU_RAX, 2, (uint8_t) ((ax & 0xff) + (ax >> 8) * base));
  result_flags (core);
}

void
vt_op_salc (VtCore *core, const VtInsn *insn)
{
  set_al (core, core->rflags & VT_FLAG_CF ? 0xff : 0);
}
