/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pages that translated code brings to the TLB by itself: A and D bits, faults, what others do to the tables
 * meanwhile, and code in the tables' own page.
 */
#include "translate-both.h"

#define A 0x20u
#define D 0x40u
#define FIRST 0x80000u /* And 64 pages, of which every fourth is written only. */
#define PAGES 64u

/* Over all of these, a hundred times, from an empty TLB, with vectors in the units and flags that live. */
CORE_CODE (pages, 64,
           "movl $100, %ebp\n movdqu 0x3000, %xmm1\n movq %cr3, %rdx\n"
           "1: movl $0x80000, %ebx\n stc\n"
           "2: adcq (%rbx), %rax\n movups 0x1010(%rbx), %xmm2\n paddq %xmm1, %xmm2\n paddq %xmm2, %xmm3\n"
           "   movq %xmm3, 0x2010(%rbx)\n movl %eax, 0x3004(%rbx)\n leaq 0x4000(%rbx), %rbx\n leaq -0xc0000(%rbx), %rcx\n"
           "   jrcxz 3f\n jmp 2b\n"
           "3: adcq $7, %rax\n movq %rdx, %cr3\n decl %ebp\n jnz 1b\n hlt\n");

static void
test_marks (void)
{
  BOTH (pages, core_rig_long);
  EACH (rig)
    for (unsigned i = 0; i < 16; i++)
      rig->mem[0x3000 + i] = (uint8_t) (i * 37 + 1);
  const VtTranslateCounts counts = both_run (&both);
  for (unsigned i = 0; i < PAGES; i++)
    g_assert_cmphex (*core_pte (&both.rig[TRANSLATED], FIRST + i * VT_PAGE) & (A | D), ==, i % 4 < 2 ? A : A | D);
  if (vt_translate_available (both.rig[TRANSLATED].core) && !both.rig[TRANSLATED].core->chaos)
    {
      g_assert_cmpuint (counts.brought, >=, 90 * PAGES);
      g_assert_cmpuint (counts.interpreted, <, 500);
    }
  both_finish (&both);
}

/* Strings over pages, of which the second half is not to be written, and code in each of as many. */
CORE_CODE (strings, 64,
           "movq %cr0, %rax\n orl $0x10000, %eax\n movq %rax, %cr0\n movl $100, %ebp\n movq %cr3, %rdx\n"
           "1: movq %rdx, %cr3\n movl $0x80000, %edi\n movl $0x1000, %ecx\n movq %rbp, %rax\n rep stosq\n"
           "   movl $0x80000, %esi\n movl $0x90000, %edi\n movl $0x2000, %ecx\n rep movsl\n"
           "   movl $0xc0000, %ebx\n"
           "2: call *%rbx\n addl $0x1000, %ebx\n cmpl $0x100000, %ebx\n jb 2b\n"
           "   decl %ebp\n jnz 1b\n"
           "movq %rdx, %cr3\n movl $0x84000, %esi\n movl $0x9f000, %edi\n movl $0x1000, %ecx\n rep movsq\n hlt\n" LABEL (
               strings_page) "hlt\n");
extern const uint8_t strings_page[];

static void
test_strings (void)
{
  static const uint8_t code[] = { 0x48, 0xff, 0xc0, 0xc3 }; /* incq %rax; ret */

  BOTH (strings, core_rig_long);
  both_gate (&both, VT_EXC_PF, CORE_AT (strings, strings_page));
  EACH (rig)
    for (unsigned i = 0; i < PAGES; i++)
      {
        memcpy (rig->mem + 0xc0000 + i * VT_PAGE, code, sizeof code);
        if (i >= 32)
          *core_pte (rig, FIRST + i * VT_PAGE) &= (uint8_t) ~2;
      }
  const VtTranslateCounts counts = both_run (&both);
  CoreRig                *rig = &both.rig[TRANSLATED];
  g_assert_cmphex (rig->core->cr2, ==, 0xa0000);
  for (unsigned i = 0; i < PAGES; i++)
    {
      const unsigned marks = *core_pte (rig, FIRST + i * VT_PAGE) & (A | D);
      g_assert_cmphex (marks, ==, i < 8 || (i >= 16 && i < 24) || i == 31 ? A | D : 0);
      g_assert_cmphex (*core_pte (rig, 0xc0000 + i * VT_PAGE) & (A | D), ==, A);
    }
  if (vt_translate_available (rig->core) && !rig->core->chaos)
    g_assert_cmpuint (counts.interpreted, <, 1000);
  both_finish (&both);
}

/* Pages that are not there, or not to be written, until a fault's handler makes them so; in the end it takes them away
 * again. */
CORE_CODE (faults, 64,
           "movq %cr0, %rax\n orl $0x10000, %eax\n movq %rax, %cr0\n movl $50, %ebp\n xorl %r12d, %r12d\n"
           "1: movl $0x80000, %ebx\n"
           "2: stc\n movq (%rbx), %rcx\n adcq %rbp, 0x1008(%rbx)\n sbbq %rcx, %r12\n"
           "   movq %rbx, %rsi\n shrq $9, %rsi\n andq $~1, 0x13000(%rsi)\n invlpg (%rbx)\n"
           "   andq $~2, 0x13008(%rsi)\n invlpg 0x1000(%rbx)\n"
           "   addl $0x2000, %ebx\n cmpl $0xc0000, %ebx\n jb 2b\n decl %ebp\n jnz 1b\n hlt\n" LABEL (
               faults_page) "incl 0x3000\n movq (%rsp), %rax\n rolq $3, 0x3008\n addq %rax, 0x3008\n movq %cr2, %rsi\n"
                            "addq %rsi, 0x3010\n shrq $12, %rsi\n orq $3, 0x13000(, %rsi, 8)\n"
                            "addq $8, %rsp\n iretq\n");
extern const uint8_t faults_page[];

static void
test_faults (void)
{
  BOTH (faults, core_rig_long);
  both_gate (&both, VT_EXC_PF, CORE_AT (faults, faults_page));
  both_run (&both);
  g_assert_cmpuint (vt_ld32 (both.rig[TRANSLATED].mem + 0x3000), ==, 49 * PAGES);
  both_finish (&both);
}

/* An entry of the page table (for FIRST, at 0x13400) is the operand of an instruction in front of it, which goes on in the
 * entry: MOV %eax; ADD %al, (%rax); PUSH; POP. The ADD sets A and D in it, so what is executed next time is another code. */
#define ENTRY 0x13400u
CORE_CODE (own, 64,
           "movl $200, %ebp\n"
           "1: call base + 0x13400 - 1\n leal (%rdx, %rax), %edx\n rorl $3, %edx\n"
           "   call base + 0x13400 - 1\n leal (%rdx, %rax), %edx\n rorl $3, %edx\n"
           "   andl $~0x60, 0x13400\n invlpg 0x80000\n decl %ebp\n jnz 1b\n hlt\n");

static void
test_own (void)
{
  static const uint8_t code[] = { 0xb8, 7, 0, 8, 0, 0, 0, 0x50, 0x58, 0xc3 };

  BOTH (own, core_rig_long);
  EACH (rig)
    memcpy (rig->mem + ENTRY - 1, code, sizeof code);
  const VtTranslateCounts counts = both_run (&both);
  if (vt_translate_available (both.rig[TRANSLATED].core))
    g_assert_cmpuint (counts.written, >=, 1);
  /* And however soon a run ends, it has been told. */
  VtCore *core = both.rig[TRANSLATED].core;
  core->mp_state = VT_CPU_MP_RUNNABLE;
  core->rip = 0x1000;
  while (vt_translate (core, 1, NULL) == VT_STEP_DONE)
    g_assert_null (core->mmu.untold);
  both_finish (&both);
}

/* Another processor changes entries while they are walked and marked: bits that are the system's count up, without one
 * being lost, and A and D come back. */
CORE_CODE (shared, 64,
           "movl $100000, %ebp\n"
           "1: movl $0x80000, %ebx\n"
           "2: addq %rbp, (%rbx)\n invlpg (%rbx)\n addl $0x1000, %ebx\n cmpl $0x84000, %ebx\n jb 2b\n"
           "decl %ebp\n jnz 1b\n hlt\n");

typedef struct
{
  uint64_t *entry;
  bool      stop;
  uint64_t  n, lost;
} Other;

static gpointer
other_cb (gpointer data)
{
  Other *o = data;

  for (; !__atomic_load_n (&o->stop, __ATOMIC_RELAXED); o->n++)
    {
      /* Bits 58:52, which carry into the key; that is taken away again, as A and D are. */
      const uint64_t old = __atomic_fetch_add (&o->entry[o->n % 4], VT_BIT (52), __ATOMIC_SEQ_CST);
      o->lost += (old >> 52 & 0x7f) != (o->n / 4 & 0x7f);
      __atomic_fetch_and (&o->entry[o->n % 4], ~(uint64_t) (A | D | VT_BIT (59)), __ATOMIC_SEQ_CST);
    }
  return NULL;
}

static void
test_shared (void)
{
  CoreRig rig;
  Other   other = { 0 };

  core_rig_init (&rig);
  CORE_PUT (&rig, shared);
  core_rig_long (&rig, 0x1000);
  other.entry = (uint64_t *) (void *) core_pte (&rig, FIRST);
  GThread *thread = g_thread_new ("other", other_cb, &other);
  VtStep   step;
  do
    step = vt_translate (rig.core, CORE_STEPS, NULL);
  while (step == VT_STEP_DONE);
  __atomic_store_n (&other.stop, true, __ATOMIC_RELAXED);
  g_thread_join (thread);
  g_assert_cmpint (step, ==, VT_STEP_HALTED);
  g_assert_cmpuint (other.lost, ==, 0);
  g_assert_cmpuint (other.n, >, 1000);
  for (unsigned i = 0; i < 4; i++)
    g_assert_cmpuint (vt_ld64 (rig.mem + FIRST + i * VT_PAGE), ==, UINT64_C (100000) * 100001 / 2);
  core_rig_finish (&rig);
}

/* A page is written (the second time by way of a slot) whose place in the TLB others then take, and then what is in it
 * is executed. */
#define STRAY 0x80000u
#define CONFLICTS "movl $0x2080000, %ebx\n 2: movl %ebp, (%rbx)\n addq $0x2000000, %rbx\n cmpq $0x2a080000, %rbx\n jb 2b\n"

CORE_CODE (stray, 64,
           "movl $50, %ebp\n xorl %edx, %edx\n"
           "1: call 3f\n call 3f\n" CONFLICTS "   movl $0x80000, %ecx\n call *%rcx\n addl %eax, %edx\n"
           "decl %ebp\n jnz 1b\n hlt\n"
           "3: movl %ebp, 0x80001\n ret\n");
CORE_CODE (left, 64, "movl %ebp, 0x80001\n" CONFLICTS "hlt\n");

/* The other pages, 32 MiB apart, are all one. */
static void
map_conflicts (CoreRig *rig)
{
  for (unsigned i = 1; i <= 20; i++)
    vt_st64 (rig->mem + CORE_TABLES + 0x2000 + i * 16 * 8, 0x200000 | 0x87);
}

static void
test_stray (void)
{
  static const uint8_t code[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* movl $…, %eax; ret */

  G_STATIC_ASSERT (20 > VT_TLB_VICTIMS && 0x2000000 / VT_PAGE % VT_TLB_ENTRIES == 0);
  BOTH (stray, core_rig_long);
  EACH (rig)
    {
      map_conflicts (rig);
      memcpy (rig->mem + STRAY, code, sizeof code);
    }
  both_run (&both);
  g_assert_cmphex (both.rig[TRANSLATED].core->gpr[VT_CPU_RDX], ==, 50 * 51 / 2);
  both_finish (&both);
}

/* Who has put it under watch, or wants to know what may have been written, learns of it. */
static void
test_left (void)
{
  CoreRig rig;

  for (unsigned turn = 0; turn < 2; turn++)
    {
      core_rig_init (&rig);
      CORE_PUT (&rig, left);
      core_rig_long (&rig, 0x1000);
      map_conflicts (&rig);
      while (vt_translate (rig.core, CORE_STEPS, NULL) == VT_STEP_DONE)
        g_assert_true (rig.core->chaos);
      VtMmu *mmu = &rig.core->mmu;
      if (vt_translate_available (rig.core) && !rig.core->chaos)
        {
          g_assert_cmpuint (mmu->n_strays, >, 0);
          g_assert_cmphex (mmu->stray[0].tag, ==, STRAY);
          vt_ram_watch (rig.space, rig.ram, STRAY, NULL);
          if (turn)
            vt_mmu_mark_written (rig.core);
          else
            vt_mmu_drop_watched (rig.core);
          g_assert_false (vt_ram_watched (rig.ram, STRAY));
          if (turn == 0)
            g_assert_cmpuint (mmu->n_strays, ==, 0);
        }
      core_rig_finish (&rig);
    }
}

/* With a dirty log on, the table's page is in it for the A bits, and pages that were read are not. */
CORE_CODE (reads, 64,
           "movl $8, %ebp\n"
           "1: movl $0x80000, %ebx\n"
           "2: addq (%rbx), %rax\n addl $0x1000, %ebx\n cmpl $0xc0000, %ebx\n jb 2b\n"
           "decl %ebp\n jnz 1b\n hlt\n");

static void
test_log (void)
{
  uint64_t bits[CORE_RAM / VT_PAGE / 64];
  CoreRig  rig;

  core_rig_init (&rig);
  CORE_PUT (&rig, reads);
  core_rig_long (&rig, 0x1000);
  vt_ram_log_start (rig.ram);
  for (unsigned turn = 0; turn < 3; turn++)
    {
      for (unsigned i = 0; i < PAGES; i++)
        *core_pte (&rig, FIRST + i * VT_PAGE) &= (uint8_t) ~A;
      vt_mmu_flush_local (&rig.core->mmu);
      vt_ram_log_fetch (rig.ram, bits);
      rig.core->mp_state = VT_CPU_MP_RUNNABLE;
      rig.core->rip = 0x1000;
      while (vt_translate (rig.core, CORE_STEPS, NULL) == VT_STEP_DONE)
        g_assert_true (rig.core->chaos);
      g_assert_true (vt_ram_log_fetch (rig.ram, bits));
      g_assert_true (bits[0] & VT_BIT (0x13));
      for (unsigned i = 0; i < PAGES; i++)
        {
          g_assert_true (*core_pte (&rig, FIRST + i * VT_PAGE) & A);
          g_assert_false (bits[(FIRST / VT_PAGE + i) / 64] >> (FIRST / VT_PAGE + i) % 64 & 1);
        }
    }
  core_rig_finish (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-tlb/marks", test_marks);
  g_test_add_func ("/translate-tlb/strings", test_strings);
  g_test_add_func ("/translate-tlb/faults", test_faults);
  g_test_add_func ("/translate-tlb/own", test_own);
  g_test_add_func ("/translate-tlb/shared", test_shared);
  g_test_add_func ("/translate-tlb/stray", test_stray);
  g_test_add_func ("/translate-tlb/left", test_left);
  g_test_add_func ("/translate-tlb/log", test_log);
  return g_test_run ();
}
