/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The firmware configuration device: how the firmware learns what the board is made of, and where it
 * finds the tables, kernels and option ROMs that the host made for it.
 *
 * The board adds its items before or after it realizes the device; not to a machine that runs,
 * because the firmware has read the directory by then.
 */
#pragma once

#include "vt-device.h"

/* What guests accept in one directory, and the length of a name with its terminator. */
#define VT_FW_CFG_FILES_MAX 128
#define VT_FW_CFG_NAME_MAX 56
/* All that a guest can write, over all writable files. It is part of the saved state. */
#define VT_FW_CFG_WRITABLE_MAX 4096

/* Well-known keys. */
typedef enum
{
  VT_FW_CFG_SIGNATURE = 0x00,
  VT_FW_CFG_ID = 0x01,
  VT_FW_CFG_UUID = 0x02,         /* 16 bytes, as in SMBIOS. */
  VT_FW_CFG_RAM_SIZE = 0x03,     /* u64, bytes. */
  VT_FW_CFG_NOGRAPHIC = 0x04,    /* u16: 1 sends the firmware's text to the serial port. */
  VT_FW_CFG_NB_CPUS = 0x05,      /* u16: CPUs present. */
  VT_FW_CFG_KERNEL_ADDR = 0x07,  /* u32 */
  VT_FW_CFG_KERNEL_SIZE = 0x08,  /* u32 */
  VT_FW_CFG_INITRD_ADDR = 0x0a,  /* u32 */
  VT_FW_CFG_INITRD_SIZE = 0x0b,  /* u32 */
  VT_FW_CFG_BOOT_DEVICE = 0x0c,  /* u16 */
  VT_FW_CFG_BOOT_MENU = 0x0e,    /* u16: 1 shows the prompt. */
  VT_FW_CFG_MAX_CPUS = 0x0f,     /* u16: one more than the largest APIC id. */
  VT_FW_CFG_KERNEL_ENTRY = 0x10, /* u32 */
  VT_FW_CFG_KERNEL_DATA = 0x11,
  VT_FW_CFG_INITRD_DATA = 0x12,
  VT_FW_CFG_CMDLINE_ADDR = 0x13, /* u32 */
  VT_FW_CFG_CMDLINE_SIZE = 0x14, /* u32, with the terminator. */
  VT_FW_CFG_CMDLINE_DATA = 0x15,
  VT_FW_CFG_SETUP_ADDR = 0x16,   /* u32 */
  VT_FW_CFG_SETUP_SIZE = 0x17,   /* u32 */
  VT_FW_CFG_SETUP_DATA = 0x18,
  VT_FW_CFG_FILE_DIR = 0x19,
  VT_FW_CFG_FILE_FIRST = 0x20,   /* Files have the keys from here on, in the order of their names. */
  VT_FW_CFG_ARCH_LOCAL = 0x8000, /* The architecture's own name space of keys. */
  VT_FW_CFG_IRQ0_OVERRIDE = 0x8002, /* u8: 1 where the timer is GSI 2. */
} VtFwCfgKey;

typedef struct VtFwCfgItem VtFwCfgItem;

/* What a transfer in flight does. */
typedef enum
{
  VT_FW_CFG_IDLE,
  VT_FW_CFG_READING,
  VT_FW_CFG_WRITING,
} VtFwCfgTransfer;

typedef struct
{
  uint64_t dma_high;        /* Bits 63 to 32 of the next descriptor's address, in place. */
  uint64_t descriptor;      /* Of the transfer in flight: guest physical. */
  uint64_t transfer_gpa;    /* Where its next byte goes to or comes from. */
  uint32_t transfer_left;   /* Bytes. */
  uint32_t offset;          /* In the selected item. */
  uint16_t selected;        /* Key. */
  uint8_t  transfer;        /* VtFwCfgTransfer */
  uint8_t  pad_[5];
  uint8_t  writable[VT_FW_CFG_WRITABLE_MAX]; /* The contents of the writable files. */
} VtFwCfgState;

typedef struct
{
  VtDevice base;

  VtFwCfgItem *legacy[2][VT_FW_CFG_FILE_FIRST]; /* By arch-local bit and key. */
  GPtrArray   *files;                           /* VtFwCfgItem, sorted by name. */
  GBytes      *directory;                       /* NULL: to be built from @files. */
  VtTimer     *timer;                           /* The next piece of a long transfer. */
  VtRegion    *ports, *dma;
  uint32_t     writable_used;

  VtFwCfgState state;
} VtFwCfg;

extern const VtDeviceClass vt_fw_cfg_class;

/* Makes the contents of a file when the firmware selects it. (transfer full) */
typedef GBytes *(*VtFwCfgGenerate) (void *data);
/* A guest wrote some of a writable file, whose present contents these are. Context's lock held. */
typedef void (*VtFwCfgWritten) (void *data, const uint8_t *contents, uint32_t size);

/* Items by key; a second one replaces the first. @data is copied. */
void vt_fw_cfg_add (VtFwCfg *fw, uint16_t key, const void *data, size_t size);
void vt_fw_cfg_add_u16 (VtFwCfg *fw, uint16_t key, uint16_t value);
void vt_fw_cfg_add_u32 (VtFwCfg *fw, uint16_t key, uint32_t value);
void vt_fw_cfg_add_u64 (VtFwCfg *fw, uint16_t key, uint64_t value);
/* Like vt_fw_cfg_add(), but keeps a reference: kernels and initial disks can be mapped files. */
void vt_fw_cfg_add_bytes (VtFwCfg *fw, uint16_t key, GBytes *bytes);

/* Files by name; a second one of that name replaces the first. False and @error where the name is
 * too long or the directory is full. */
bool vt_fw_cfg_add_file (VtFwCfg *fw, const char *name, const void *data, size_t size,
                         GError **error);
bool vt_fw_cfg_add_file_bytes (VtFwCfg *fw, const char *name, GBytes *bytes, GError **error);

/* A file whose contents @generate makes anew whenever it is selected. The directory says @size, so
 * what is made is padded with zeros, or cut, to that. */
bool vt_fw_cfg_add_file_generated (VtFwCfg        *fw,
                                   const char     *name,
                                   size_t          size,
                                   VtFwCfgGenerate generate,
                                   void           *data,
                                   GError        **error);

/* A file that the guest may write by DMA; reset restores @initial (NULL: zeros). @written may be
 * NULL. */
bool vt_fw_cfg_add_file_writable (VtFwCfg       *fw,
                                  const char    *name,
                                  const void    *initial,
                                  size_t         size,
                                  VtFwCfgWritten written,
                                  void          *data,
                                  GError       **error);

/* The key of file @name, 0 where there is none. For tests and the board's own checks. */
uint16_t vt_fw_cfg_find (VtFwCfg *fw, const char *name);
