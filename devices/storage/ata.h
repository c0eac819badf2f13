/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What lies between an ATA host (the AHCI port) and a drive. A drive is a pure core: it takes a
 * command's registers and answers with a plan (data to move, medium to read or write, a flush), and
 * the host carries the plan out. It knows no FIS, no memory, no thread.
 */
#pragma once

#include "vt-block.h"

/* Status register. */
#define VT_ATA_ERR 0x01
#define VT_ATA_DRQ 0x08
#define VT_ATA_DF 0x20
#define VT_ATA_DRDY 0x40
#define VT_ATA_BSY 0x80
/* What a drive with nothing to complain of shows: DRDY, and bit 4, obsolete but always set. */
#define VT_ATA_GOOD 0x50

/* Error register. */
#define VT_ATA_ABRT 0x04
#define VT_ATA_IDNF 0x10
#define VT_ATA_UNC 0x40

#define VT_ATA_SIGNATURE_DISK 0x00000101
#define VT_ATA_SIGNATURE_PACKET 0xeb140101

typedef struct VtAtaDrive VtAtaDrive;

/* A command as the host-to-device Register FIS brings it. */
typedef struct
{
  uint8_t  command, device;
  uint16_t features, count;
  uint64_t lba; /* 48 bits. */
  uint8_t  packet[16];
} VtAtaCommand;

typedef enum
{
  VT_ATA_NON_DATA,
  VT_ATA_PIO,
  VT_ATA_DMA,
  VT_ATA_QUEUED, /* First-party DMA with a tag. */
} VtAtaProtocol;

typedef enum
{
  VT_ATA_END,    /* Over: the registers of the plan are the answer. */
  VT_ATA_IN,     /* Give @data to the host, then end. */
  VT_ATA_OUT,    /* Fill @data from the host, then ask received(). */
  VT_ATA_READ,   /* Medium to host, then ask ended(). */
  VT_ATA_WRITE,  /* Host to medium, likewise. */
  VT_ATA_VERIFY, /* Read the medium, give nothing, likewise. */
  VT_ATA_FLUSH,
  VT_ATA_TRIM,   /* Discard each of @ranges, likewise. */
  VT_ATA_SILENT, /* The drive sleeps: no answer until a reset. */
} VtAtaAction;

typedef struct
{
  uint64_t offset, length; /* Bytes of the medium. */
} VtAtaRange;

typedef struct
{
  VtAtaAction   action;
  VtAtaProtocol protocol;
  bool          packet; /* By the PACKET command, whose data-in ends with a status of its own. */
  bool          fua;
  uint8_t       tag;
  uint32_t      drq;            /* Bytes per PIO data block. */
  uint64_t      offset, length; /* Bytes of the medium. */
  uint32_t      tail;           /* Zero bytes that follow @length: what the medium lacks. */
  uint8_t      *data;           /* g_malloc'ed, @data_len bytes; the plan's. */
  uint32_t      data_len;
  VtAtaRange   *ranges; /* g_malloc'ed. */
  unsigned      n_ranges;

  /* The answer. */
  uint8_t  status, error, device;
  uint16_t count;
  uint64_t lba;
} VtAtaPlan;

typedef enum
{
  VT_ATA_RESET_POWER,
  VT_ATA_RESET_HARD, /* COMRESET, or the platform's reset line. */
  VT_ATA_RESET_SOFT, /* SRST. */
} VtAtaReset;

typedef struct
{
  uint32_t signature;
  uint8_t  ready; /* Status after a reset. */
  /* Fills @plan, which comes zeroed. */
  void (*start) (VtAtaDrive *drive, const VtAtaCommand *command, VtAtaPlan *plan);
  /* @data has come; sets the next action, which is not VT_ATA_OUT. */
  void (*received) (VtAtaDrive *drive, const VtAtaCommand *command, VtAtaPlan *plan);
  /* The medium's work is over with @error (0 or an errno) after @done bytes: fills the answer. */
  void (*ended) (VtAtaDrive         *drive,
                 const VtAtaCommand *command,
                 VtAtaPlan          *plan,
                 int                 error,
                 uint64_t            done);
  void (*reset) (VtAtaDrive *drive, VtAtaReset kind);
} VtAtaDriveOps;

/* The common head of every drive. */
struct VtAtaDrive
{
  const VtAtaDriveOps *ops;
  VtBlock             *block; /* The medium, or NULL. */
  char                 serial[21], model[41];
};

/* Registers for a command that ended well, or that the drive refuses. */
void vt_ata_good (const VtAtaCommand *command, VtAtaPlan *plan);
void vt_ata_abort (const VtAtaCommand *command, VtAtaPlan *plan, uint8_t error);
/* @len zeroed bytes to give or fill. */
uint8_t *vt_ata_data (VtAtaPlan *plan, VtAtaAction action, VtAtaProtocol protocol, uint32_t len);
void     vt_ata_plan_clear (VtAtaPlan *plan);

/* Identification data: words are little-endian, text is space-padded with each pair swapped. */
void vt_ata_word (uint8_t *data, unsigned word, uint16_t value);
void vt_ata_text (uint8_t *data, unsigned word, unsigned n_words, const char *text);
/* The checksum byte at the end of a 512-byte page: all bytes sum to zero. */
void vt_ata_checksum (uint8_t *page);

/* A transfer mode as SET FEATURES 03h knows it: whether it exists, and where it is told. */
bool vt_ata_mode_ok (uint8_t mode);
void vt_ata_identify_modes (uint8_t *data, uint8_t mode);
