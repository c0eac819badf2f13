/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The system side of a core: privileges, gates, tasks, virtual 8086 mode, paging and faults, as the
 * manuals have them (SDM volume 3, chapters 4 to 7 and 20).
 */
#include "core-rig.h"

#define LABEL(name) ".globl " #name "\n" #name ":\n"

#define BEGIN(name, setup) \
  CoreRig rig; \
  core_rig_init (&rig); \
  CORE_PUT (&rig, name); \
  setup (&rig, 0x1000)

/* Privileges ------------------------------------------------------------------------------------- */

/* To privilege 3 by IRET, back by INT through the TSS's stack, and out again. */
CORE_CODE (
    rings, 32,
    "movw $56, %ax\n ltr %ax\n movw $35, %ax\n movw %ax, %ds\n"
    "pushl $35\n pushl $0x7000\n pushfl\n pushl $43\n pushl $(1f - base)\n iretl\n"
    "1: movl %esp, 0x3000\n movw %cs, 0x3004\n movw %ss, 0x3006\n"
    "int $0x41\n movl $1, 0x3020\n int $0x42\n" LABEL (
        rings_back) "movl %esp, 0x3008\n movw %cs, 0x300c\n movw %ss, 0x300e\n"
                    "movl (%esp), %eax\n movl %eax, 0x3010\n movl 12(%esp), %eax\n movl %eax, 0x3014\n iretl\n" LABEL (
                        rings_end) "hlt\n");
extern const uint8_t rings_back[], rings_end[];

static void
put_tss (CoreRig *rig)
{
  core_gdt (rig, SEL_TSS, 0x4000, 0x67, 0x89, 0);
  vt_st32 (rig->mem + 0x4004, 0x6ff0);
  vt_st16 (rig->mem + 0x4008, SEL_DATA);
}

static void
test_rings (void)
{
  BEGIN (rings, core_rig_flat);
  put_tss (&rig);
  core_gate (&rig, 0x41, SEL_CODE, CORE_AT (rings, rings_back), 0xee, 0);
  core_gate (&rig, 0x42, SEL_CODE, CORE_AT (rings, rings_end), 0xee, 0);
  core_rig_run (&rig);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3000), ==, 0x7000);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3004), ==, 43);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3006), ==, 35);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3008), ==, 0x6ff0 - 20);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x300c), ==, 8);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x300e), ==, 16);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3014), ==, 0x7000);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3020), ==, 1);
  /* The TSS is busy. */
  g_assert_cmphex (rig.mem[CORE_GDT + SEL_TSS + 5], ==, 0x8b);
  core_rig_finish (&rig);
}

/* A call gate with two parameters, from privilege 3 to 0 and back by RETF. */
CORE_CODE (
    call_gate, 32,
    "movw $56, %ax\n ltr %ax\n movw $35, %ax\n movw %ax, %ds\n"
    "pushl $35\n pushl $0x7000\n pushfl\n pushl $43\n pushl $(1f - base)\n iretl\n"
    "1: pushl $0x1111\n pushl $0x2222\n lcall $75, $0\n"
    "movl %esp, 0x3000\n int $0x42\n" LABEL (
        call_gate_target) "movl 8(%esp), %eax\n movl %eax, 0x3004\n movl 12(%esp), %eax\n movl %eax, 0x3008\n"
                          "movw %cs, 0x300c\n lret $8\n" LABEL (call_gate_end) "hlt\n");
extern const uint8_t call_gate_target[], call_gate_end[];

static void
test_call_gate (void)
{
  BEGIN (call_gate, core_rig_flat);
  put_tss (&rig);
  core_gate_at (&rig, CORE_GDT + SEL_FREE, SEL_CODE, CORE_AT (call_gate, call_gate_target), 0xec);
  rig.mem[CORE_GDT + SEL_FREE + 4] = 2;
  core_gate (&rig, 0x42, SEL_CODE, CORE_AT (call_gate, call_gate_end), 0xee, 0);
  core_rig_run (&rig);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3000), ==, 0x7000);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3004), ==, 0x2222);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3008), ==, 0x1111);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x300c), ==, 8);
  core_rig_finish (&rig);
}

/* Faults ----------------------------------------------------------------------------------------- */

/* The handler keeps vector 13's error code and return address, and halts. */
#define FAULT_CODE(name, body) \
  CORE_CODE (name, 32, \
             body \
             "hlt\n" LABEL (name##_handler) "popl %eax\n popl %ebx\n movl $1, 0x3ffc\n hlt\n"); \
  extern const uint8_t name##_handler[]

FAULT_CODE (bad_selector, "movl $0x1234, %ecx\n nop\n movw $0x94, %ax\n movw %ax, %ds\n");
FAULT_CODE (beyond, "movw $0x400, %ax\n movw %ax, %ds\n");
FAULT_CODE (write_code, "movl $1, %cs:0x3000\n");
FAULT_CODE (beyond_limit, "movw $72, %ax\n movw %ax, %es\n movl %es:0xffd, %ecx\n");
FAULT_CODE (expand_down,
            "movw $72, %ax\n movw %ax, %es\n movl %es:0x1000, %ecx\n movl %es:0xffe, %ecx\n");
FAULT_CODE (null_data, "xorl %eax, %eax\n movw %ax, %fs\n movl %fs:0, %ecx\n");
FAULT_CODE (absent, "movw $72, %ax\n movw %ax, %es\n");
FAULT_CODE (stack_limit, "movw $72, %ax\n movw %ax, %ss\n movl $2, %esp\n pushl $1\n");
FAULT_CODE (int_gate, "int $0x50\n");
FAULT_CODE (divide, "xorl %edx, %edx\n movl $1, %eax\n xorl %ecx, %ecx\n divl %ecx\n");
FAULT_CODE (undefined, "ud2\n");
FAULT_CODE (too_long, ".fill 15, 1, 0x66\n nop\n");
FAULT_CODE (privileged_user, "hlt\n");

typedef struct
{
  const uint8_t *code, *end, *handler;
  unsigned       vector;
  int64_t        error; /* -1: none. */
  uint32_t       at;    /* Offset of the instruction at fault. */
  uint32_t       limit; /* Of the segment SEL_FREE, 0: none; and its access byte. */
  unsigned       access;
} Fault;

#define FAULT(name, ...) \
  { \
    code_##name, code_##name##_end, name##_handler, __VA_ARGS__ \
  }

static void
test_faults (void)
{
  static const Fault faults[] = {
    FAULT (bad_selector, 13, 0x94, 10, 0, 0),    FAULT (beyond, 13, 0x400, 4, 0, 0),
    FAULT (write_code, 13, 0, 0, 0, 0),          FAULT (beyond_limit, 13, 0, 6, 0xfff, 0x93),
    FAULT (expand_down, 13, 0, 13, 0xfff, 0x97), FAULT (null_data, 13, 0, 4, 0, 0),
    FAULT (absent, 11, 72, 4, 0xfff, 0x13),      FAULT (stack_limit, 12, 0, 11, 0xfff, 0x93),
    FAULT (int_gate, 13, 0x50 * 8 + 2, 0, 0, 0), FAULT (divide, 0, -1, 9, 0, 0),
    FAULT (undefined, 6, -1, 0, 0, 0),           FAULT (too_long, 13, 0, 0, 0, 0),
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      const Fault *f = &faults[i];
      CoreRig      rig;

      core_rig_init (&rig);
      memcpy (rig.mem + 0x1000, f->code, (size_t) (f->end - f->code));
      core_rig_flat (&rig, 0x1000);
      if (f->limit)
        core_gdt (&rig, SEL_FREE, 0, f->limit, f->access, 4);
      /* Its own stack would not do for #SS: by a task gate it would; here SS is reloaded by nobody, so the
       * handler runs where there is room. */
      core_gate (&rig, f->vector, SEL_CODE, (uint32_t) (0x1000 + (f->handler - f->code)), 0x8e, 0);
      if (f->vector == 12)
        {
          /* The push of the frame fails too: a double fault, which has no gate, and shutdown. */
          uint64_t done;
          g_assert_cmpint (vt_interpret (rig.core, 100, &done), ==, VT_STEP_TRIPLE_FAULT);
          g_assert_cmphex (rig.core->rip, ==, 0x1000 + f->at);
          core_rig_finish (&rig);
          continue;
        }
      core_rig_run (&rig);
      g_test_message ("case %u", i);
      g_assert_cmpuint (vt_ld32 (rig.mem + 0x3ffc), ==, 1);
      if (f->error >= 0)
        {
          g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, f->error);
          g_assert_cmphex (rig.core->gpr[VT_CPU_RBX], ==, 0x1000 + f->at);
        }
      else
        g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, 0x1000 + f->at);
      core_rig_finish (&rig);
    }
}

/* A fault in the delivery of a fault is #DF; one in that is shutdown. */
CORE_CODE (doubled, 32,
           "movl $0x5555, %ecx\n ud2\n" LABEL (doubled_handler) "popl %eax\n popl %ebx\n hlt\n");
extern const uint8_t doubled_handler[];

static void
test_double_fault (void)
{
  uint64_t done;
  BEGIN (doubled, core_rig_flat);
  /* #UD's gate names a descriptor that isn't there: #GP, whose gate isn't there either: #DF. */
  core_gate (&rig, 6, 0x1c0, 0, 0x8e, 0);
  core_gate (&rig, 8, SEL_CODE, CORE_AT (doubled, doubled_handler), 0x8e, 0);
  core_rig_run (&rig);
  g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, 0);
  g_assert_cmphex (rig.core->gpr[VT_CPU_RBX], ==, 0x1005);

  core_rig_flat (&rig, 0x1000);
  g_assert_cmpint (vt_interpret (rig.core, 100, &done), ==, VT_STEP_TRIPLE_FAULT);
  g_assert_cmphex (rig.core->rip, ==, 0x1005);
  core_rig_finish (&rig);
}

/* Tasks ------------------------------------------------------------------------------------------- */

CORE_CODE (
    tasks, 32,
    "movw $56, %ax\n ltr %ax\n movl $0x77, %esi\n lcall $72, $0\n"
    "movl %esi, 0x3000\n str %ax\n movw %ax, 0x3004\n int $0x41\n movl $2, 0x3010\n hlt\n" LABEL (
        tasks_other) "movl %esi, 0x3008\n str %ax\n movw %ax, 0x300c\n pushfl\n popl 0x3014\n movl $0, %esi\n"
                     "iretl\n movl $3, 0x3018\n iretl\n");
extern const uint8_t tasks_other[];

static void
test_tasks (void)
{
  BEGIN (tasks, core_rig_flat);
  core_gdt (&rig, SEL_TSS, 0x4000, 0x67, 0x89, 0);
  core_gdt (&rig, SEL_FREE, 0x4100, 0x67, 0x89, 0);
  vt_st32 (rig.mem + 0x4100 + 32, CORE_AT (tasks, tasks_other));
  vt_st32 (rig.mem + 0x4100 + 36, 2);
  vt_st32 (rig.mem + 0x4100 + 56, 0x7800); /* ESP */
  vt_st32 (rig.mem + 0x4100 + 64, 0x99);   /* ESI */
  for (unsigned i = 0; i < 6; i++)
    vt_st16 (rig.mem + 0x4100 + 72 + i * 4, i == 1 ? SEL_CODE : SEL_DATA);
  core_gate (&rig, 0x41, SEL_FREE, 0, 0x85, 0);
  core_rig_run (&rig);
  /* The other task saw its own registers, NT and the link; the first one got its own back. */
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3008), ==, 0x99);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x300c), ==, SEL_FREE);
  g_assert_true (vt_ld32 (rig.mem + 0x3014) & VT_FLAG_NT);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x4100), ==, SEL_TSS);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3000), ==, 0x77);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3004), ==, SEL_TSS);
  /* By a task gate it goes on behind its IRET. */
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3018), ==, 3);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3010), ==, 2);
  g_assert_true (rig.core->cr0 & VT_CR0_TS);
  g_assert_false (rig.core->rflags & VT_FLAG_NT);
  core_rig_finish (&rig);
}

/* Virtual 8086 mode ------------------------------------------------------------------------------- */

CORE_CODE (
    virtual, 32,
    "movw $56, %ax\n ltr %ax\n"
    "pushl $0\n pushl $0\n pushl $0x300\n pushl $0x300\n pushl $0\n pushl $0x7000\n"
    "pushl $0x20002\n pushl $0x100\n pushl $(1f - base - 0x1000)\n iretl\n"
    ".code16\n 1: movw %ds, %ax\n movw %ax, (0)\n movw %cs, (2)\n cli\n hlt\n.code32\n" LABEL (
        virtual_gp) "movw $16, %cx\n movw %cx, %ds\n movl 4(%esp), %eax\n movl %eax, 0x3100\n movl 12(%esp), %eax\n movl %eax, 0x3104\n"
                    "movl 28(%esp), %eax\n movl %eax, 0x3108\n hlt\n");
extern const uint8_t virtual_gp[];

static void
test_virtual (void)
{
  BEGIN (virtual, core_rig_flat);
  put_tss (&rig);
  core_gate (&rig, 13, SEL_CODE, CORE_AT (virtual, virtual_gp), 0x8e, 0);
  core_rig_run (&rig);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3000), ==, 0x300);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3002), ==, 0x100);
  /* CLI at IOPL 0 came to the monitor, with its address, VM in its flags, and DS. */
  g_assert_cmphex (rig.mem[0x1000 + vt_ld32 (rig.mem + 0x3100)], ==, 0xfa);
  g_assert_true (vt_ld32 (rig.mem + 0x3104) & VT_FLAG_VM);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3108), ==, 0x300);
  g_assert_cmpuint (rig.core->cpl, ==, 0);
  g_assert_true (rig.core->seg[VT_CPU_ES].unusable);
  core_rig_finish (&rig);
}

/* Long mode --------------------------------------------------------------------------------------- */

CORE_CODE (
    wide, 64,
    "movw $56, %ax\n ltr %ax\n movabs $0x1122334455667788, %rbx\n"
    "pushq $35\n pushq $0x7008\n pushfq\n pushq $51\n pushq $(1f - base)\n iretq\n"
    "1: movq %rbx, 0x3000\n movw %cs, 0x3008\n ud2\n" LABEL (
        wide_ud) "movq %rsp, 0x3010\n movq (%rsp), %rax\n movq %rax, 0x3018\n movq 24(%rsp), %rax\n"
                 "movq %rax, 0x3020\n movw %ss, 0x3028\n"
                 /* SYSCALL and back. */
                 "movl $0xc0000082, %ecx\n movl $(2f - base), %eax\n xorl %edx, %edx\n wrmsr\n"
                 "movl $0xc0000081, %ecx\n xorl %eax, %eax\n movl $0x00230018, %edx\n wrmsr\n"
                 "movl $(3f - base), %ecx\n movl $0x202, %r11d\n sysretq\n"
                 "3: movw %cs, 0x3030\n movw %ss, 0x3032\n syscall\n 2: movw %cs, 0x3034\n"
                 "movq %rcx, 0x3038\n movq %r11, 0x3040\n hlt\n");
extern const uint8_t wide_ud[];

static void
test_long (void)
{
  BEGIN (wide, core_rig_long);
  core_gdt (&rig, SEL_TSS, 0x4000, 0x67, 0x89, 0);
  vt_st64 (rig.mem + CORE_GDT + SEL_TSS + 8, 0);
  vt_st64 (rig.mem + 0x4004, 0x6ff0);
  vt_st64 (rig.mem + 0x4024, 0x9008); /* IST 1, not aligned. */
  core_gate (&rig, 6, SEL_CODE64, CORE_AT (wide, wide_ud), 0x8e, 1);
  core_rig_run (&rig);
  g_assert_cmphex (vt_ld64 (rig.mem + 0x3000), ==, 0x1122334455667788);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3008), ==, SEL_USER_CODE64);
  g_assert_cmphex (vt_ld64 (rig.mem + 0x3010), ==, 0x9000 - 40);
  g_assert_cmphex (rig.mem[vt_ld64 (rig.mem + 0x3018)], ==, 0x0f);
  g_assert_cmphex (vt_ld64 (rig.mem + 0x3020), ==, 0x7008);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3028), ==, 0);
  /* SYSRET: STAR's 0x23 + 16 and + 8. */
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3030), ==, 0x33);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3032), ==, 0x2b);
  g_assert_cmphex (vt_ld16 (rig.mem + 0x3034), ==, 0x18);
  g_assert_cmphex (vt_ld64 (rig.mem + 0x3040), ==, 0x202);
  core_rig_finish (&rig);
}

/* Paging ------------------------------------------------------------------------------------------- */

CORE_CODE (page_read, 64,
           "movq 0x5ff8(%rsi), %rax\n hlt\n" LABEL (page_handler) "popq %rax\n popq %rbx\n hlt\n");
extern const uint8_t page_handler[];
CORE_CODE (page_write, 64, "movl $0x89abcdef, 0x5ffe(%rsi)\n hlt\n");

/* One access to a page whose entry is as told: what fault there is. */
static void
page_case (bool write, uint64_t pte, uint64_t cr0, uint64_t cr4, uint64_t flags, unsigned cpl,
           int64_t error, uint64_t cr2)
{
  CoreRig rig;

  core_rig_init (&rig);
  memcpy (rig.mem + 0x1000, code_page_read, (size_t) (code_page_read_end - code_page_read));
  if (write)
    memcpy (rig.mem + 0x1000, code_page_write, (size_t) (code_page_write_end - code_page_write));
  memcpy (rig.mem + 0x1800, code_page_read, (size_t) (code_page_read_end - code_page_read));
  core_rig_long (&rig, 0x1000);
  core_gdt (&rig, SEL_TSS, 0x4000, 0x67, 0x8b, 0);
  rig.core->seg[VT_CPU_TR] = (VtCpuSegment){
    .base = 0x4000, .limit = 0x67, .selector = SEL_TSS, .type = 11, .present = true
  };
  vt_st64 (rig.mem + 0x4004, 0x9000);
  vt_st64 (core_pte (&rig, 0x21000), pte);
  core_gate (&rig, 14, SEL_CODE64, CORE_AT (page_read, page_handler) + 0x800, 0x8e, 0);
  rig.core->gpr[VT_CPU_RSI] = 0x1b000;
  rig.core->gpr[VT_CPU_RSP] = 0x8000;
  rig.core->cr0 |= cr0;
  rig.core->cr4 |= cr4;
  /* The other pages are the kernel's, where a privilege would keep it off user pages. */
  if (cpl == 0)
    for (unsigned i = 0; i < 512; i++)
      if (i != 0x21)
        *core_pte (&rig, i * 0x1000) &= (uint8_t) ~4;
  rig.core->rflags |= flags;
  rig.core->pkru = 1u << 2 | 2u << 4;
  if (cpl == 3)
    {
      rig.core->seg[VT_CPU_CS] = core_segment (SEL_USER_CODE64, true, true);
      rig.core->seg[VT_CPU_SS] = core_segment (SEL_USER_DATA, false, false);
      rig.core->cpl = 3;
    }
  vt_core_changed (rig.core);
  vt_st64 (rig.mem + 0x20ff8, 0x0123456789abcdef);
  if (cpl == 3 && error < 0)
    {
      /* HLT is not for it: what counts is the access. */
      uint64_t done;
      vt_interpret (rig.core, 1, &done);
      g_assert_cmpuint (rig.core->fault.vector, ==, 0);
    }
  else
    core_rig_run (&rig);
  if (error >= 0)
    {
      g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, error);
      g_assert_cmphex (rig.core->gpr[VT_CPU_RBX], ==, 0x1000);
      g_assert_cmphex (rig.core->cr2, ==, cr2);
      /* A write across pages that fails in the second leaves the first alone. */
      g_assert_cmphex (vt_ld64 (rig.mem + 0x20ff8), ==, 0x0123456789abcdef);
    }
  else
    {
      const uint64_t now = vt_ld64 (core_pte (&rig, 0x21000));
      g_assert_true (write ? (now & 0x60) == 0x60 : true);
      g_assert_true ((vt_ld64 (core_pte (&rig, 0x20000)) & 0x20) != 0);
    }
  core_rig_finish (&rig);
}

static void
test_paging (void)
{
  const uint64_t ac = VT_FLAG_AC;

  /* Reads are of the page before: nothing in the second matters. */
  page_case (false, 0, 0, 0, 0, 0, -1, 0);
  /* Writes cross into it. */
  page_case (true, 0x21000 | 7, 0, 0, 0, 0, -1, 0);
  page_case (true, 0x21000 | 6, 0, 0, 0, 0, 2, 0x21000);
  page_case (true, 0x21000 | 5, 0, 0, 0, 0, -1, 0);
  page_case (true, 0x21000 | 5, VT_CR0_WP, 0, 0, 0, 3, 0x21000);
  page_case (true, 0x21000 | 5, 0, 0, 0, 3, 7, 0x21000);
  page_case (true, 0x21000 | 3, 0, 0, 0, 3, 7, 0x21000);
  page_case (true, 0x21000 | 7, 0, VT_CR4_SMAP, 0, 0, 3, 0x21000);
  page_case (true, 0x21000 | 7, 0, VT_CR4_SMAP, ac, 0, -1, 0);
  page_case (true, 0x21000 | 3, 0, VT_CR4_SMAP, 0, 0, -1, 0);
  page_case (true, VT_BIT (51) | 7, 0, 0, 0, 0, -1, 0);

  /* Protection keys (4.6.2, 4.7): of user pages alone, and told whatever else forbids the access. Key 1 is
   * closed, key 2 can't be written. */
  const uint64_t pke = VT_CR4_PKE, one = VT_BIT (59), two = VT_BIT (60), three = one | two;
  page_case (true, 0x21000 | 7 | one, 0, 0, 0, 0, -1, 0);
  page_case (true, 0x21000 | 7 | one, 0, pke, 0, 0, 0x23, 0x21000);
  page_case (true, 0x21000 | 7 | one, 0, pke, 0, 3, 0x27, 0x21000);
  page_case (true, 0x21000 | 3 | one, 0, pke, 0, 0, -1, 0);
  page_case (true, 0x21000 | 3 | one, 0, pke, 0, 3, 0x07, 0x21000);
  page_case (true, 0x21000 | 6 | one, 0, pke, 0, 3, 0x06, 0x21000);
  page_case (true, 0x21000 | 5 | one, 0, pke, 0, 3, 0x27, 0x21000);
  page_case (true, 0x21000 | 7 | two, 0, pke, 0, 3, 0x27, 0x21000);
  page_case (true, 0x21000 | 7 | two, 0, pke, 0, 0, -1, 0);
  page_case (true, 0x21000 | 7 | two, VT_CR0_WP, pke, 0, 0, 0x23, 0x21000);
  page_case (true, 0x21000 | 5 | two, 0, pke, 0, 3, 0x27, 0x21000);
  page_case (true, 0x21000 | 7 | two, VT_CR0_WP, pke | VT_CR4_SMAP, 0, 0, 0x23, 0x21000);
  page_case (true, 0x21000 | 7 | three, VT_CR0_WP, pke, 0, 3, -1, 0);
}

/* Every kind of paging finds the same byte; and an instruction fetch is refused where it should be. */
CORE_CODE (kinds, 32, "movl 0x400123, %eax\n movl %eax, 0x400127\n hlt\n");

static void
kind_case (bool pae, bool large)
{
  BEGIN (kinds, core_rig_flat);
  vt_st32 (rig.mem + 0x200123, 0xfeedbeef);
  if (pae)
    {
      vt_st64 (rig.mem + 0x10000, 0x11001);
      vt_st64 (rig.mem + 0x11000, 0x87); /* 0 to itself, by 2 MiB. */
      vt_st64 (rig.mem + 0x11010, large ? 0x200087 : 0x12007);
      vt_st64 (rig.mem + 0x12000, 0x200007);
    }
  else
    {
      vt_st32 (rig.mem + 0x10000, 0x87);
      /* 4 MiB pages: 4 MiB is mapped to 0, so 0x200000 is 2 MiB further on. */
      vt_st32 (rig.mem + 0x10004, large ? 0x87 : 0x12007);
      vt_st32 (rig.mem + 0x12000, 0x200007);
      if (large)
        vt_st32 (rig.mem + 0x123, 0xfeedbeef);
    }
  rig.core->cr4 = pae ? VT_CR4_PAE : VT_CR4_PSE;
  rig.core->cr3 = 0x10000;
  if (pae)
    for (unsigned i = 0; i < 4; i++)
      rig.core->pdpte[i] = vt_ld64 (rig.mem + 0x10000 + i * 8);
  rig.core->cr0 |= VT_CR0_PG;
  vt_mmu_flush (&rig.core->mmu);
  core_rig_run (&rig);
  g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, 0xfeedbeef);
  g_assert_cmphex (vt_ld32 (rig.mem + (large && !pae ? 0x127 : 0x200127)), ==, 0xfeedbeef);
  core_rig_finish (&rig);
}

static void
test_paging_kinds (void)
{
  kind_case (false, false);
  kind_case (false, true);
  kind_case (true, false);
  kind_case (true, true);
}

CORE_CODE (
    fetch, 64,
    "movl $0x21000, %eax\n jmp *%rax\n" LABEL (fetch_handler) "popq %rax\n popq %rbx\n hlt\n");
extern const uint8_t fetch_handler[];

static void
test_fetch (void)
{
  static const struct
  {
    uint64_t pte, cr4;
    int64_t  error;
  } cases[] = {
    { 0x21000 | 7, 0, -1 },
    { 0x21000 | 7 | VT_BIT (63), 0, 0x11 },
    { 0x21000 | 7, VT_CR4_SMEP, 0x11 },
    { 0x21000 | 3, VT_CR4_SMEP, -1 },
    { 0, 0, 0x10 },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      BEGIN (fetch, core_rig_long);
      for (unsigned n = 0; n < 512; n++)
        *core_pte (&rig, n * 0x1000) &= (uint8_t) ~4;
      vt_st64 (core_pte (&rig, 0x21000), cases[i].pte);
      core_gate (&rig, 14, SEL_CODE64, CORE_AT (fetch, fetch_handler), 0x8e, 0);
      rig.core->cr4 |= cases[i].cr4;
      rig.core->gpr[VT_CPU_RSP] = 0x8000;
      rig.mem[0x21000] = 0xf4;
      core_rig_run (&rig);
      if (cases[i].error < 0)
        g_assert_cmphex (rig.core->rip, ==, 0x21001);
      else
        {
          g_assert_cmphex (rig.core->gpr[VT_CPU_RAX], ==, cases[i].error);
          g_assert_cmphex (rig.core->gpr[VT_CPU_RBX], ==, 0x21000);
          g_assert_cmphex (rig.core->cr2, ==, 0x21000);
        }
      core_rig_finish (&rig);
    }
}

/* A repeated string stops at the page that isn't there, whole iterations done, and can be taken up. */
#define RESTART(name, direction, from, entry, page) \
  CORE_CODE (name, 64, \
             direction "\n movl $" from ", %edi\n movl $8, %ecx\n movl $0x55, %eax\n rep stosl\n cld\n hlt\n" LABEL ( \
                 name##_handler) "movq %rcx, 0x3000\n movq %rdi, 0x3008\n movq $" page ", " entry "\n" \
                                 "movq %cr3, %rbx\n movq %rbx, %cr3\n addq $8, %rsp\n iretq\n"); \
  extern const uint8_t name##_handler[];

RESTART (restart, "cld", "0x20ff0", "0x13108", "0x21007")
RESTART (restart_down, "std", "0x2100c", "0x13100", "0x20007")

static void
check_restart (CoreRig *rig, uint64_t absent, uint32_t handler, uint64_t rdi)
{
  vt_st64 (core_pte (rig, absent), 0);
  core_gate (rig, 14, SEL_CODE64, handler, 0x8e, 0);
  core_rig_run (rig);
  g_assert_cmphex (vt_ld64 (rig->mem + 0x3000), ==, 4);
  g_assert_cmphex (vt_ld64 (rig->mem + 0x3008), ==, rdi);
  g_assert_cmphex (rig->core->gpr[VT_CPU_RCX], ==, 0);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x20fec), ==, 0);
  for (unsigned i = 0; i < 8; i++)
    g_assert_cmphex (vt_ld32 (rig->mem + 0x20ff0 + i * 4), ==, 0x55);
  g_assert_cmphex (vt_ld32 (rig->mem + 0x21010), ==, 0);
  core_rig_finish (rig);
}

static void
test_restart (void)
{
  BEGIN (restart, core_rig_long);
  check_restart (&rig, 0x21000, CORE_AT (restart, restart_handler), 0x21000);
}

static void
test_restart_down (void)
{
  BEGIN (restart_down, core_rig_long);
  check_restart (&rig, 0x20000, CORE_AT (restart_down, restart_down_handler), 0x20ffc);
}

/* INVLPG of one address of a large page reaches the others. */
static void
test_large_flush (void)
{
  CoreRig rig;

  core_rig_init (&rig);
  core_rig_long (&rig, 0x1000);
  rig.mem[0x201000] = 1;
  rig.mem[0x1000] = 2;
  g_assert_cmpuint (vt_mmu_load (rig.core, 0x201000, 1, VT_SET_KERNEL), ==, 1);
  vt_st64 (rig.mem + CORE_TABLES + 0x2008, 0x87);
  g_assert_cmpuint (vt_mmu_load (rig.core, 0x201000, 1, VT_SET_KERNEL), ==, 1);
  vt_mmu_flush_page (&rig.core->mmu, 0x3ff000);
  g_assert_cmpuint (vt_mmu_load (rig.core, 0x201000, 1, VT_SET_KERNEL), ==, 2);
  core_rig_finish (&rig);
}

/* Single steps and shadows -------------------------------------------------------------------------- */

CORE_CODE (
    step, 32,
    "pushl $0x102\n popfl\n nop\n movw %ax, %ss\n nop\n nop\n hlt\n" LABEL (
        step_handler) "incl 0x3000\n movl (%esp), %ebx\n movl 0x3000, %ecx\n"
                      "movl %ebx, 0x3000(,%ecx,4)\n cmpl $4, %ecx\n jne 1f\n andl $~0x100, 8(%esp)\n 1: iretl\n");
extern const uint8_t step_handler[];

static void
test_step (void)
{
  BEGIN (step, core_rig_flat);
  rig.core->gpr[VT_CPU_RAX] = SEL_DATA;
  core_gate (&rig, 1, SEL_CODE, CORE_AT (step, step_handler), 0x8e, 0);
  core_rig_run (&rig);
  /* Behind the first NOP; not behind MOV SS, but behind what follows it; and so on. */
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3004), ==, 0x1007);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x3008), ==, 0x100a);
  g_assert_cmphex (vt_ld32 (rig.mem + 0x300c), ==, 0x100b);
  g_assert_true (rig.core->dr6 & VT_DR6_BS);
  core_rig_finish (&rig);
}

/* What is declined changes nothing. */
CORE_CODE (declined, 32, "movl $1, %eax\n movw $0x666, %dx\n outb %al, %dx\n hlt\n");

static void
test_declined (void)
{
  uint64_t done = 0;
  BEGIN (declined, core_rig_flat);
  g_assert_cmpint (vt_interpret (rig.core, 100, &done), ==, VT_STEP_DECLINED);
  g_assert_cmpuint (done, ==, 2);
  g_assert_cmphex (rig.core->rip, ==, 0x1009);
  g_assert_cmpstr (vt_interpret_declined (rig.core), ==, "out");
  core_rig_finish (&rig);
}

/* State goes in and out whole. */
static void
test_state (void)
{
  CoreRig                rig;
  g_autofree VtCpuState *a = g_new0 (VtCpuState, 1), *b = g_new0 (VtCpuState, 1);

  core_rig_init (&rig);
  core_rig_flat_state (&rig, a, 0x1000);
  for (unsigned i = 0; i < VT_CPU_GPRS; i++)
    a->gpr[i] = 0x0101010101010101 * i;
  a->cr2 = 5;
  a->events.shadow = 2;
  a->events.nmi_masked = true;
  a->xsave_size = 2048;
  for (unsigned i = 32; i < 416; i++)
    a->xsave[i] = (uint8_t) i;
  vt_st32 (a->xsave + 28, 0xffff);
  a->xsave[512] = 3;
  a->n_msrs = 2;
  a->msr[0] = (VtCpuMsr){ .index = VT_MSR_SYSENTER_CS, .value = 8 };
  a->msr[1] = (VtCpuMsr){ .index = VT_MSR_LSTAR, .value = 0x1234 };
  *b = *a;
  vt_core_load (rig.core, a);
  memset (b->gpr, 0, sizeof b->gpr);
  memset (b->xsave, 0, sizeof b->xsave);
  b->msr[1].value = 0;
  b->rip = 0;
  vt_core_store (rig.core, b);
  g_assert_cmpmem (a, sizeof *a, b, sizeof *b);
  core_rig_finish (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/state", test_state);
  g_test_add_func ("/core/rings", test_rings);
  g_test_add_func ("/core/call-gate", test_call_gate);
  g_test_add_func ("/core/faults", test_faults);
  g_test_add_func ("/core/double-fault", test_double_fault);
  g_test_add_func ("/core/tasks", test_tasks);
  g_test_add_func ("/core/virtual-8086", test_virtual);
  g_test_add_func ("/core/long", test_long);
  g_test_add_func ("/core/paging", test_paging);
  g_test_add_func ("/core/paging-kinds", test_paging_kinds);
  g_test_add_func ("/core/fetch", test_fetch);
  g_test_add_func ("/core/restart", test_restart);
  g_test_add_func ("/core/restart-down", test_restart_down);
  g_test_add_func ("/core/large-flush", test_large_flush);
  g_test_add_func ("/core/step", test_step);
  g_test_add_func ("/core/declined", test_declined);
  return g_test_run ();
}
