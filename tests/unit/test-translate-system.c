/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The translator and what a system does: the TLB, the jump table, protection keys, SMAP's switches, STI's shadow.
 */
#include "translate-both.h"

/* Lets all large pages of the first 2 GiB be the one at 2 MiB: pages that are 32 MiB apart share the TLB's entries. */
static void
alias (Both *both)
{
  G_STATIC_ASSERT (VT_TLB_ENTRIES * VT_PAGE == 0x2000000);
  for (CoreRig *rig = both->rig; rig < both->rig + 2; rig++)
    {
      for (unsigned i = 2; i < 512; i++)
        vt_st64 (rig->mem + CORE_TABLES + 0x2000 + i * 8, 0x200000 | 0x87);
      vt_st64 (rig->mem + CORE_TABLES + 0x1008, (CORE_TABLES + 0x2000) | 7);
    }
}

/* More pages in turn than share an entry, some of them accessed by the interpreter in between. */
CORE_CODE (conflict, 64,
           "movl $3000, %ecx\n movl $0x200000, %ebx\n"
           "1: addq %rcx, (%rbx)\n incq 0x2000008(%rbx)\n xchgq %rdx, 0x4000010(%rbx)\n"
           "   addq 0x6000018(%rbx), %rdx\n pushq 0x8000008(%rbx)\n popq %rsi\n addq %rsi, 0xa000020(%rbx)\n"
           "   leaq 0xc000100(%rbx), %rsp\n pushq %rdx\n popq %rdi\n addq %rdi, %rdx\n"
           "   decl %ecx\n jnz 1b\n hlt\n");

static void
test_conflict (void)
{
  BOTH (conflict, core_rig_long);
  alias (&both);
  const VtTranslateCounts counts = both_run (&both);
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.interpreted, <, 200);
  both_finish (&both);
}

/* A block that the table of jumps leads to, and whose group fails at once: the fetch TLB has forgotten its page, since
 * code of more pages has been there than share an entry, and yet it gets on. */
CORE_CODE (forgotten, 64,
           "movl $200, %ecx\n movl $0x9000, %edx\n"
           "1: movl $0x40000, %ebx\n cmpl $100, %ecx\n jne 2f\n movl $0x40ff8, %ebx\n movl $0x2009000, %edi\n"
           "3: call *%rdi\n addl $0x2000000, %edi\n cmpl $0x7e000000, %edi\n jb 3b\n"
           "2: call *%rdx\n decl %ecx\n jnz 1b\n hlt\n");
CORE_CODE (group, 64, "addq (%rbx), %rsi\n addq 8(%rbx), %rsi\n incq 16(%rbx)\n ret\n");

static void
test_forgotten (void)
{
  BOTH (forgotten, core_rig_long);
  alias (&both);
  EACH (rig)
    {
      memcpy (rig->mem + 0x9000, code_group, (size_t) (code_group_end - code_group));
      rig->mem[0x209000] = 0xc3;
    }
  both_run (&both);
  g_assert_cmpuint (vt_ld64 (both.rig[INTERPRETED].mem + 0x40010), ==, 199); /* As the other one's. */
  both_finish (&both);
}

/* Protection keys as WRPKRU changes them, under accesses that have been done before: a write that key 1 forbids, and a
 * read, both done again with what the handler allows; it clears the flags that nothing reads any more. */
CORE_CODE (keys, 64,
           "movq %cr4, %rax\n orl $0x400000, %eax\n movq %rax, %cr4\n movq %cr0, %rax\n orl $0x10000, %eax\n"
           "movq %rax, %cr0\n xorl %ecx, %ecx\n xorl %edx, %edx\n movl $60, %esi\n"
           "1: xorl %eax, %eax\n wrpkru\n incl 0x40000\n movl 0x40000, %edi\n"
           "movl $8, %eax\n wrpkru\n addl 0x40000, %ebx\n incl 0x40000\n"
           "movl $4, %eax\n wrpkru\n incl 0x41000\n addl 0x40000, %ebx\n"
           "rdpkru\n addl %eax, %ebx\n decl %esi\n jnz 1b\n hlt\n" LABEL (
               keys_page) "andl $0xfffff72a, 24(%rsp)\n incl 0x3000\n movl (%rsp), %eax\n addl %eax, 0x3004\n xorl %eax, %eax\n wrpkru\n"
                          "addq $8, %rsp\n iretq\n");
extern const uint8_t keys_page[];

static void
test_keys (void)
{
  BOTH (keys, core_rig_long);
  both_gate (&both, VT_EXC_PF, CORE_AT (keys, keys_page));
  EACH (rig)
    core_pte (rig, 0x40000)[7] |= 8; /* Key 1: bits 62:59. */
  both_run (&both);
  const uint8_t *mem = both.rig[INTERPRETED].mem; /* The other one's is the same. */
  g_assert_cmpuint (vt_ld32 (mem + 0x3000), ==, 120);
  g_assert_cmphex (vt_ld32 (mem + 0x3004), ==, 60 * (0x23 + 0x21));
  g_assert_cmpuint (vt_ld32 (mem + 0x40000), ==, 120);
  g_assert_cmpuint (vt_ld32 (mem + 0x41000), ==, 60);
  both_finish (&both);
}

/* Addresses that are not canonical, whose lower bits are those of a page. */
CORE_CODE (canonical, 64,
           "movl $100, %ecx\n movabsq $0x800000000000, %rdx\n"
           "1: leaq 0x40000(%rdx), %rsi\n incl (%rsi)\n leaq 0x41000(%rdx), %rsi\n addl (%rsi), %ebx\n cmpl $50, %ecx\n"
           "leaq 0x42000(%rdx), %rsi\n movl (%rsi), %eax\n adcl $1, %ebx\n rolq $1, %rdx\n jnc 2f\n rorq $17, %rdx\n"
           "2: decl %ecx\n jnz 1b\n hlt\n" LABEL (canonical_gp)
           "incl %r15d\n andl $~0x8d5, 24(%rsp)\n addq %rsi, %rbx\n movl %esi, %esi\n addq $8, %rsp\n iretq\n");
extern const uint8_t canonical_gp[];

static void
test_canonical (void)
{
  BOTH (canonical, core_rig_long);
  both_gate (&both, VT_EXC_GP, CORE_AT (canonical, canonical_gp));
  both_run (&both);
  g_assert_cmpuint (both.rig[INTERPRETED].core->gpr[15], ==, 300);
  both_finish (&both);
}

/* STAC and CLAC under SMAP, where they change what data may be accessed: around an access to a user's page, and
 * one without, whose handler sets AC in its frame, and clears the flags that nothing reads any more. */
CORE_CODE (
    smap, 64,
    "movq %cr4, %rax\n orl $0x200000, %eax\n movq %rax, %cr4\n movl $200, %ecx\n xorl %ebx, %ebx\n"
    "1: stac\n incl 0x40000\n addl 0x40000, %ebx\n cmpl $100, %ecx\n clac\n adcl $3, %ebx\n"
    "   testl $7, %ecx\n jnz 2f\n addl 0x40000, %ebx\n addl 0x40008, %ebx\n clac\n"
    "2: pushfq\n popq %rax\n addq %rax, %rbx\n decl %ecx\n jnz 1b\n hlt\n" LABEL (
        smap_page) "incl 0x3000\n andl $0x40400, 24(%rsp)\n xorl $0x40002, 24(%rsp)\n addq $8, %rsp\n iretq\n");
extern const uint8_t smap_page[];

static void
test_smap (void)
{
  BOTH (smap, core_rig_long);
  both_gate (&both, VT_EXC_PF, CORE_AT (smap, smap_page));
  EACH (rig)
    for (unsigned page = 0; page < 512; page++)
      if (page != 0x40)
        *core_pte (rig, page * 0x1000) &= (uint8_t) ~4;
  both_run (&both);
  g_assert_cmpuint (vt_ld32 (both.rig[INTERPRETED].mem + 0x3000), ==, 25);
  g_assert_cmpuint (vt_ld32 (both.rig[INTERPRETED].mem + 0x40000), ==, 200);
  both_finish (&both);
}

/* STI's shadow: an interrupt that waits comes behind the instruction that follows it, and where that one stops
 * the program, the shadow is told. */
CORE_CODE (shadow, 64,
           "1: cli\n decl %ecx\n sti\n incq %rax\n incq %rbx\n sti\n incq %rax\n testl %ecx, %ecx\n jnz 1b\n"
           "movl $0x40ffc, %edx\n sti\n sti\n nop\n cli\n sti\n addq (%rdx), %rax\n incq %rbx\n hlt\n");

static void
test_shadow (void)
{
  BOTH (shadow, core_rig_long);
  EACH (rig)
    {
      rig->core->gpr[VT_CPU_RCX] = 100;
      rig->core->gpr[VT_CPU_RAX] = rig->core->gpr[VT_CPU_RBX] = 0;
    }
  /* Once by itself, and once more with something that waits. */
  both_run (&both);
  CoreRig *rig = &both.rig[TRANSLATED];
  for (unsigned turn = 0; turn < 3; turn++)
    {
      rig->core->mp_state = VT_CPU_MP_RUNNABLE;
      rig->core->rip = 0x1000;
      rig->core->rflags &= ~(uint64_t) VT_FLAG_IF;
      rig->core->gpr[VT_CPU_RCX] = 100;
      rig->core->gpr[VT_CPU_RAX] = rig->core->gpr[VT_CPU_RBX] = 0;
      rig->core->window = VT_WINDOW_INTERRUPT;
      g_assert_cmpint (vt_translate (rig->core, CORE_STEPS, NULL), ==, VT_STEP_DONE);
      g_assert_cmpuint (rig->core->gpr[VT_CPU_RAX], ==, 1);
      g_assert_cmpuint (rig->core->gpr[VT_CPU_RBX], ==, 0);
      g_assert_cmpuint (rig->core->shadow, ==, 0);
    }
  rig->core->window = 0;
  /* The instruction behind STI accesses two pages, which is what it leaves for; the budget of one ends the run
   * there. */
  for (unsigned turn = 0; turn < 3; turn++)
    {
      rig->core->rip = 0x1000;
      rig->core->gpr[VT_CPU_RCX] = 1;
      uint64_t shadows = 0;
      VtStep   step;
      while ((step = vt_translate (rig->core, 1, NULL)) == VT_STEP_DONE)
        shadows += rig->core->shadow == 2;
      g_assert_cmpint (step, ==, VT_STEP_HALTED);
      g_assert_cmpuint (rig->core->shadow, ==, 0);
      if (vt_translate_available (rig->core))
        g_assert_cmpuint (shadows, >=, 1);
      rig->core->mp_state = VT_CPU_MP_RUNNABLE;
    }
  both_finish (&both);
}

/* Behind its instruction the shadow has gone, also where nothing but translated code follows: the instruction that
 * is then declined is as far as it gets. */
CORE_CODE (unshadow, 64, "cli\n movl $0x666, %edx\n sti\n incq %rax\n incq %rbx\n outb %al, %dx\n hlt\n");

static void
test_unshadow (void)
{
  BOTH (unshadow, core_rig_long);
  CoreRig *rig = &both.rig[TRANSLATED];
  VtStep   step;

  for (unsigned turn = 0; turn < 3; turn++)
    {
      rig->core->rip = 0x1000;
      rig->core->gpr[VT_CPU_RBX] = 0;
      while ((step = vt_translate (rig->core, CORE_STEPS, NULL)) == VT_STEP_DONE)
        g_assert_true (rig->core->chaos);
      g_assert_cmpint (step, ==, VT_STEP_DECLINED);
      g_assert_cmpuint (rig->core->gpr[VT_CPU_RBX], ==, 1);
      g_assert_cmpuint (rig->core->shadow, ==, 0);
      g_assert_true ((rig->core->rflags & VT_FLAG_IF) != 0);
    }
  both_finish (&both);
}

/* Two targets that share a place in the jump table, of direct and of indirect jumps. */
CORE_CODE (ways, 64,
           "movl $3000, %ecx\n movl $0x9100, %esi\n movl $0xd0fc, %edi\n"
           "1: call base + 0x9100\n call base + 0xd0fc\n call *%rsi\n call *%rdi\n decl %ecx\n jnz 1b\n hlt\n");

static void
test_ways (void)
{
  static const uint8_t code[] = { 0x48, 0x8d, 0x44, 0x08, 0x01, 0xc3 }; /* leaq 1(%rax, %rcx), %rax; ret */

  G_STATIC_ASSERT ((0xd0fc + 0xd) % VT_JUMPS == (0x9100 + 9) % VT_JUMPS);
  BOTH (ways, core_rig_long);
  EACH (rig)
    {
      memcpy (rig->mem + 0x9100, code, sizeof code);
      memcpy (rig->mem + 0xd0fc, code, sizeof code);
    }
  const VtTranslateCounts counts = both_run (&both);
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.entries, <, 100);
  both_finish (&both);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-system/conflict", test_conflict);
  g_test_add_func ("/translate-system/forgotten", test_forgotten);
  g_test_add_func ("/translate-system/keys", test_keys);
  g_test_add_func ("/translate-system/canonical", test_canonical);
  g_test_add_func ("/translate-system/smap", test_smap);
  g_test_add_func ("/translate-system/shadow", test_shadow);
  g_test_add_func ("/translate-system/unshadow", test_unshadow);
  g_test_add_func ("/translate-system/ways", test_ways);
  return g_test_run ();
}
