/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * usage: list-forms FILE
 *
 * Run where Vitrine is built: writes the forms (form.h) of all instructions of the units, each with every
 * immediate, as assembly. They are found by trying every encoding, and are sorted, so that a form is looked up
 * by what it is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "examine.h"
#include "form.h"

#define LENGTH ZYDIS_MAX_INSTRUCTION_LENGTH
#define A_LINE 4u

typedef struct
{
  ZydisDecoder decoder;
  GArray      *found; /* of uint64_t: VtForm.code */
  GHashTable  *known; /* The same, of those without an immediate, or one of 0. */
} Search;

static bool
form_of (const Search *search, const uint8_t bytes[LENGTH], ZydisDecodedInstruction *insn, VtForm *form)
{
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  VtUnitUse           use;

  return ZYAN_SUCCESS (ZydisDecoderDecodeFull (&search->decoder, bytes, LENGTH, insn, operands))
         && vt_unit_runs (insn) && vt_unit_examine (insn, operands, &use) && vt_form_of (insn, operands, form);
}

/* @bytes with every immediate from the @n-th on, which are 0 yet. */
static void
add (Search *search, uint8_t bytes[LENGTH], const ZydisDecodedInstruction *insn, unsigned n)
{
  if (n < G_N_ELEMENTS (insn->raw.imm) && insn->raw.imm[n].size == 8)
    {
      for (unsigned i = 0; i < 256; i++)
        {
          bytes[insn->raw.imm[n].offset] = (uint8_t) i;
          add (search, bytes, insn, n + 1);
        }
      bytes[insn->raw.imm[n].offset] = 0;
      return;
    }

  ZydisDecodedInstruction whole;
  VtForm                  form;
  if (form_of (search, bytes, &whole, &form))
    g_array_append_val (search->found, form.code);
}

static void
try (Search *search, uint8_t bytes[LENGTH])
{
  ZydisDecodedInstruction insn;
  VtForm                  form;

  if (form_of (search, bytes, &insn, &form)
      && g_hash_table_add (search->known, g_memdup2 (&form.code, sizeof form.code)))
    add (search, bytes, &insn, 0);
}

/* What may follow the @n bytes: registers, or memory at a register's address. @all: any register, as the x87's
 * instructions differ by it; where memory is meant, a field of the opcode always may be in its place. */
static void
try_modrm (Search *search, uint8_t bytes[LENGTH], unsigned n, bool all)
{
  for (unsigned reg = 0; reg < 8; reg++)
    for (unsigned rm = 0; rm < (all ? 9 : 2); rm++)
      {
        bytes[n] = (uint8_t) ((rm == 0 ? 0 : 0xc0 | (rm - 1)) | reg << 3);
        try (search, bytes);
      }
}

static void
search_legacy (Search *search)
{
  static const uint8_t prefixes[][2] = { { 0 }, { 0x66 }, { 0xf2 }, { 0xf3 }, { 0x66, 0xf2 }, { 0x66, 0xf3 } };
  static const uint8_t maps[][2] = { { 0 }, { 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a } };

  for (unsigned p = 0; p < G_N_ELEMENTS (prefixes); p++)
    for (unsigned m = 0; m < G_N_ELEMENTS (maps); m++)
      for (unsigned rex = 0; rex < 2; rex++)
        for (unsigned opcode = m ? 0 : 0xd8; opcode < (m ? 256 : 0xe0); opcode++)
          {
            uint8_t  bytes[LENGTH] = { 0 };
            unsigned n = 0;
            for (unsigned i = 0; i < 2 && prefixes[p][i]; i++)
              bytes[n++] = prefixes[p][i];
            if (rex)
              bytes[n++] = 0x48;
            for (unsigned i = 0; i < 2 && maps[m][i]; i++)
              bytes[n++] = maps[m][i];
            bytes[n++] = (uint8_t) opcode;
            try_modrm (search, bytes, n, m == 0);
          }
}

/* VEX and EVEX: with a register in VVVV, and with none. */
static void
search_vex (Search *search)
{
  for (unsigned map = 1; map <= 3; map++)
    for (unsigned rest = 0; rest < 32; rest++) /* W, VVVV, L, PP */
      for (unsigned opcode = 0; opcode < 256; opcode++)
        {
          uint8_t bytes[LENGTH] = { 0xc4, (uint8_t) (0xe0 | map),
                                    (uint8_t) ((rest & 16) << 3 | (rest & 8 ? 0x78 : 0x70) | (rest & 7)),
                                    (uint8_t) opcode };
          try_modrm (search, bytes, 4, false);
        }
}

static void
search_evex (Search *search)
{
  for (unsigned map = 1; map <= 3; map++)
    for (unsigned first = 0; first < 16; first++)    /* W, VVVV, PP */
      for (unsigned rest = 0; rest < 32; rest++) /* Zeroing, L'L, B; a mask. */
        for (unsigned opcode = 0; opcode < 256; opcode++)
          {
            uint8_t bytes[LENGTH] = { 0x62, (uint8_t) (0xf0 | map),
                                      (uint8_t) ((first & 8) << 4 | (first & 4 ? 0x78 : 0x70) | 4 | (first & 3)),
                                      (uint8_t) ((rest & 0x1e) << 3 | 8 | (rest & 1)), (uint8_t) opcode };
            try_modrm (search, bytes, 5, false);
          }
}

static int
compare_cb (const void *a, const void *b)
{
  const uint64_t one = *(const uint64_t *) a, other = *(const uint64_t *) b;

  return one < other ? -1 : one > other;
}

/* Each in a word of its own. */
static bool
write_file (const Search *search, const char *path)
{
  FILE    *file = fopen (path, "w");
  uint64_t last = 0;
  unsigned n = 0;

  if (file == NULL)
    return false;
  fputs (".section .text.vt_forms, \"ax\", @progbits\n.balign 8\n"
         ".globl vt_forms, vt_forms_end\n.hidden vt_forms, vt_forms_end\nvt_forms:", file);
  for (unsigned i = 0; i < search->found->len; i++)
    {
      const uint64_t code = g_array_index (search->found, uint64_t, i);
      if (code != last)
        fprintf (file, "%s0x%" G_GINT64_MODIFIER "x", n++ % A_LINE ? "," : "\n.quad ", (guint64) code);
      last = code;
    }
  fputs ("\nvt_forms_end:\n.section .note.GNU-stack, \"\", @progbits\n", file);
  const bool written = !ferror (file);
  return fclose (file) == 0 && written && n != 0;
}

int
main (int argc, char **argv)
{
  Search search = {
    .found = g_array_new (FALSE, FALSE, sizeof (uint64_t)),
    .known = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL),
  };

  if (argc != 2)
    return 2;
  ZydisDecoderInit (&search.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  search_legacy (&search);
  search_vex (&search);
  search_evex (&search);
  g_array_sort (search.found, compare_cb);
  const bool written = write_file (&search, argv[1]);
  if (!written)
    perror (argv[1]);
  g_hash_table_destroy (search.known);
  g_array_free (search.found, TRUE);
  return written ? 0 : 1;
}
