/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names of architectural bits and numbers (Intel SDM volume 3, chapters 2, 4 and 6; volume 4 for the
 * model-specific registers).
 */
#pragma once

#include "vt-base.h"

/* RFLAGS, SDM volume 1, 3.4.3. */
#define VT_FLAG_CF VT_BIT (0)
#define VT_FLAG_FIXED VT_BIT (1)
#define VT_FLAG_PF VT_BIT (2)
#define VT_FLAG_AF VT_BIT (4)
#define VT_FLAG_ZF VT_BIT (6)
#define VT_FLAG_SF VT_BIT (7)
#define VT_FLAG_TF VT_BIT (8)
#define VT_FLAG_IF VT_BIT (9)
#define VT_FLAG_DF VT_BIT (10)
#define VT_FLAG_OF VT_BIT (11)
#define VT_FLAG_IOPL (VT_BIT (12) | VT_BIT (13))
#define VT_FLAG_NT VT_BIT (14)
#define VT_FLAG_RF VT_BIT (16)
#define VT_FLAG_VM VT_BIT (17)
#define VT_FLAG_AC VT_BIT (18)
#define VT_FLAG_ID VT_BIT (21)
/* The six that arithmetic sets. */
#define VT_FLAGS_STATUS                                                                            \
  (VT_FLAG_CF | VT_FLAG_PF | VT_FLAG_AF | VT_FLAG_ZF | VT_FLAG_SF | VT_FLAG_OF)
#define VT_FLAGS_ALL UINT64_C (0x3f7fd7)

/* SDM volume 3, 2.5. */
#define VT_CR0_PE VT_BIT (0)
#define VT_CR0_MP VT_BIT (1)
#define VT_CR0_EM VT_BIT (2)
#define VT_CR0_TS VT_BIT (3)
#define VT_CR0_ET VT_BIT (4)
#define VT_CR0_NE VT_BIT (5)
#define VT_CR0_WP VT_BIT (16)
#define VT_CR0_AM VT_BIT (18)
#define VT_CR0_NW VT_BIT (29)
#define VT_CR0_CD VT_BIT (30)
#define VT_CR0_PG VT_BIT (31)

#define VT_CR4_VME VT_BIT (0)
#define VT_CR4_PVI VT_BIT (1)
#define VT_CR4_TSD VT_BIT (2)
#define VT_CR4_DE VT_BIT (3)
#define VT_CR4_PSE VT_BIT (4)
#define VT_CR4_PAE VT_BIT (5)
#define VT_CR4_MCE VT_BIT (6)
#define VT_CR4_PGE VT_BIT (7)
#define VT_CR4_PCE VT_BIT (8)
#define VT_CR4_OSFXSR VT_BIT (9)
#define VT_CR4_OSXMMEXCPT VT_BIT (10)
#define VT_CR4_UMIP VT_BIT (11)
#define VT_CR4_LA57 VT_BIT (12)
#define VT_CR4_FSGSBASE VT_BIT (16)
#define VT_CR4_PCIDE VT_BIT (17)
#define VT_CR4_OSXSAVE VT_BIT (18)
#define VT_CR4_SMEP VT_BIT (20)
#define VT_CR4_SMAP VT_BIT (21)
#define VT_CR4_PKE VT_BIT (22)

#define VT_EFER_SCE VT_BIT (0)
#define VT_EFER_LME VT_BIT (8)
#define VT_EFER_LMA VT_BIT (10)
#define VT_EFER_NXE VT_BIT (11)

#define VT_DR6_FIXED UINT64_C (0xffff0ff0)
#define VT_DR6_BD VT_BIT (13)
#define VT_DR6_BS VT_BIT (14)
#define VT_DR6_BT VT_BIT (15)
#define VT_DR7_FIXED UINT64_C (0x400)
#define VT_DR7_GD VT_BIT (13)

/* Exceptions, SDM volume 3, table 6-1. */
enum
{
  VT_EXC_DE = 0, VT_EXC_DB = 1, VT_EXC_NMI = 2, VT_EXC_BP = 3, VT_EXC_OF = 4, VT_EXC_BR = 5,
  VT_EXC_UD = 6, VT_EXC_NM = 7, VT_EXC_DF = 8, VT_EXC_TS = 10, VT_EXC_NP = 11, VT_EXC_SS = 12,
  VT_EXC_GP = 13, VT_EXC_PF = 14, VT_EXC_MF = 16, VT_EXC_AC = 17, VT_EXC_MC = 18, VT_EXC_XM = 19,
};

/* A page fault's error code, SDM volume 3, figure 4-12. */
#define VT_PF_PRESENT 0x01u
#define VT_PF_WRITE 0x02u
#define VT_PF_USER 0x04u
#define VT_PF_RESERVED 0x08u
#define VT_PF_FETCH 0x10u
#define VT_PF_KEY 0x20u

/* Model-specific registers. */
#define VT_MSR_TSC 0x10u
#define VT_MSR_APIC_BASE 0x1bu
#define VT_MSR_SMBASE 0x9eu
#define VT_MSR_SYSENTER_CS 0x174u
#define VT_MSR_SYSENTER_ESP 0x175u
#define VT_MSR_SYSENTER_EIP 0x176u
#define VT_MSR_PAT 0x277u
#define VT_MSR_TSC_DEADLINE 0x6e0u
#define VT_MSR_EFER 0xc0000080u
#define VT_MSR_STAR 0xc0000081u
#define VT_MSR_LSTAR 0xc0000082u
#define VT_MSR_CSTAR 0xc0000083u
#define VT_MSR_FMASK 0xc0000084u
#define VT_MSR_FS_BASE 0xc0000100u
#define VT_MSR_GS_BASE 0xc0000101u
#define VT_MSR_KERNEL_GS_BASE 0xc0000102u
#define VT_MSR_TSC_AUX 0xc0000103u

/* Where a processor's handler of SMIs is after RESET, less 0x8000 (SDM volume 3, 31.4). */
#define VT_SMBASE_RESET 0x30000u

/* IA32_PAT after RESET (SDM volume 3, table 12-12). */
#define VT_PAT_RESET UINT64_C (0x0007040600070406)

/* Descriptor types, SDM volume 3, tables 3-1 and 3-2. */
#define VT_TYPE_TSS16 1u
#define VT_TYPE_LDT 2u
#define VT_TYPE_TSS16_BUSY 3u
#define VT_TYPE_CALL16 4u
#define VT_TYPE_TASK_GATE 5u
#define VT_TYPE_INT16 6u
#define VT_TYPE_TRAP16 7u
#define VT_TYPE_TSS 9u
#define VT_TYPE_TSS_BUSY 11u
#define VT_TYPE_CALL 12u
#define VT_TYPE_INT 14u
#define VT_TYPE_TRAP 15u
