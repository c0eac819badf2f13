/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every form of every instruction that Zydis knows in 64-bit mode, or in 32-bit code under it: a mnemonic with the kinds and sizes of its
 * operands, its encoding, and what a prefix makes of it. They are found by decoding all opcodes.
 */
#pragma once

#include <Zydis/Zydis.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define HOST_FORM_BYTES 15u

typedef struct
{
  uint64_t key;
  uint16_t mnemonic;
  uint8_t  bytes[HOST_FORM_BYTES]; /* One instruction of it. */
  uint8_t  modrm;                  /* Where ModRM is, or 0. */
  uint8_t  tail;                   /* What is behind opcode and ModRM. */
  bool     extended;               /* ModRM's register field is part of the opcode. */
  unsigned n_compared, n_declined;
} HostForm;

typedef struct
{
  HostForm    *form;
  unsigned     n, bits;
  ZydisDecoder decoder;
} HostForms;

/* @bits: 64 or 32. */
HostForms *host_forms_new (unsigned bits);
void       host_forms_free (HostForms *forms);

/* Another instruction of @form, as @random has it: other registers, addressing, displacement and numbers. */
void host_form_vary (const HostForms *forms, const HostForm *form, uint64_t *random,
                     uint8_t bytes[HOST_FORM_BYTES]);

/* Its text, from @form's own example. (transfer full) */
char *host_form_text (const HostForms *forms, const HostForm *form);

/* A generator of numbers; @random must not be 0. */
static inline uint64_t
host_random (uint64_t *random)
{
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return *random;
}
