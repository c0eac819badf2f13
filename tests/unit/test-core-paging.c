/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * 32-bit and PAE paging (SDM volume 3, 4.3, 4.4 and 4.6 to 4.8): rights, reserved bits, large pages, error codes,
 * accessed and dirty flags, entry by entry. Those of 64-bit mode are tests/guest/system's.
 */
#include "core-faults.h"

#define AT 0x400123u /* What is accessed: @upper leads there, by the table at TABLE or itself. */
#define DIRECTORY 0x11000u
#define IDENTITY 0x12000u
#define TABLE 0x13000u
#define PLACE 0x7123u /* Where 0x7000 maps it. */
#define WORD 0xfeed42cdu /* INT 0x42, for who executes it. */

CORE_CODE (read_it, 32, "movl 0x400123, %eax\n int $0x42\n");
CORE_CODE (write_it, 32, "movl $0x55aa42cd, 0x400123\n int $0x42\n");
CORE_CODE (fetch_it, 32, "movl $0x400123, %eax\n jmp *%eax\n");

typedef enum
{
  READ,
  WRITE,
  FETCH,
} Access;

typedef struct
{
  bool     pae;
  uint64_t upper, entry; /* @entry 0: @upper maps a large page. */
  Access   access;
  unsigned cpl;
  uint64_t cr0, cr4, efer;
  int      error; /* -1: none. */
} Paging;

#define TO (TABLE | 7)
#define PTE 0x7007u
#define PSE VT_CR4_PSE
#define WP VT_CR0_WP
#define NXE VT_EFER_NXE
#define SMEP VT_CR4_SMEP
#define SMAP VT_CR4_SMAP
#define XD VT_BIT (63)

static const Paging cases[] = {
  /* 32 bits: not present, read-only, a supervisor's, at either level. */
  { false, TO, PTE, READ, 0, 0, 0, 0, -1 },
  { false, TO, PTE, WRITE, 3, WP, 0, 0, -1 },
  { false, TO, PTE, FETCH, 3, 0, 0, 0, -1 },
  { false, TO & ~1u, PTE, READ, 0, 0, 0, 0, 0 },
  { false, TO, PTE & ~1u, READ, 0, 0, 0, 0, 0 },
  { false, TO, PTE & ~1u, WRITE, 3, 0, 0, 0, 6 },
  { false, TO, PTE & ~1u, FETCH, 3, 0, 0, 0, 4 }, /* Told as a fetch with XD or SMEP only. */
  { false, TO, PTE & ~1u, FETCH, 0, 0, SMEP, 0, 0x10 },
  { false, TO & ~2u, PTE, WRITE, 0, 0, 0, 0, -1 },
  { false, TO & ~2u, PTE, WRITE, 0, WP, 0, 0, 3 },
  { false, TO, PTE & ~2u, WRITE, 0, WP, 0, 0, 3 },
  { false, TO, PTE & ~2u, WRITE, 3, 0, 0, 0, 7 },
  { false, TO & ~2u, PTE, WRITE, 3, 0, 0, 0, 7 },
  { false, TO & ~4u, PTE, READ, 3, 0, 0, 0, 5 },
  { false, TO, PTE & ~4u, FETCH, 3, 0, 0, 0, 5 },
  { false, TO, PTE, FETCH, 0, 0, SMEP, 0, 0x11 },
  { false, TO & ~4u, PTE, FETCH, 0, 0, SMEP, 0, -1 },
  { false, TO, PTE, READ, 0, 0, SMAP, 0, 1 },
  { false, TO, PTE, WRITE, 0, 0, SMAP, 0, 3 },
  { false, TO, PTE & ~4u, WRITE, 0, 0, SMAP, 0, -1 },
  /* 4 MiB: CR4.PSE makes them, of bits 21 to 13 those that PSE-36 has, up to MAXPHYADDR, are its. */
  { false, 0x87, 0, READ, 3, 0, PSE, 0, -1 },
  { false, 0x87, 0, WRITE, 3, WP, PSE, 0, -1 },
  { false, 0x85, 0, WRITE, 3, 0, PSE, 0, 7 },
  { false, 0x1087, 0, READ, 3, 0, PSE, 0, -1 }, /* PAT */
  { false, 0x87 | VT_BIT (21), 0, READ, 3, 0, PSE, 0, 0xd },
  { false, TO | 0x80, PTE, READ, 3, 0, 0, 0, -1 }, /* Ignored without. */
  /* PAE: all of it again, and XD. */
  { true, TO, PTE, READ, 0, 0, 0, 0, -1 },
  { true, TO, PTE, WRITE, 3, WP, 0, 0, -1 },
  { true, TO & ~1u, PTE, READ, 0, 0, 0, 0, 0 },
  { true, TO, PTE & ~1u, WRITE, 3, 0, 0, 0, 6 },
  { true, TO & ~2u, PTE, WRITE, 0, WP, 0, 0, 3 },
  { true, TO, PTE & ~2u, WRITE, 3, 0, 0, 0, 7 },
  { true, TO & ~4u, PTE, READ, 3, 0, 0, 0, 5 },
  { true, TO, PTE | XD, READ, 3, 0, 0, NXE, -1 },
  { true, TO, PTE | XD, FETCH, 3, 0, 0, NXE, 0x15 },
  { true, TO | XD, PTE, FETCH, 0, 0, 0, NXE, 0x11 },
  { true, TO, PTE & ~1u, FETCH, 3, 0, 0, NXE, 0x14 },
  { true, TO, PTE | XD, READ, 3, 0, 0, 0, 0xd },
  { true, TO | XD, PTE, WRITE, 0, 0, 0, 0, 0xb },
  { true, TO, PTE | VT_BIT (62), READ, 0, 0, 0, 0, 9 },
  { true, TO | VT_BIT (52), PTE, READ, 0, 0, 0, 0, 9 },
  { true, TO, (PTE | VT_BIT (62)) & ~UINT64_C (1), READ, 0, 0, 0, 0, 0 },
  { true, 0x87, 0, WRITE, 3, 0, 0, 0, -1 }, /* 2 MiB, without CR4.PSE too. */
  { true, 0x1087, 0, READ, 3, 0, 0, 0, -1 },
  { true, 0x87 | VT_BIT (13), 0, READ, 3, 0, 0, 0, 0xd },
  { true, 0x87 | VT_BIT (20), 0, WRITE, 0, 0, 0, 0, 0xb },
  { true, 0x87 | XD, 0, FETCH, 3, 0, 0, NXE, 0x15 },
  { true, TO, PTE, FETCH, 0, 0, SMEP, 0, 0x11 },
  { true, TO, PTE, WRITE, 0, 0, SMAP, 0, 3 },
};

static void
put_entry (CoreRig *rig, bool pae, uint32_t table, unsigned n, uint64_t value)
{
  if (pae)
    vt_st64 (rig->mem + table + n * 8, value);
  else
    vt_st32 (rig->mem + table + n * 4, (uint32_t) value);
}

static uint64_t
get_entry (CoreRig *rig, bool pae, uint32_t table, unsigned n)
{
  return pae ? vt_ld64 (rig->mem + table + n * 8) : vt_ld32 (rig->mem + table + n * 4);
}

/* The first 2 or 4 MiB are what they are, a supervisor's where it is one who runs. */
static void
put_tables (CoreRig *rig, const Paging *p)
{
  const uint64_t rights = p->cpl ? 7 : 3;

  vt_st64 (rig->mem + CORE_TABLES, DIRECTORY | 1);
  put_entry (rig, p->pae, DIRECTORY, 0, IDENTITY | 7);
  for (unsigned i = 0; i < (p->pae ? 512 : 1024); i++)
    put_entry (rig, p->pae, IDENTITY, i, i * 0x1000 | rights);
  put_entry (rig, p->pae, DIRECTORY, p->pae ? 2 : 1, p->upper);
  put_entry (rig, p->pae, TABLE, 0, p->entry);
}

static void
put_processor (CoreRig *rig, const Paging *p)
{
  VtCore *core = rig->core;

  core->seg[VT_CPU_TR] = (VtCpuSegment){ .base = TSS_A, .limit = 0x67, .selector = A, .type = 11, .present = true };
  core_gdt (rig, A, TSS_A, 0x67, 0x8b, 0);
  if (p->cpl)
    {
      for (unsigned i = VT_CPU_ES; i <= VT_CPU_GS; i++)
        core->seg[i] = core_segment (i == VT_CPU_CS ? SEL_USER_CODE : SEL_USER_DATA, i == VT_CPU_CS, false);
      core->cpl = 3;
    }
  core->efer = p->efer;
  core->cr4 = p->cr4 | (p->pae ? VT_CR4_PAE : 0);
  core->cr3 = p->pae ? CORE_TABLES : DIRECTORY;
  core->cr0 |= VT_CR0_PG | p->cr0;
  vt_core_changed (core);
  vt_mmu_flush (&core->mmu);
  if (p->pae)
    core->pdpte[0] = DIRECTORY | 1;
  vt_st32 (rig->mem + TSS_F + CR3, (uint32_t) core->cr3);
}

static void
test_entries (gconstpointer data)
{
  static const uint8_t *const codes[] = { code_read_it, code_write_it, code_fetch_it };
  static const uint8_t *const ends[] = { code_read_it_end, code_write_it_end, code_fetch_it_end };
  const unsigned              kind = GPOINTER_TO_UINT (data);

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const Paging  *p = &cases[i];
      const uint32_t place = p->entry ? PLACE : AT & 0xfff;
      CoreRig        rig_, *rig = &rig_;

      g_test_message ("case %u", i);
      rig_init (rig, kind, codes[p->access], ends[p->access]);
      protected_init (rig);
      put_tables (rig, p);
      put_processor (rig, p);
      vt_st32 (rig->mem + place, WORD);
      if (p->error >= 0)
        take (rig, VT_EXC_PF);
      run (rig, kind);
      const uint64_t upper = get_entry (rig, p->pae, DIRECTORY, p->pae ? 2 : 1);
      const uint64_t leaf = p->entry ? get_entry (rig, p->pae, TABLE, 0) : upper;
      if (p->error >= 0)
        {
          g_assert_cmphex (vt_ld32 (rig->mem + 0x3000), ==, p->error);
          g_assert_cmphex (rig->core->cr2, ==, AT);
          g_assert_cmphex (of (rig, TSS_A, EIP), ==, p->access == FETCH ? AT : 0x1000);
          g_assert_cmphex (vt_ld32 (rig->mem + place), ==, WORD);
          g_assert_cmphex (leaf & 0x40, ==, (p->entry ? p->entry : p->upper) & 0x40); /* D */
        }
      else
        {
          g_assert_cmphex (vt_ld32 (rig->mem + 0x3020), !=, 0);
          g_assert_cmphex (vt_ld32 (rig->mem + place), ==, p->access == WRITE ? 0x55aa42cd : WORD);
          g_assert_cmphex (upper & 0x20, ==, 0x20);
          g_assert_cmphex (leaf & 0x60, ==, p->access == WRITE ? 0x60 : 0x20);
          if (p->entry)
            g_assert_cmphex (upper & 0x40, ==, 0);
        }
      core_rig_finish (rig);
    }
}

/* The 8 bits of PSE-36 are bits 39 to 32 of the address, of which this memory has none. */
static void
test_pse36 (gconstpointer data)
{
  const Paging p = { false, 0x87 | 1u << 13, 0, READ, 0, 0, PSE, 0, -1 };
  RIG (read_it);

  protected_init (rig);
  put_tables (rig, &p);
  put_processor (rig, &p);
  vt_st32 (rig->mem + (AT & 0xfff), WORD);
  VtGpa gpa;
  g_assert_true (vt_mmu_peek (rig->core, AT, &gpa));
  g_assert_cmphex (gpa, ==, 0x100000123);
  (void) kind;
  core_rig_finish (rig);
}

int
main (int argc, char **argv)
{
  static const CoreTest tests[] = { { "entries", test_entries }, { "pse-36", test_pse36 } };

  g_test_init (&argc, &argv, NULL);
  add_core_tests ("paging", tests, G_N_ELEMENTS (tests));
  return g_test_run ();
}
