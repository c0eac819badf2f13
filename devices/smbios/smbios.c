/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SMBIOS structures and entry points. DSP0134 3.0.0: 5.2 entry points, 6.1 structure standards,
 * 7 the types.
 */
#include "smbios/smbios.h"

#define STRING_MAX 64
#define NO_HANDLE 0xffff
#define NO_ERROR_HANDLE 0xfffe

/* Handles: the type in the high byte. */
#define HANDLE(type, n) ((uint16_t) ((type) << 8 | (n)))

/* One memory device holds at most this, and there are at most so many. */
#define DIMM_SIZE (16 * VT_GIB)
#define DIMM_MAX 64

typedef struct
{
  GByteArray *out;
  GPtrArray  *strings; /* Of the structure that is being made. */
  guint       start;
  guint       largest; /* Bytes of the largest structure, for the 2.1 entry point. */
  guint       count;
} Build;

static void
b8 (Build *b, unsigned v)
{
  uint8_t raw = (uint8_t) v;

  g_byte_array_append (b->out, &raw, 1);
}

static void
b16 (Build *b, unsigned v)
{
  b8 (b, v & 0xff);
  b8 (b, v >> 8 & 0xff);
}

static void
b32 (Build *b, uint32_t v)
{
  b16 (b, v & 0xffff);
  b16 (b, v >> 16);
}

static void
b64 (Build *b, uint64_t v)
{
  b32 (b, (uint32_t) v);
  b32 (b, (uint32_t) (v >> 32));
}

/* 6.1.3: a string is named by its number in the set behind the structure; 0: none. */
static void
bstr (Build *b, const char *text)
{
  char *copy;

  if (text == NULL || *text == '\0')
    {
      b8 (b, 0);
      return;
    }
  copy = g_strndup (text, STRING_MAX);
  for (char *p = copy; *p != '\0'; p++)
    if (*p < 0x20 || *p > 0x7e)
      *p = '?';
  g_ptr_array_add (b->strings, copy);
  b8 (b, b->strings->len);
}

static void
begin (Build *b, unsigned type, unsigned handle)
{
  b->start = b->out->len;
  g_ptr_array_set_size (b->strings, 0);
  b8 (b, type);
  b8 (b, 0); /* Length: end() knows. */
  b16 (b, handle);
}

static void
end (Build *b)
{
  b->out->data[b->start + 1] = (uint8_t) (b->out->len - b->start);
  for (guint i = 0; i < b->strings->len; i++)
    {
      const char *s = b->strings->pdata[i];

      g_byte_array_append (b->out, (const uint8_t *) s, (guint) strlen (s) + 1);
    }
  if (b->strings->len == 0)
    b8 (b, 0);
  b8 (b, 0);
  b->largest = MAX (b->largest, b->out->len - b->start);
  b->count++;
}

bool
vt_smbios_parse_uuid (const char *text, uint8_t uuid[16], GError **error)
{
  unsigned n = 0;
  bool     ok = strlen (text) == 36;

  for (unsigned i = 0; ok && i < 36; i++)
    if (i == 8 || i == 13 || i == 18 || i == 23)
      ok = text[i] == '-';
    else
      {
        int digit = g_ascii_xdigit_value (text[i]);

        ok = digit >= 0;
        if (n % 2 == 0)
          uuid[n / 2] = (uint8_t) (digit << 4);
        else
          uuid[n / 2] |= (uint8_t) digit;
        n++;
      }
  return ok || vt_set_error (error, VITRINE_ERROR_INVALID,
                             "The UUID “%s” is not of the form "
                             "01234567-89ab-cdef-0123-456789abcdef; correct it.",
                             text);
}

/* 7.1 */
static void
bios_information (Build *b, const VtSmbiosParams *p)
{
  begin (b, 0, HANDLE (0, 0));
  bstr (b, p->bios_vendor);
  bstr (b, p->bios_version);
  b16 (b, 0xe800);
  bstr (b, p->bios_date);
  b8 (b, 0);       /* 64 KiB */
  b64 (b, 1 << 3); /* Characteristics are not given. */
  b8 (b, 0);
  b8 (b, 1 << 2 | (p->uefi ? 1 << 3 : 0) | 1 << 4); /* … it is a virtual machine. */
  for (int i = 0; i < 4; i++)
    b8 (b, i < 2 ? 0 : 0xff); /* Releases of BIOS and embedded controller. */
  end (b);
}

/* 7.2. The UUID's first three fields are little-endian (7.2.1). */
static void
system_information (Build *b, const VtSmbiosParams *p, const uint8_t uuid[16])
{
  static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

  begin (b, 1, HANDLE (1, 0));
  bstr (b, p->manufacturer == NULL ? "Vitrine" : p->manufacturer);
  bstr (b, p->product == NULL ? "Virtual machine (q35)" : p->product);
  bstr (b, p->version);
  bstr (b, p->serial);
  for (int i = 0; i < 16; i++)
    b8 (b, uuid[order[i]]);
  b8 (b, 6); /* Woken by the power switch. */
  bstr (b, p->sku);
  bstr (b, p->family);
  end (b);
}

/* 7.4 */
static void
enclosure (Build *b, const VtSmbiosParams *p)
{
  begin (b, 3, HANDLE (3, 0));
  bstr (b, p->manufacturer == NULL ? "Vitrine" : p->manufacturer);
  b8 (b, 1); /* Other. */
  bstr (b, p->version);
  bstr (b, NULL);
  bstr (b, NULL);
  for (int i = 0; i < 3; i++)
    b8 (b, 3); /* Boot-up, power supply and thermal state: safe. */
  b8 (b, 2);   /* Security: unknown. */
  b32 (b, 0);
  b8 (b, 0);
  b8 (b, 0);
  b8 (b, 0);
  b8 (b, 0);
  bstr (b, NULL);
  end (b);
}

/* 7.5 */
static void
processor (Build *b, const VtSmbiosParams *p, unsigned n)
{
  g_autofree char *socket = g_strdup_printf ("CPU %u", n);
  unsigned         cores = MAX (p->cores, 1), threads = cores * MAX (p->threads, 1);

  begin (b, 4, HANDLE (4, n));
  bstr (b, socket);
  b8 (b, 3); /* Central processor. */
  b8 (b, 1); /* Family: other. */
  bstr (b, p->cpu_vendor);
  b32 (b, p->cpu_eax);
  b32 (b, p->cpu_edx);
  bstr (b, p->cpu_name);
  b8 (b, 0);
  b16 (b, 0);    /* External clock: unknown. */
  b16 (b, 2000); /* Speeds: some tools take zero for an empty socket. */
  b16 (b, 2000);
  b8 (b, 0x41); /* Populated, enabled. */
  b8 (b, 1);
  for (int i = 0; i < 3; i++)
    b16 (b, NO_HANDLE); /* Caches. */
  bstr (b, NULL);
  bstr (b, NULL);
  bstr (b, NULL);
  /* 255 means that the word-sized fields behind have the number. */
  b8 (b, MIN (cores, 255));
  b8 (b, MIN (cores, 255));
  b8 (b, MIN (threads, 255));
  b16 (b, 1 << 2); /* 64-bit capable. */
  b16 (b, 1);
  b16 (b, MIN (cores, 0xfffe));
  b16 (b, MIN (cores, 0xfffe));
  b16 (b, MIN (threads, 0xfffe));
  end (b);
}

/* 7.17 */
static void
memory_array (Build *b, uint64_t total, unsigned n_dimms)
{
  bool extended = total >> 10 >= 0x80000000;

  begin (b, 16, HANDLE (16, 0));
  b8 (b, 3); /* On the system board. */
  b8 (b, 3); /* System memory. */
  b8 (b, 3); /* No error correction. */
  b32 (b, extended ? 0x80000000 : (uint32_t) (total >> 10));
  b16 (b, NO_ERROR_HANDLE);
  b16 (b, n_dimms);
  b64 (b, extended ? total : 0);
  end (b);
}

/* 7.18 */
static void
memory_device (Build *b, unsigned n, uint64_t size)
{
  g_autofree char *locator = g_strdup_printf ("DIMM %u", n);
  uint64_t         mib = (size + VT_MIB - 1) / VT_MIB;

  begin (b, 17, HANDLE (17, n));
  b16 (b, HANDLE (16, 0));
  b16 (b, NO_ERROR_HANDLE);
  b16 (b, 0xffff);
  b16 (b, 0xffff);
  b16 (b, mib >= 0x7fff ? 0x7fff : (unsigned) mib);
  b8 (b, 9); /* DIMM */
  b8 (b, 0);
  bstr (b, locator);
  bstr (b, NULL);
  b8 (b, 7);       /* RAM */
  b16 (b, 1 << 1); /* Other. */
  b16 (b, 0);
  bstr (b, "Vitrine");
  bstr (b, NULL);
  bstr (b, NULL);
  bstr (b, NULL);
  b8 (b, 0);
  b32 (b, mib >= 0x7fff ? (uint32_t) mib : 0);
  b16 (b, 0);
  b16 (b, 0);
  b16 (b, 0);
  b16 (b, 0);
  end (b);
}

/* 7.20 */
static void
mapped_address (Build *b, unsigned n, uint64_t base, uint64_t size)
{
  uint64_t last = base + size - 1;
  bool     extended = last >> 10 >= UINT32_MAX;

  begin (b, 19, HANDLE (19, n));
  b32 (b, extended ? UINT32_MAX : (uint32_t) (base >> 10));
  b32 (b, extended ? UINT32_MAX : (uint32_t) (last >> 10));
  b16 (b, HANDLE (16, 0));
  b8 (b, 1);
  b64 (b, extended ? base : 0);
  b64 (b, extended ? last : 0);
  end (b);
}

static uint8_t
checksum (const uint8_t *p, size_t len)
{
  uint8_t sum = 0;

  while (len-- > 0)
    sum = (uint8_t) (sum + *p++);
  return (uint8_t) -sum;
}

/* 5.2.1. The table's address is the firmware's to fill in, and then the checksums. */
static void
anchor_21 (GByteArray *out, const Build *b)
{
  uint8_t e[31] = { 0 };

  memcpy (e, "_SM_", 4);
  e[5] = sizeof e;
  e[6] = 2;
  e[7] = 8;
  vt_st16 (e + 8, (uint16_t) b->largest);
  memcpy (e + 16, "_DMI_", 5);
  vt_st16 (e + 22, (uint16_t) b->out->len);
  vt_st16 (e + 28, (uint16_t) b->count);
  e[30] = 0x28;
  e[21] = checksum (e + 16, 15);
  e[4] = checksum (e, sizeof e);
  g_byte_array_append (out, e, sizeof e);
}

/* 5.2.2 */
static void
anchor_30 (GByteArray *out, const Build *b)
{
  uint8_t e[24] = { 0 };

  memcpy (e, "_SM3_", 5);
  e[6] = sizeof e;
  e[7] = 3;
  e[10] = 1;
  vt_st32 (e + 12, b->out->len);
  e[5] = checksum (e, sizeof e);
  g_byte_array_append (out, e, sizeof e);
}

void
vt_smbios_tables_clear (VtSmbiosTables *tables)
{
  g_clear_pointer (&tables->anchor, g_byte_array_unref);
  g_clear_pointer (&tables->tables, g_byte_array_unref);
}

bool
vt_smbios_build (const VtSmbiosParams *p, VtSmbiosTables *out, GError **error)
{
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  Build    b = { .strings = strings };
  uint8_t  uuid[16] = { 0 };
  uint64_t total, dimm = DIMM_SIZE;
  unsigned sockets = CLAMP (p->sockets, 1, 255), n_dimms;

  if (p->uuid != NULL && !vt_smbios_parse_uuid (p->uuid, uuid, error))
    return false;
  if (!vt_add (p->ram_below_4g, p->ram_above_4g, &total) || total > UINT64_C (1) << 52)
    return vt_set_error (error, VITRINE_ERROR_INVALID, "The machine has more memory than it can.");
  if ((total + DIMM_MAX - 1) / DIMM_MAX > dimm)
    dimm = vt_align_up ((total + DIMM_MAX - 1) / DIMM_MAX, VT_GIB);
  n_dimms = (unsigned) MAX ((total + dimm - 1) / dimm, 1);

  *out = (VtSmbiosTables){ g_byte_array_new (), g_byte_array_new () };
  b.out = out->tables;
  if (p->bios_vendor != NULL)
    bios_information (&b, p);
  system_information (&b, p, uuid);
  enclosure (&b, p);
  for (unsigned i = 0; i < sockets; i++)
    processor (&b, p, i);
  memory_array (&b, total, n_dimms);
  for (unsigned i = 0; i < n_dimms; i++)
    memory_device (&b, i, MIN (dimm, total - i * dimm));
  if (p->ram_below_4g != 0)
    mapped_address (&b, 0, 0, p->ram_below_4g);
  if (p->ram_above_4g != 0)
    mapped_address (&b, 1, 4 * VT_GIB, p->ram_above_4g);
  begin (&b, 32, HANDLE (32, 0)); /* 7.33: no errors at boot. */
  for (int i = 0; i < 7; i++)
    b8 (&b, 0);
  end (&b);
  begin (&b, 127, HANDLE (127, 0));
  end (&b);

  if (p->old_anchor)
    anchor_21 (out->anchor, &b);
  else
    anchor_30 (out->anchor, &b);
  if (b.out->len > UINT16_MAX)
    {
      vt_smbios_tables_clear (out);
      return vt_set_error (error, VITRINE_ERROR_INVALID,
                           "The machine's description is longer than SMBIOS allows; use fewer "
                           "sockets.");
    }
  return true;
}

bool
vt_smbios_add_files (VtFwCfg *fw, const VtSmbiosParams *params, GError **error)
{
  VtSmbiosTables t = { NULL };
  bool           ok;

  if (!vt_smbios_build (params, &t, error))
    return false;
  ok = vt_fw_cfg_add_file (fw, VT_SMBIOS_ANCHOR_FILE, t.anchor->data, t.anchor->len, error) &&
       vt_fw_cfg_add_file (fw, VT_SMBIOS_TABLES_FILE, t.tables->data, t.tables->len, error);
  vt_smbios_tables_clear (&t);
  return ok;
}
