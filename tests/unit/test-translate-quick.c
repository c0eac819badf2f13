/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What translated code calls functions for: the ways into a kernel and out of it, strings, and bits by number.
 */
#include "translate-both.h"

#define WRMSR(index, low, high) "movl $" index ", %ecx\n movl $" low ", %eax\n movl $" high ", %edx\n wrmsr\n"
/* SYSCALL takes IF, DF and TF away. */
#define SYSCALLS(entry) \
  WRMSR ("0xc0000081", "0", "0x230018") \
  WRMSR ("0xc0000082", entry " - base", "0") WRMSR ("0xc0000084", "0x700", "0")
/* A frame of IRETQ at privilege 3, and at 0 with a stack segment that is null. */
#define TO_USER(target) "pushq $35\n pushq $0x7000\n pushq %rax\n pushq $51\n pushq $" target " - base\n iretq\n"
#define TO_KERNEL(target) "pushq $0\n pushq $0x7800\n pushq %rax\n pushq $24\n pushq $" target " - base\n iretq\n"

/* There and back by SYSRET, SYSCALL and IRETQ with all kinds of flags, and what kernels do on the way. The vector
 * registers stay in the units. @r14: where the kernel goes on. */
CORE_CODE (entries, 64,
           SYSCALLS ("entry")
           "movl $2000, %ebp\n"
           "1: movl %ebp, %r11d\n andl $0xcd5, %r11d\n orl $0x200, %r11d\n"
           "  movl $(usr1 - base), %ecx\n leaq (back - base), %r14\n movl $0x7400, %esp\n"
           "  verw (9f - base)\n sysretq\n"
           "usr1: movw %cs, %ax\n addq %rax, %rbx\n movw %ss, %ax\n addq %rax, %rbx\n"
           "  pushfq\n popq %rax\n cld\n addq %rax, %rbx\n movd %eax, %xmm1\n paddd %xmm1, %xmm0\n"
           "  rdtsc\n addq %rax, %rbx\n rdtscp\n addq %rcx, %rbx\n"
           "  rdfsbase %rax\n leaq 3(%rax, %rbp), %rax\n wrfsbase %rax\n rdgsbase %edx\n"
           "  addq %rdx, %rbx\n movl %ebp, %ecx\n shlq $34, %rcx\n wrgsbase %rcx\n"
           "  cmpq %rdx, %rbx\n syscall\n hlt\n"
           "entry: pushfq\n addq %r11, %rbx\n addq %rcx, %rbx\n popq %rax\n addq %rax, %rbx\n"
           "  movq $-1, %rsi\n movw %cs, %si\n addq %rsi, %rbx\n movl %ss, %esi\n"
           "  rolq $7, %rbx\n addq %rsi, %rbx\n jmp *%r14\n"
           "back: leaq (again - base), %r14\n"
           "  movq %cr3, %rax\n addq %rax, %rbx\n movq %cr0, %r9\n addq %r9, %rbx\n"
           "  movl %ebp, %eax\n andl $0xcd5, %eax\n orl $0x42, %eax\n" TO_USER ("user2")
           "user2: pushfq\n popq %rax\n cld\n addq %rax, %rbx\n stc\n verw (9f - base)\n adcq %rsp, %rbx\n syscall\n hlt\n"
           "again: movl %ebp, %eax\n andl $0x8d5, %eax\n" TO_KERNEL ("last")
           "last: pushfq\n popq %rax\n addq %rax, %rbx\n addq %rsp, %rbx\n paddd %xmm0, %xmm2\n"
           "  decl %ebp\n jnz 1b\n hlt\n"
           "9: .word 35\n");

static void
test_entries (void)
{
  BOTH (entries, core_rig_long);
  EACH (rig)
    {
      rig->core->cr4 |= VT_CR4_FSGSBASE;
      rig->core->tsc_aux = 5;
      rig->core->seg[VT_CPU_GS].base = UINT64_C (0x123456789abc);
    }
  const VtTranslateCounts counts = both_run (&both);
  /* Ten thousand times each. */
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.interpreted, <, 200);
  both_finish (&both);
}

/* Rounds: by IRETQ with the frame at @rdi, or by SYSRET where its CS is 0xffff, with such flags and such a DS before.
 * However it ends, by SYSCALL or by an exception (whose error code, or else RIP, is on top), what is there then is
 * logged at @rsi. All four times, so that what may be quick is. */
CORE_CODE (
    returns, 64,
    SYSCALLS ("logs") WRMSR ("0xc0000083", "logs - base", "0")
    "movl $4, %ebp\n movl $0x100000, %esi\n"
    "1: movl $0x3000, %edi\n"
    "2: movw 48(%rdi), %ax\n movw %ax, %ds\n movl $0x8000, %esp\n pushq 40(%rdi)\n popfq\n"
    "  movq (%rdi), %rcx\n movq 16(%rdi), %r11\n movq %rdi, %rsp\n cmpq $0xffff, 8(%rdi)\n jne 3f\n"
    "  movl $0x7000, %esp\n sysretq\n"
    "3: cmpq $0, 56(%rdi)\n je 3f\n movq 56(%rdi), %rsp\n"
    "3: iretq\n" LABEL ("returns_raised") "  popq %rdx\n"
    "logs: movq %rsp, %rbx\n movl $0x8000, %esp\n pushfq\n popq 8(%rsi)\n pushq $2\n popfq\n"
    "  movw %ds, (%rsi)\n movw %ss, 2(%rsi)\n movq %r11, 16(%rsi)\n movq %rcx, 24(%rsi)\n movq %rdx, 32(%rsi)\n"
    "  movq %rbx, 40(%rsi)\n addq $64, %rsi\n addq $64, %rdi\n cmpq $0, (%rdi)\n jne 2b\n"
    /* At last without SCE. */
    "  cmpl $2, %ebp\n jne 5f\n movl $0xc0000080, %ecx\n rdmsr\n andl $~1, %eax\n wrmsr\n"
    "5: decl %ebp\n jnz 1b\n hlt\n"
    /* Where they go: both are one, as 32-bit code too. */
    LABEL ("returns_user") "movl 0x2801, %edx\n syscall\n hlt\n"
    LABEL ("returns_rdtsc") "rdtsc\n syscall\n hlt\n"
    LABEL ("returns_control") "movq %cr0, %rdx\n syscall\n hlt\n"
    LABEL ("returns_base") "rdfsbase %rdx\n syscall\n hlt\n"
    LABEL ("returns_write") "movq $-1, %rcx\n wrfsbase %rcx\n btcq $47, %rcx\n wrfsbase %rcx\n hlt\n"
    LABEL ("returns_verw") "movl $0x2900, %ecx\n 5: verw (%rcx)\n pushfq\n popq %rax\n rolq $3, %rdx\n"
                           "xorq %rax, %rdx\n addl $2, %ecx\n cmpl $0x2920, %ecx\n jne 5b\n syscall\n hlt\n");
extern const uint8_t returns_raised[], returns_user[], returns_rdtsc[], returns_control[], returns_base[],
    returns_write[], returns_verw[];

#define SEL_ABSENT 72u
#define SEL_FRESH 80u
#define SEL_CONFORMING 88u
#define SEL_BOTH 96u
#define SEL_READ_ONLY 104u
#define TO_SYSRET 0xffffu
#define SEL_SYSTEM 112u
#define SEL_BEYOND 0x200u
#define CROSSING 0x50ff8u /* Into a page that is elsewhere. */

typedef struct
{
  uint64_t rip, cs, flags, rsp, ss, before, ds, at;
} Frame;

static void
put_frames (CoreRig *rig)
{
  const uint64_t user = CORE_AT (returns, returns_user);
  const uint64_t others[] = { CORE_AT (returns, returns_rdtsc), CORE_AT (returns, returns_control),
                              CORE_AT (returns, returns_base), CORE_AT (returns, returns_write),
                              CORE_AT (returns, returns_verw) };
  const Frame frames[] = {
    { user, 51, 0x202, 0x7000, 35, 2, 35 },
    { user, 51, 0xcd7, 0x7000, 35, 0x246, 35 },
    { user, 51, 0x302, 0x7000, 35, 2, 35 },   /* TF */
    { user, 51, 0x10202, 0x7000, 35, 2, 35 }, /* RF */
    { user, 51, 0x40202, 0x7000, 35, 2, 35 }, /* AC */
    { user, 51, ~UINT64_C (0x40100), 0x7000, 35, 2, 35 },
    { user, 51, 0x202, 0x7000, 35, 0x4002, 35 }, /* NT */
    { user, 51, 0x202, 0x7000, 35, 2, SEL_DATA },
    { user, 51, 0x202, 0x7000, 35, 2, 35, CROSSING },
    { user, 24, 0x202, 0x7000, 16, 2, 35 },
    { user, 24, 0x40302, 0x7000, 16, 2, 35 },
    { user, 24, 0x202, 0x7000, 0, 2, 35 },
    { user, 24, 0x202, 0x7000, 35, 2, 35 },
    { user, 51, 0x202, 0x7000, 0, 2, 35 },
    { user, 51, 0x202, 0x7000, 3, 2, 35 },
    { user, 51, 0x202, 0x7000, 51, 2, 35 },
    { user, 51, 0x202, 0x7000, SEL_READ_ONLY | 3, 2, 35 },
    { user, 51, 0x202, 0x7000, SEL_BEYOND | 3, 2, 35 },
    { user, SEL_USER_CODE, 0x202, 0x7000, 35, 2, 35 },
    { user, 0, 0x202, 0x7000, 35, 2, 35 },
    { user, 3, 0x202, 0x7000, 35, 2, 35 },
    { user, 28, 0x202, 0x7000, 16, 2, 35 },
    { user, 55, 0x202, 0x7000, 35, 2, 35 },
    { user, 51, 0x202, 0x7000, 19, 2, 35 },
    { user, 51, 0x202, 0x7000, SEL_SYSTEM | 3, 2, 35 },
    { user, SEL_BEYOND | 11, 0x202, 0x7000, 35, 2, 35 },
    { user, 35, 0x202, 0x7000, 35, 2, 35 },
    { user, 48, 0x202, 0x7000, 35, 2, 35 },
    { user, 27, 0x202, 0x7000, 35, 2, 35 },
    { user, SEL_ABSENT | 3, 0x202, 0x7000, 35, 2, 35 },
    { user, SEL_FRESH | 3, 0x202, 0x7000, 35, 2, 35 },
    { user, SEL_CONFORMING | 3, 0x202, 0x7000, 35, 2, 35 },
    { user, SEL_BOTH | 3, 0x202, 0x7000, 35, 2, 35 },
    { VT_BIT (47) | user, 51, 0x202, 0x7000, 35, 2, 35 },
    { user, TO_SYSRET, 0x202, 0, 0, 2, 35 },
    { user, TO_SYSRET, 0xcd7, 0, 0, 2, SEL_DATA },
    { user, TO_SYSRET, 0x302, 0, 0, 2, 35 },
    { user, TO_SYSRET, 0x30202, 0, 0, 2, 35 },
    { user, TO_SYSRET, 0x40202, 0, 0, 2, 35 },
    { user, TO_SYSRET, ~UINT64_C (0x40100), 0, 0, 2, 35 },
    { VT_BIT (47) | user, TO_SYSRET, 0x202, 0, 0, 2, 35 },
  };
  uint8_t *to = rig->mem + 0x3000;

  memcpy (to, frames, sizeof frames);
  to += sizeof frames;
  for (unsigned i = 0; i < G_N_ELEMENTS (others); i++)
    for (unsigned cpl = 0; cpl <= 3; cpl += 3, to += sizeof (Frame))
      {
        const Frame f = { others[i], cpl ? 51 : 24, 2, 0x7000, cpl ? 35 : 16, 2, 35 };
        memcpy (to, &f, sizeof f);
      }
  g_assert_cmpuint (to - rig->mem, <=, 0x5000 - 8);
  vt_st64 (core_pte (rig, CROSSING + 8), 0x60000 | 7);
  memcpy (rig->mem + CROSSING, &frames[0], 8);
  memcpy (rig->mem + 0x60000, &frames[0].cs, 32);
  memcpy (rig->mem + CROSSING + 8, &frames[1].cs, 32);
}

static void
put_tables (CoreRig *rig)
{
  static const uint16_t selectors[] = { 0,  3,  8,  16, 19,  24, 35, 32, 51, SEL_BEYOND | 3, SEL_SYSTEM | 3,
                                        7,  SEL_ABSENT,     SEL_READ_ONLY,  SEL_FRESH };
  VtCpuSegment         *tr = &rig->core->seg[VT_CPU_TR];

  core_gdt (rig, SEL_ABSENT, 0, 0xfffff, 0x7b, 0xa);
  core_gdt (rig, SEL_FRESH, 0, 0xfffff, 0xfa, 0xa);
  core_gdt (rig, SEL_CONFORMING, 0, 0xfffff, 0x9f, 0xa);
  core_gdt (rig, SEL_BOTH, 0, 0xfffff, 0xfb, 0xe);
  core_gdt (rig, SEL_READ_ONLY, 0, 0xfffff, 0xf1, 0xc);
  core_gdt (rig, SEL_SYSTEM, 0, 0xfffff, 0xe3, 0xc);
  core_gdt (rig, SEL_BEYOND, 0, 0xfffff, 0xf3, 0xc);
  core_gdt (rig, SEL_BEYOND + 8, 0, 0xfffff, 0xfb, 0xa);
  memcpy (rig->mem + 0x2900, selectors, sizeof selectors);
  for (unsigned vector = 0; vector < 32; vector++)
    core_gate (rig, vector, SEL_CODE64, CORE_AT (returns, returns_raised), 0x8e, 1);
  *tr = (VtCpuSegment){ .base = 0xa000, .limit = 0x67, .type = 11, .present = true };
  vt_st64 (rig->mem + 0xa004, 0x9000);
  vt_st64 (rig->mem + 0xa024, 0x9800);
}

static void
test_returns (void)
{
  static const uint64_t cr4[] = { 0, VT_CR4_TSD, VT_CR4_FSGSBASE };

  for (unsigned n = 0; n < G_N_ELEMENTS (cr4); n++)
    {
      BOTH (returns, core_rig_long);
      EACH (rig)
        {
          put_frames (rig);
          put_tables (rig);
          rig->core->cr0 |= VT_CR0_AM;
          rig->core->cr4 |= cr4[n];
        }
      both_run (&both);
      both_finish (&both);
    }
}

/* A loop of a way in and a way out alone, that counts. */
#define COUNTER 0x3000u
CORE_CODE (sysrets, 64,
           SYSCALLS ("5f")
           "5: incq 0x3000\n movl $0x202, %r11d\n movl $(6f - base), %ecx\n sysretq\n"
           "6: syscall\n");
CORE_CODE (irets, 64,
           SYSCALLS ("5f")
           "movl $0x7000, %esp\n movl $0x202, %eax\n" TO_USER ("6f")
           "5: incq 0x3000\n movl $(0x7000 - 40), %esp\n iretq\n"
           "6: syscall\n");

static void *
stopper (void *data)
{
  CoreRig *rig = data;

  while (__atomic_load_n ((uint64_t *) (void *) (rig->mem + COUNTER), __ATOMIC_RELAXED) < 1000)
    g_thread_yield ();
  vt_core_request (rig->core, VT_CORE_STOP);
  return NULL;
}

static void
run_until_stopped (CoreRig *rig)
{
  vt_st64 (rig->mem + COUNTER, 0);
  GThread *thread = g_thread_new ("stopper", stopper, rig);
  while (!(__atomic_load_n (&rig->core->requests, __ATOMIC_SEQ_CST) & VT_CORE_STOP))
    g_assert_cmpint (vt_translate (rig->core, UINT64_MAX, NULL), ==, VT_STEP_DONE);
  g_thread_join (thread);
  __atomic_store_n (&rig->core->requests, 0, __ATOMIC_SEQ_CST);
}

/* @data: the code. Who wants the core gets it, a window is seen when it opens, and IRETQ lets NMIs in. */
static void
test_awaited (const void *data)
{
  const bool irets = data == code_irets;
  CoreRig    rig;

  core_rig_init (&rig);
  if (!vt_translate_available (rig.core))
    {
      g_test_skip ("nothing is translated on this host");
      core_rig_finish (&rig);
      return;
    }
  if (irets)
    CORE_PUT (&rig, irets);
  else
    CORE_PUT (&rig, sysrets);
  core_rig_long (&rig, 0x1000);
  run_until_stopped (&rig);
  rig.core->events.nmi_masked = true;
  run_until_stopped (&rig);
  g_assert_cmpint (rig.core->events.nmi_masked, ==, !irets);
  rig.core->window = VT_WINDOW_INTERRUPT;
  rig.core->rflags &= ~VT_FLAG_IF;
  g_assert_cmpint (vt_translate (rig.core, UINT64_MAX, NULL), ==, VT_STEP_DONE);
  g_assert_cmphex (rig.core->rflags & VT_FLAG_IF, !=, 0);
  core_rig_finish (&rig);
}

/* Every size, upwards and downwards, over borders of pages and over themselves, none at all, from a segment with a
 * base, and with the vector registers in use. @r8: how many. */
#define STRINGS(suffix, from, to) \
  "movl $" from ", %esi\n movl $" to ", %edi\n movq %r8, %rcx\n rep movs" suffix "\n addq %rsi, %rbx\n addq %rdi, %rbx\n" \
  "movl $" to " + 0x2003, %edi\n leaq 0x55(%r8), %rax\n imulq %rdx, %rax\n movq %r8, %rcx\n rep stos" suffix "\n" \
  "addq %rcx, %rbx\n rolq $9, %rbx\n addq %rdi, %rbx\n paddd %xmm0, %xmm1\n"
CORE_CODE (strings, 64,
           "movabsq $0x123456789abcdef, %rdx\n movl $700, %r8d\n movd %edx, %xmm0\n"
           "1: " STRINGS ("b", "0x20ff0", "0x30001") STRINGS ("w", "0x20ffb", "0x31ff1")
           STRINGS ("l", "0x20e00", "0x20e04") STRINGS ("q", "0x21004", "0x20ff9")
           "  movl $0x20800, %esi\n movl $0x38000, %edi\n movq %r8, %rcx\n rep movsb %gs:(%rsi), (%rdi)\n"
           "  movl $0x3a000, %esi\n movl $0x3a0f3, %edi\n movq %r8, %rcx\n std\n rep movsb\n cld\n"
           "  movabsq $0x10003e000, %rdi\n movb $0, (%rdi)\n movl $0x3c000, %esi\n movl %r8d, %ecx\n .byte 0x67\n rep movsw\n addq %rdi, %rbx\n"
           "  decl %r8d\n jns 1b\n hlt\n");

CORE_CODE (strings32, 32,
           "movl $700, %ebp\n movl $0x89abcdef, %edx\n"
           "1: movl $0x20ff0, %esi\n movl $0x30001, %edi\n movl %ebp, %ecx\n rep movsb\n"
           "  addl %esi, %ebx\n addl %edi, %ebx\n movl $0x21003, %edi\n movl %ebp, %ecx\n leal 3(%edx, %ebp), %eax\n"
           "  rep stosl\n addl %ecx, %ebx\n movl $0x20ff0, %esi\n movl $0x30001, %edi\n movl %ebp, %ecx\n repe cmpsw\n"
           "  adcl %ecx, %ebx\n movl $0x30000, %edi\n movb $0x12, %al\n repne scasb\n adcl %edi, %ebx\n movl $100, %ecx\n"
           "2: lodsb\n stosb\n movsb\n loop 2b\n"
           "  movl $0x20800, %esi\n movl $9, %ecx\n rep movsb %gs:(%esi), %es:(%edi)\n"
           "  movl $0x20800, %esi\n movl $9, %ecx\n rep movsb %cs:(%esi), %es:(%edi)\n decl %ebp\n jns 1b\n hlt\n");

static void
test_strings32 (void)
{
  BOTH (strings32, core_rig_flat);
  EACH (rig)
    {
      rig->core->seg[VT_CPU_GS].base = 0x19000;
      for (unsigned i = 0; i < 0x20000; i++)
        rig->mem[0x20000 + i] = (uint8_t) (i * 7 ^ i >> 8);
    }
  const VtTranslateCounts counts = both_run (&both);
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.interpreted, <, 700 * 8);
  both_finish (&both);
}

static void
test_strings (void)
{
  BOTH (strings, core_rig_long);
  EACH (rig)
    {
      rig->core->seg[VT_CPU_GS].base = 0x19000;
      for (unsigned i = 0; i < 0x20000; i++)
        rig->mem[0x20000 + i] = (uint8_t) (i * 7 ^ i >> 8);
      /* The upper half of an address is there, too. */
      vt_st64 (rig->mem + CORE_TABLES + 0x1020, (CORE_TABLES + 0x2000) | 7);
      /* Elsewhere, so that what goes over the border is not what follows. */
      vt_st64 (core_pte (rig, 0x21000), 0x70000 | 7);
    }
  const VtTranslateCounts counts = both_run (&both);
  /* Three of a round are the interpreter's, and those with an element in two pages. */
  if (!both.rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.interpreted, <, 700 * 8);
  both_finish (&both);
}

/* By themselves; comparisons to where they end, at either condition, and none; each size. The flags go into the sum. */
#define SCANS(suffix, a, size) \
  "movl $0x20ff1, %esi\n movl $0x32ff2, %edi\n"                                                     \
  "lods" suffix "\n movs" suffix "\n addq %rax, %rbx\n stos" suffix "\n"                            \
  "movl $0x34000, %esi\n movl $0x36000, %edi\n addl %r8d, %edi\n movq %r8, %rcx\n"                 \
  "cmps" suffix "\n" FLAGS "repe cmps" suffix "\n" FLAGS "movq %r8, %rcx\n repne cmps" suffix "\n" FLAGS \
  "movzbl %r8b, %eax\n movl $0x30ff3, %edi\n movl $2000, %ecx\n"                                    \
  "scas" suffix "\n" FLAGS "repne scas" suffix "\n" FLAGS "movq %r8, %rcx\n repe scas" suffix "\n" FLAGS \
  "movl $0x20000, %esi\n addl %r8d, %esi\n movl $" size ", %ecx\n rep lods" suffix "\n addq %rax, %rbx\n"
#define FLAGS "pushfq\n popq %rdx\n addq %rdx, %rbx\n addq %rcx, %rbx\n addq %rsi, %rbx\n addq %rdi, %rbx\n rolq $9, %rbx\n"
CORE_CODE (scans, 64,
           "movl $500, %r8d\n"
           "1: " SCANS ("b", "%al", "4500") SCANS ("w", "%ax", "2000") SCANS ("l", "%eax", "1100")
           SCANS ("q", "%rax", "700")
           "  movl $0x34000, %esi\n movl $0x34100, %edi\n movl $9, %ecx\n std\n lodsb\n repe cmpsb\n cld\n" FLAGS
           "  gs lodsq\n addq %rax, %rbx\n .byte 0x67\n lodsb\n addq %rax, %rbx\n"
           "  decl %r8d\n jns 1b\n hlt\n");

/* A bit of either side of the operand, near and far; locked where it's whole, and over the border of a page. */
#define BIT(insn, suffix, number) \
  insn suffix " " number ", 0x21ff8\n" FLAGS insn suffix " " number ", -2(%rdi, %rax, 8)\n" FLAGS
#define LOCKED(insn, suffix, number) BIT (insn, suffix, number) "lock " BIT (insn, suffix, number)
#define BITS(suffix, number) \
  BIT ("bt", suffix, number) LOCKED ("bts", suffix, number) LOCKED ("btr", suffix, number) LOCKED ("btc", suffix, number)
CORE_CODE (bits, 64,
           "movl $1200, %r8d\n movabsq $0x9e3779b97f4a7c15, %r10\n movl $0x22000, %edi\n movq %r10, %r9\n"
           "1: imulq %r10, %r9\n movq %r9, %rsi\n sarq $49, %rsi\n xorl %eax, %eax\n bt $3, %r9d\n adcl $0, %eax\n"
           "  movq %rsi, %rcx\n btcq $20, %rcx\n movq %rsi, %r11\n btcq $40, %r11\n"
           BITS ("w", "%cx") BITS ("l", "%r11d") BITS ("q", "%rsi")
           "  bts %rsi, %gs:0x9000(%rip)\n" FLAGS "decl %r8d\n jns 1b\n hlt\n");

/* @most: of so many instructions, the interpreter does those that go downwards, by 32-bit addresses or over the border
 * of a page. */
static void
run_data (Both *both, unsigned most)
{
  for (unsigned k = 0; k < 2; k++)
    {
      CoreRig *rig = &both->rig[k];
      rig->core->seg[VT_CPU_GS].base = 0x19000;
      for (unsigned i = 0; i < 0x20000; i++)
        rig->mem[0x20000 + i] = (uint8_t) (i % 251 < 3 ? i : i >> 9);
      vt_st64 (core_pte (rig, 0x21000), 0x70000 | 7);
    }
  const VtTranslateCounts counts = both_run (both);
  if (!both->rig[TRANSLATED].core->chaos)
    g_assert_cmpuint (counts.interpreted, <, most);
  both_finish (both);
}

static void
test_scans (void)
{
  BOTH (scans, core_rig_long);
  run_data (&both, 500 * 12);
}

static void
test_bits (void)
{
  BOTH (bits, core_rig_long);
  run_data (&both, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/translate-quick/entries", test_entries);
  g_test_add_func ("/translate-quick/returns", test_returns);
  g_test_add_data_func ("/translate-quick/awaited/sysret", code_sysrets, test_awaited);
  g_test_add_data_func ("/translate-quick/awaited/iret", code_irets, test_awaited);
  g_test_add_func ("/translate-quick/strings", test_strings);
  g_test_add_func ("/translate-quick/strings-32", test_strings32);
  g_test_add_func ("/translate-quick/scans", test_scans);
  g_test_add_func ("/translate-quick/bits", test_bits);
  return g_test_run ();
}
