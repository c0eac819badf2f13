/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From an instruction to its form: see form.h.
 */
#include "form.h"

#define RET 0xc3u

static VtFormRegister *
add (VtForm *form, VtFormKind kind, int guest, unsigned host, const ZydisDecodedOperand *o)
{
  VtFormRegister *reg = &form->reg[form->n++];

  *reg = (VtFormRegister){ .kind = (uint8_t) kind, .guest = (uint8_t) guest, .host = (uint8_t) host,
                           .written = (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 };
  return reg;
}

/* Gives a register operand its place: the next of its kind. Those of the x87 stay, as they go by its top. */
static bool
place (VtForm *form, const ZydisDecodedOperand *o, ZydisEncoderOperand *to)
{
  /* No register that other instructions have without naming it. */
  static const uint8_t     gprs[] = { 3, 5, 6 }; /* RBX, RBP, RSI */
  const ZydisRegisterClass class = ZydisRegisterGetClass (o->reg.value);
  const int                id = ZydisRegisterGetId (o->reg.value);
  unsigned                 n_gprs = 0, n_masks = 1, n_mmx = 0, n_vectors = 1, host;

  for (unsigned i = 0; i < form->n; i++)
    switch (form->reg[i].kind)
      {
      case VT_FORM_MMX:
        n_mmx++;
        break;
      case VT_FORM_VECTOR:
        n_vectors++;
        break;
      case VT_FORM_MASK:
        n_masks++;
        break;
      default:
        n_gprs++;
        break;
      }
  if (form->n == VT_FORM_OPERANDS || n_gprs == G_N_ELEMENTS (gprs))
    return false;
  switch (class)
    {
    case ZYDIS_REGCLASS_GPR8:
      /* AL to BL, AH to BH, SPL to R15B. */
      host = gprs[n_gprs];
      add (form, id >= 4 && id < 8 ? VT_FORM_HIGH : VT_FORM_GPR, id < 4 ? id : id - 4, host, o);
      to->reg.value = ZydisRegisterEncode (class, (ZyanU8) (host < 4 ? host : host + 4));
      return true;
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      add (form, VT_FORM_GPR, id, host = gprs[n_gprs], o);
      break;
    case ZYDIS_REGCLASS_MMX:
      add (form, VT_FORM_MMX, id, host = n_mmx, o);
      break;
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
      add (form, VT_FORM_VECTOR, id, host = n_vectors, o);
      break;
    case ZYDIS_REGCLASS_MASK:
      /* Where there is none, all is selected: one form does for both. */
      add (form, VT_FORM_MASK, id == 0 && o->encoding == ZYDIS_OPERAND_ENCODING_MASK ? VT_FORM_ALL : id,
           host = n_masks, o);
      break;
    default:
      return true;
    }
  to->reg.value = ZydisRegisterEncode (class, (ZyanU8) host);
  return true;
}

/* Zeroing is merging into zeroes, if the instruction has no other use for what it writes. */
static void
clear_instead (const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
               ZydisEncoderRequest *request, VtForm *form)
{
  if (insn->avx.mask.mode != ZYDIS_MASK_MODE_ZEROING || !request->evex.zeroing_mask || form->n == 0
      || form->reg[0].kind != VT_FORM_VECTOR || (operands[0].actions & ZYDIS_OPERAND_ACTION_MASK_READ))
    return;
  request->evex.zeroing_mask = ZYAN_FALSE;
  form->reg[0].cleared = true;
}

bool
vt_form_of (const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands, VtForm *form)
{
  ZydisEncoderRequest request;
  uint8_t             bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
  ZyanUSize           length = sizeof bytes;

  *form = (VtForm){ 0 };
  if (!ZYAN_SUCCESS (ZydisEncoderDecodedInstructionToEncoderRequest (insn, operands,
                                                                     insn->operand_count_visible, &request)))
    return false;
  request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
  request.address_size_hint = ZYDIS_ADDRESS_SIZE_HINT_NONE;
  request.prefixes &= ~(ZydisInstructionAttributes) ZYDIS_ATTRIB_HAS_SEGMENT;
  for (unsigned i = 0; i < request.operand_count; i++)
    {
      ZydisEncoderOperand *o = &request.operands[i];
      if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
        {
          o->mem.base = ZydisRegisterEncode (ZYDIS_REGCLASS_GPR64, VT_FORM_BASE);
          o->mem.index = ZYDIS_REGISTER_NONE;
          o->mem.scale = 0;
          o->mem.displacement = 0;
        }
      else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER
               && operands[i].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
        {
          if (!place (form, &operands[i], o))
            return false;
        }
      else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE
               && (insn->mnemonic == ZYDIS_MNEMONIC_EXTRQ || insn->mnemonic == ZYDIS_MNEMONIC_INSERTQ))
        o->imm.u &= 0x3f; /* All that counts of two bytes (AMD APM volume 4, EXTRQ). */
    }
  /* What it has without naming it stays where it is: XMM0. */
  for (unsigned i = 0; i < insn->operand_count; i++)
    if (operands[i].visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT
        && ZydisRegisterGetClass (operands[i].reg.value) == ZYDIS_REGCLASS_XMM
        && operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
      {
        const int id = ZydisRegisterGetId (operands[i].reg.value);
        if (form->n == VT_FORM_OPERANDS || id != 0)
          return false;
        add (form, VT_FORM_VECTOR, id, (unsigned) id, &operands[i]);
      }
  clear_instead (insn, operands, &request, form);
  if (!ZYAN_SUCCESS (ZydisEncoderEncodeInstruction (&request, bytes, &length))
      || length >= sizeof form->code)
    return false;
  bytes[length++] = RET;
  for (unsigned i = 0; i < length; i++)
    form->code |= (uint64_t) bytes[i] << 8 * i;
  return true;
}
