/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding all forms, and making instructions of one: see host-forms.h.
 */
#include "rig/host-forms.h"

#include <string.h>

/* How ModRM is tried: [RBX + disp32], [RBX + RBP + disp32] (which a vector of indices needs), a register. */
static const uint8_t modes[] = { 0x83, 0x84, 0xc1 };

typedef struct
{
  HostForms  *forms;
  GArray     *found; /* of HostForm */
  GHashTable *keys;  /* HostForm.key → its index + 1 */
} Search;

static uint64_t
mix (uint64_t key, uint64_t value)
{
  return (key ^ value) * UINT64_C (0x100000001b3);
}

/* What makes it the form that it is. */
static uint64_t
key_of (const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands)
{
  uint64_t key = UINT64_C (0xcbf29ce484222325);

  key = mix (key, insn->mnemonic);
  key = mix (key, insn->encoding);
  key = mix (key, insn->operand_width);
  key = mix (key, insn->attributes
                      & (ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE
                         | ZYDIS_ATTRIB_HAS_REPNE));
  key = mix (key, insn->avx.vector_length);
  key = mix (key, insn->avx.mask.reg != ZYDIS_REGISTER_NONE && insn->avx.mask.reg != ZYDIS_REGISTER_K0);
  key = mix (key, insn->avx.mask.mode);
  key = mix (key, insn->avx.broadcast.mode);
  key = mix (key, insn->avx.rounding.mode * 2u + insn->avx.has_sae);
  for (unsigned i = 0; i < insn->operand_count_visible; i++)
    {
      const ZydisDecodedOperand *o = &operands[i];
      key = mix (key, o->type);
      key = mix (key, o->size);
      if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
        {
          const ZydisRegisterClass class = ZydisRegisterGetClass (o->reg.value);
          const int                id = ZydisRegisterGetId (o->reg.value);
          key = mix (key, class);
          key = mix (key, class == ZYDIS_REGCLASS_GPR8 && id >= 4 && id < 8); /* AH to BH */
        }
      else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
        key = mix (key, o->mem.type);
    }
  return key;
}

static bool
decode (const HostForms *forms, const uint8_t *bytes, ZydisDecodedInstruction *insn, uint64_t *key)
{
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  if (!ZYAN_SUCCESS (ZydisDecoderDecodeFull (&forms->decoder, bytes, HOST_FORM_BYTES, insn, operands)))
    return false;
  *key = key_of (insn, operands);
  return true;
}

/* Takes what @n bytes and all that may follow them stand for. */
static bool
try (Search *search, const uint8_t *bytes, unsigned n)
{
  ZydisDecodedInstruction insn;
  HostForm                form = { 0 };

  memset (form.bytes, 0x11, sizeof form.bytes);
  memcpy (form.bytes, bytes, n);
  if (!decode (search->forms, form.bytes, &insn, &form.key))
    return false;
  form.mnemonic = (uint16_t) insn.mnemonic;
  form.modrm = insn.attributes & ZYDIS_ATTRIB_HAS_MODRM ? insn.raw.modrm.offset : 0;
  form.tail = (uint8_t) (form.modrm ? form.modrm + 1u : n - 2);
  if (g_hash_table_contains (search->keys, &form.key))
    return true;
  if (form.modrm)
    {
      ZydisDecodedInstruction other;
      uint64_t                key;
      uint8_t                 changed[HOST_FORM_BYTES];
      memcpy (changed, form.bytes, sizeof changed);
      changed[form.modrm] ^= 0x08;
      form.extended = !decode (search->forms, changed, &other, &key) || other.mnemonic != insn.mnemonic;
    }
  g_array_append_val (search->found, form);
  g_hash_table_add (search->keys, g_memdup2 (&form.key, sizeof form.key));
  return true;
}

/* All values that ModRM may have behind the @n bytes. @all: of the fields that are registers, too. */
static bool
try_modrm (Search *search, uint8_t *bytes, unsigned n, bool all)
{
  bool any = false;

  for (unsigned reg = all ? 0 : 2; reg < (all ? 8 : 3); reg++)
    for (unsigned m = 0; m < G_N_ELEMENTS (modes); m++)
      for (unsigned rm = 0; rm < (all && m == 2 ? 8 : 1); rm++)
        {
          bytes[n] = (uint8_t) ((modes[m] ^ rm) | reg << 3);
          bytes[n + 1] = 0x2b; /* A SIB byte where one is wanted: RBX + RBP. */
          any |= try (search, bytes, n + 2);
        }
  return any;
}

static void
search_legacy (Search *search)
{
  static const uint8_t prefixes[] = { 0, 0x66, 0xf2, 0xf3, 0xf0 };
  static const uint8_t maps[] = { 0, 0x0f, 0x38, 0x3a };

  for (unsigned p = 0; p < G_N_ELEMENTS (prefixes); p++)
    for (unsigned m = 0; m < G_N_ELEMENTS (maps); m++)
      for (unsigned rex = 0; rex < (search->forms->bits == 64 ? 3 : 1); rex++)
        for (unsigned opcode = 0; opcode < 256; opcode++)
          {
            uint8_t  bytes[HOST_FORM_BYTES];
            unsigned n = 0;
            if (prefixes[p])
              bytes[n++] = prefixes[p];
            if (rex)
              bytes[n++] = rex == 2 ? 0x48 : 0x40;
            if (maps[m])
              bytes[n++] = 0x0f;
            if (maps[m] > 0x0f)
              bytes[n++] = maps[m];
            bytes[n++] = (uint8_t) opcode;
            /* Prefixes that would be another instruction's, and the prefixes of VEX and EVEX. */
            if (maps[m] == 0
                && (((opcode & 0xf0) == 0x40 && search->forms->bits == 64) || opcode == 0x0f || (opcode & 0xfc) == 0x64 || (opcode & 0xfe) == 0xf2
                    || opcode == 0xf0 || opcode == 0x2e || opcode == 0x36 || opcode == 0x3e
                    || opcode == 0x26))
              continue;
            if (maps[m] == 0x0f && (opcode == 0x38 || opcode == 0x3a))
              continue;
            try_modrm (search, bytes, n, true);
          }
}

/* VEX and EVEX: a register in VVVV where nothing else is allowed, or wanted. */
static void
try_vector (Search *search, uint8_t *bytes, unsigned n, unsigned vvvv_at)
{
  const uint8_t opcode = bytes[n - 1];
  const bool    groups = (opcode >= 0x71 && opcode <= 0x73) || opcode == 0xae || opcode == 0xc6
                      || opcode == 0xc7 || opcode == 0xf3;

  bytes[vvvv_at] |= 0x78;
  try_modrm (search, bytes, n, groups);
  bytes[vvvv_at] = (uint8_t) ((bytes[vvvv_at] & ~0x78u) | 0x40);
  try_modrm (search, bytes, n, groups);
}

static void
search_vex (Search *search)
{
  for (unsigned map = 1; map <= 3; map++)
    for (unsigned rest = 0; rest < 16; rest++) /* W, L, PP */
      for (unsigned opcode = 0; opcode < 256; opcode++)
        {
          uint8_t bytes[HOST_FORM_BYTES] = { 0xc4, (uint8_t) (0xe0 | map),
                                             (uint8_t) ((rest & 8) << 4 | (rest & 7)),
                                             (uint8_t) opcode };
          try_vector (search, bytes, 4, 2);
        }
}

static void
search_evex (Search *search)
{
  for (unsigned map = 1; map <= 3; map++)
    for (unsigned w_pp = 0; w_pp < 8; w_pp++)
      for (unsigned rest = 0; rest < 32; rest++) /* Zeroing, L'L, b; a mask. */
        for (unsigned opcode = 0; opcode < 256; opcode++)
          {
            uint8_t bytes[HOST_FORM_BYTES] = { 0x62, (uint8_t) (0xf0 | map),
                                               (uint8_t) ((w_pp & 4) << 5 | 4 | (w_pp & 3)),
                                               (uint8_t) ((rest & 0x1e) << 3 | 8 | (rest & 1)),
                                               (uint8_t) opcode };
            if ((rest & 0x10) && !(rest & 1))
              continue;
            try_vector (search, bytes, 5, 2);
          }
}

HostForms *
host_forms_new (unsigned bits)
{
  HostForms *forms = g_new0 (HostForms, 1);
  Search     search = {
        .forms = forms,
        .found = g_array_new (FALSE, FALSE, sizeof (HostForm)),
        .keys = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL),
  };

  forms->bits = bits;
  if (bits == 64)
    ZydisDecoderInit (&forms->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  else
    ZydisDecoderInit (&forms->decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
  search_legacy (&search);
  search_vex (&search);
  search_evex (&search);
  g_hash_table_destroy (search.keys);
  forms->n = search.found->len;
  forms->form = (HostForm *) (void *) g_array_free (search.found, FALSE);
  return forms;
}

void
host_forms_free (HostForms *forms)
{
  g_free (forms->form);
  g_free (forms);
}

/* Making instructions ------------------------------------------------------------------------------- */

/* Bits of the prefixes that name registers: each set of them is changed every other time. */
static void
vary_prefixes (bool wide, uint64_t random, uint8_t *bytes)
{
  unsigned at = 0;

  while (bytes[at] == 0x66 || bytes[at] == 0xf0 || bytes[at] == 0xf2 || bytes[at] == 0xf3)
    at++;
  if ((bytes[at] == 0xc4 || bytes[at] == 0x62) && (wide || bytes[at + 1] >= 0xc0))
    {
      const bool evex = bytes[at] == 0x62;
      if (random & 1)
        bytes[at + 1] ^= (uint8_t) (random >> 8 & 0xe0);
      if (random & 2)
        bytes[at + 2] ^= (uint8_t) (random >> 16 & 0x78);
      if (evex && (random & 4))
        bytes[at + 1] ^= (uint8_t) (random >> 24 & 0x10);
      if (evex && (random & 8))
        bytes[at + 3] ^= (uint8_t) (random >> 32 & 0x08);
      if (evex && (bytes[at + 3] & 7))
        bytes[at + 3] = (uint8_t) ((bytes[at + 3] & ~7u) | (1 + (random >> 40) % 7));
    }
  else if (wide && (bytes[at] & 0xf0) == 0x40 && (random & 1))
    bytes[at] |= (uint8_t) (random >> 8 & 7);
}

/* One more prefix in front. */
static void
insert (uint8_t *bytes, unsigned at, uint8_t prefix, unsigned *modrm)
{
  memmove (bytes + at + 1, bytes + at, HOST_FORM_BYTES - 1 - at);
  bytes[at] = prefix;
  if (*modrm)
    *modrm += 1;
}

void
host_form_vary (const HostForms *forms, const HostForm *form, uint64_t *random,
                uint8_t bytes[HOST_FORM_BYTES])
{
  static const uint8_t    address[] = { 0x64, 0x65, 0x67 };
  ZydisDecodedInstruction insn;
  uint64_t                key;

  for (unsigned attempt = 0; attempt < 6; attempt++)
    {
      const uint64_t r = host_random (random), s = host_random (random);
      unsigned       modrm = form->modrm;

      memcpy (bytes, form->bytes, HOST_FORM_BYTES);
      for (unsigned i = form->tail; i < HOST_FORM_BYTES; i++)
        bytes[i] = (uint8_t) (host_random (random) >> 32);
      vary_prefixes (forms->bits == 64, r, bytes);
      if (modrm)
        {
          const bool memory = bytes[modrm] < 0xc0;
          if (s & 1)
            bytes[modrm] = (uint8_t) ((bytes[modrm] & ~7u) | (s >> 8 & 7));
          if (memory && (s & 2))
            bytes[modrm] = (uint8_t) ((bytes[modrm] & 0x3f) | (s >> 16) % 3 << 6);
          if (!form->extended && (s & 4))
            bytes[modrm] = (uint8_t) ((bytes[modrm] & 0xc7) | (s >> 24 & 7) << 3);
        }
      /* REX for those that do without. */
      unsigned at = 0;
      while (bytes[at] == 0x66 || bytes[at] == 0xf0 || bytes[at] == 0xf2 || bytes[at] == 0xf3)
        at++;
      if (forms->bits == 64 && bytes[at] != 0xc4 && bytes[at] != 0x62 && (bytes[at] & 0xf0) != 0x40 && (s & 16))
        insert (bytes, at, (uint8_t) (0x40 | (s >> 32 & 7)), &modrm);
      if ((s >> 40 & 31) == 0)
        insert (bytes, 0, address[(s >> 48) % 3], &modrm);
      if (decode (forms, bytes, &insn, &key) && key == form->key)
        {
          /* A jump stays near. */
          if (insn.raw.imm[0].is_relative && insn.raw.imm[0].size == 32)
            {
              const int32_t by = (int32_t) (s >> 50 & 0x3ff) - 0x200;
              memcpy (bytes + insn.raw.imm[0].offset, &by, sizeof by);
            }
          return;
        }
    }
  memcpy (bytes, form->bytes, HOST_FORM_BYTES);
}

char *
host_form_text (const HostForms *forms, const HostForm *form)
{
  ZydisDecodedInstruction insn;
  ZydisDecodedOperand     operands[ZYDIS_MAX_OPERAND_COUNT];
  ZydisFormatter          formatter;
  char                    text[128];

  ZydisDecoderDecodeFull (&forms->decoder, form->bytes, HOST_FORM_BYTES, &insn, operands);
  ZydisFormatterInit (&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  ZydisFormatterFormatInstruction (&formatter, &insn, operands, insn.operand_count_visible, text,
                                   sizeof text, 0, NULL);
  return g_strdup (text);
}
