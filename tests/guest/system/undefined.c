/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is no instruction here: encodings that no processor has in 64-bit mode, and those of extensions that CPUID does
 * not offer or CR4 has not switched on (SDM volume 2); MSRs that are not there, or whose value is none (volume 4).
 */
#include "system.h"

#define CODE_OF(name, bytes)                                                                       \
  static __attribute__ ((noinline, noclone)) void name (uint64_t a)                                \
  {                                                                                                \
    __asm__ volatile(".byte " bytes : : "a"(a), "c"(0), "d"(0) : "rbx", "memory", "cc");           \
  }

CODE_OF (push_all, "0x60")
CODE_OF (pop_all, "0x61")
CODE_OF (adjust, "0x27")
CODE_OF (into, "0xce")
CODE_OF (push_es, "0x06")
CODE_OF (far_direct, "0x9a, 0, 0, 0, 0, 8, 0")
CODE_OF (salc, "0xd6")
CODE_OF (arithmetic_alias, "0x82, 0xc0, 0")
CODE_OF (move_cs, "0x8e, 0xc8")
CODE_OF (move_segment_6, "0x8e, 0xf0")
CODE_OF (control_1, "0x0f, 0x20, 0xc8")
CODE_OF (control_9, "0x44, 0x0f, 0x20, 0xc8")
CODE_OF (debug_8, "0x44, 0x0f, 0x21, 0xc0")
CODE_OF (lea_register, "0x8d, 0xc0")
CODE_OF (lock_move, "0xf0, 0x89, 0x00")
CODE_OF (lock_compare, "0xf0, 0x39, 0x00")
CODE_OF (group_9, "0x0f, 0xc7, 0x00")
CODE_OF (load_far_register, "0x0f, 0xb2, 0xc0")
CODE_OF (ud0, "0x0f, 0xff, 0xc0")
CODE_OF (monitor, "0x0f, 0x01, 0xc8")
CODE_OF (mwait, "0x0f, 0x01, 0xc9")
CODE_OF (vmcall, "0x0f, 0x01, 0xc1")
CODE_OF (vmxon, "0xf3, 0x0f, 0xc7, 0x30")
CODE_OF (vmread, "0x0f, 0x78, 0xc0")
CODE_OF (vmrun, "0x0f, 0x01, 0xd8")
CODE_OF (stgi, "0x0f, 0x01, 0xdc")
CODE_OF (invept, "0x66, 0x0f, 0x38, 0x80, 0x00")
CODE_OF (xbegin, "0xc7, 0xf8, 0, 0, 0, 0")
CODE_OF (xtest, "0x0f, 0x01, 0xd6")
CODE_OF (encls, "0x0f, 0x01, 0xcf")
CODE_OF (rdpkru, "0x0f, 0x01, 0xee")
CODE_OF (clac, "0x0f, 0x01, 0xca")
CODE_OF (rdfsbase, "0xf3, 0x48, 0x0f, 0xae, 0xc0")
CODE_OF (xgetbv, "0x0f, 0x01, 0xd0")
CODE_OF (setssbsy, "0xf3, 0x0f, 0x01, 0xe8")
CODE_OF (movdiri, "0x0f, 0x38, 0xf9, 0x00")
CODE_OF (tpause, "0x66, 0x0f, 0xae, 0xf0")
CODE_OF (serialize, "0x0f, 0x01, 0xe8")

static uint64_t word[2] __attribute__ ((aligned (16)));

static bool
undefined (void)
{
  static const struct
  {
    void (*code) (uint64_t);
    uint32_t leaf;     /* 0: nobody has it. */
    uint8_t  reg, bit; /* Where CPUID would offer it. */
  } cases[] = {
    { push_all, 0, 0, 0 },     { pop_all, 0, 0, 0 },          { adjust, 0, 0, 0 },     { into, 0, 0, 0 },
    { push_es, 0, 0, 0 },      { far_direct, 0, 0, 0 },       { salc, 0, 0, 0 },       { arithmetic_alias, 0, 0, 0 },
    { move_cs, 0, 0, 0 },      { move_segment_6, 0, 0, 0 },   { control_1, 0, 0, 0 },  { control_9, 0, 0, 0 },
    { debug_8, 0, 0, 0 },      { lea_register, 0, 0, 0 },     { lock_move, 0, 0, 0 },  { lock_compare, 0, 0, 0 },
    { group_9, 0, 0, 0 },      { load_far_register, 0, 0, 0 }, { ud0, 0, 0, 0 },       { monitor, 1, 2, 3 },
    { mwait, 1, 2, 3 },        { vmcall, 1, 2, 5 },           { vmxon, 1, 2, 5 },      { vmread, 1, 2, 5 },
    { vmrun, 0x80000001, 2, 2 }, { stgi, 0x80000001, 2, 2 },  { invept, 1, 2, 5 },     { xbegin, 7, 1, 11 },
    { xtest, 7, 1, 11 },       { encls, 7, 1, 2 },            { rdpkru, 7, 2, 3 },     { clac, 7, 1, 20 },
    { setssbsy, 7, 2, 7 },     { movdiri, 7, 2, 27 },         { tpause, 7, 2, 5 },     { serialize, 7, 3, 14 },
  };
  uint32_t r[4];

  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
    {
      if (cases[i].leaf)
        {
          cpuid (cases[i].leaf, 0, r);
          if (r[cases[i].reg] >> cases[i].bit & 1)
            continue;
        }
      CHECK (trap_run (cases[i].code, (uintptr_t) word) == UD, i << 16 | trap_vector);
    }
  /* What CR4 has not switched on. */
  WRITE_CR (4, READ_CR (4) & ~0x50000ull);
  CHECK (trap_run (rdfsbase, 0) == UD, trap_vector);
  CHECK (trap_run (xgetbv, 0) == UD, trap_vector);
  return true;
}

/* The five that CR4.UMIP keeps from programs (2.5). */
CODE_OF (user_sgdt, "0x0f, 0x01, 0x00, 0xcd, 0x80")
CODE_OF (user_sidt, "0x0f, 0x01, 0x08, 0xcd, 0x80")
CODE_OF (user_sldt, "0x0f, 0x00, 0xc1, 0xcd, 0x80")
CODE_OF (user_str, "0x0f, 0x00, 0xc9, 0xcd, 0x80")
CODE_OF (user_smsw, "0x0f, 0x01, 0xe1, 0xcd, 0x80")
/* … and what is privileged anyway. */
CODE_OF (user_clts, "0x0f, 0x06")
CODE_OF (user_lgdt, "0x0f, 0x01, 0x10")
CODE_OF (user_lmsw, "0x0f, 0x01, 0xf0")
CODE_OF (user_ltr, "0x0f, 0x00, 0xd8")
CODE_OF (user_lldt, "0x0f, 0x00, 0xd0")
CODE_OF (user_control, "0x0f, 0x20, 0xc0")
CODE_OF (user_invlpg, "0x0f, 0x01, 0x38")
CODE_OF (user_wbinvd, "0x0f, 0x09")
CODE_OF (user_rdmsr, "0x0f, 0x32")
CODE_OF (user_wrmsr, "0x0f, 0x30")
CODE_OF (user_sti, "0xfb")
CODE_OF (user_out, "0xe6, 0x80")
CODE_OF (user_xsetbv, "0x0f, 0x01, 0xd1")
CODE_OF (user_swapgs, "0x0f, 0x01, 0xf8")
CODE_OF (user_sysret, "0x48, 0x0f, 0x07")
CODE_OF (user_rdtsc, "0x0f, 0x31, 0xcd, 0x80")

static bool
privileged (void)
{
  static void (*const umip[]) (uint64_t) = { user_sgdt, user_sidt, user_sldt, user_str, user_smsw };
  static void (*const never[]) (uint64_t) = { user_clts,   user_lgdt,  user_lmsw,  user_ltr,    user_lldt,
                                              user_control, user_invlpg, user_wbinvd, user_rdmsr, user_wrmsr,
                                              user_sti,    user_out,   user_swapgs, user_sysret };
  const uint64_t cr4 = READ_CR (4), at = AS_USER (buffer);
  uint32_t       r[4];

  for (unsigned i = 0; i < sizeof never / sizeof never[0]; i++)
    {
      unsigned v = in_user (never[i], at, 0);
      CHECK (v == GP && trap_error == 0, i << 16 | v);
    }
  cpuid (1, 0, r);
  if (r[2] >> 26 & 1)
    {
      WRITE_CR (4, cr4 | 0x40000);
      PASSES (in_user (user_xsetbv, 1, 0), GP);
      WRITE_CR (4, cr4);
    }
  PASSES (in_user (user_rdtsc, 0, 0), USER_CALL);
  WRITE_CR (4, cr4 | 4); /* TSD */
  PASSES (in_user (user_rdtsc, 0, 0), GP);
  WRITE_CR (4, cr4);
  for (unsigned i = 0; i < sizeof umip / sizeof umip[0] && has_feature (2, 2); i++)
    {
      CHECK (in_user (umip[i], at, 0) == USER_CALL, i << 16 | trap_vector);
      WRITE_CR (4, cr4 | 1ull << 11);
      CHECK (in_user (umip[i], at, 0) == GP && trap_error == 0, i << 16 | trap_vector);
      CHECK (trap_run (umip[i], (uintptr_t) buffer) == USER_CALL, i << 16 | trap_vector);
      WRITE_CR (4, cr4);
    }
  return true;
}

/* MSRs ---------------------------------------------------------------------------------------------------- */

typedef struct
{
  uint32_t index;
  uint64_t value;
} Msr;

static void
write_msr (uint64_t msr)
{
  wrmsr (((const Msr *) (uintptr_t) msr)->index, ((const Msr *) (uintptr_t) msr)->value);
}

static void
read_msr (uint64_t index)
{
  rdmsr ((uint32_t) index);
}

static void
write_cr4 (uint64_t v)
{
  WRITE_CR (4, v);
}

static bool
values (void)
{
  static const Msr refused[] = {
    { 0x200, 2 },                  /* IA32_MTRR_PHYSBASE0: no such type. */
    { 0x200, 0x106 },              /* … reserved */
    { 0x200, 1ull << 60 },         /* … beyond every address. */
    { 0x201, 0x1 },                /* … PHYSMASK0 */
    { 0x250, 0x0606060606060602 }, /* … FIX64K_00000 */
    { 0x2ff, 0x1000 },             /* … DEF_TYPE */
    { 0x2ff, 0x7 },
    { 0x277, 0x08 },               /* IA32_PAT */
    { 0xc0000081 + 1, 1ull << 47 }, /* IA32_LSTAR */
    { 0x175, 1ull << 47 },         /* IA32_SYSENTER_ESP */
    { 0x176, 0xffff000000000000 }, /* IA32_SYSENTER_EIP */
    { 0xc0000101, 1ull << 63 },    /* IA32_GS_BASE */
    { 0xc0000102, 1ull << 63 },    /* IA32_KERNEL_GS_BASE */
    { 0xc0000080, 0x100 | 1ull << 40 }, /* IA32_EFER */
  };
  static const Msr kept[] = {
    { 0x200, 0x80000006 }, { 0x201, 0x80000800 }, { 0x250, 0x0606060605040100 }, { 0x277, 0x0007040600070406 },
    { 0xc0000081, 0x0023001000000000 }, { 0xc0000102, 0xffff800000000000 }, { 0x175, 0x7fffffffffff },
  };

  static const struct
  {
    uint32_t index;
    uint8_t  reg, bit; /* Of leaf 7. */
  } absent[] = { { 0x48, 3, 26 }, { 0x49, 3, 26 }, { 0x3b, 1, 1 }, { 0x122, 1, 11 }, { 0x6a0, 2, 7 }, { 0x1c4, 3, 24 } };
  uint32_t r[4];

  for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++)
    {
      const uint64_t before = rdmsr (refused[i].index);
      unsigned       v = trap_run (write_msr, (uintptr_t) &refused[i]);

      CHECK (v == GP && trap_error == 0, (uint64_t) refused[i].index << 32 | v);
      CHECK (rdmsr (refused[i].index) == before, refused[i].index);
    }
  for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++)
    {
      const uint64_t before = rdmsr (kept[i].index);

      PASSES (trap_run (write_msr, (uintptr_t) &kept[i]), RETURNED);
      CHECK (rdmsr (kept[i].index) == kept[i].value, kept[i].index);
      wrmsr (kept[i].index, before);
    }
  PASSES (trap_run (write_cr4, READ_CR (4) | 1ull << 12), GP); /* Five levels: not while there is paging. */
  /* Those of what CPUID does not offer are not there: IA32_SPEC_CTRL, PRED_CMD, TSC_ADJUST, TSX_CTRL, U_CET, XFD. */
  for (unsigned i = 0; i < sizeof absent / sizeof absent[0]; i++)
    {
      cpuid (7, 0, r);
      if (r[absent[i].reg] >> absent[i].bit & 1)
        continue;
      CAUGHT (trap_run (read_msr, absent[i].index), GP, 0u);
      PASSES (trap_run (write_msr, (uintptr_t) &(Msr){ absent[i].index, 0 }), GP);
    }
  /* LME can't be changed while there is paging; LMA is not written. */
  PASSES (trap_run (write_msr, (uintptr_t) &(Msr){ 0xc0000080, rdmsr (0xc0000080) & ~0x100ull }), GP);
  PASSES (trap_run (write_msr, (uintptr_t) &(Msr){ 0xc0000080, rdmsr (0xc0000080) & ~0x400ull }), RETURNED);
  CHECK (rdmsr (0xc0000080) & 0x400, rdmsr (0xc0000080));
  return true;
}

static bool
with (bool (*what) (void))
{
  bool ok;

  system_begin ();
  ok = what ();
  system_end ();
  return ok;
}

bool
test_undefined (void)
{
  return with (undefined);
}

bool
test_privileged (void)
{
  return with (privileged);
}

bool
test_msr_values (void)
{
  return with (values);
}
