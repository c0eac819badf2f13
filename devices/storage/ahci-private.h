/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of the AHCI controller share: a port at run time, its register bits, its tasks.
 */
#pragma once

#include "ahci.h"

/* GHC, 3.1.2. */
#define GHC_HR 0x00000001u
#define GHC_IE 0x00000002u
#define GHC_AE 0x80000000u

/* PxIS, 3.3.5. */
#define IS_DHRS 0x00000001u
#define IS_PSS 0x00000002u
#define IS_DSS 0x00000004u
#define IS_SDBS 0x00000008u
#define IS_DPS 0x00000020u
#define IS_PCS 0x00000040u
#define IS_PRCS 0x00400000u
#define IS_OFS 0x01000000u
#define IS_IFS 0x08000000u
#define IS_HBFS 0x20000000u
#define IS_TFES 0x40000000u

/* PxCMD, 3.3.7. */
#define CMD_ST 0x00000001u
#define CMD_SUD 0x00000002u
#define CMD_POD 0x00000004u
#define CMD_CLO 0x00000008u
#define CMD_FRE 0x00000010u
#define CMD_CCS 0x00001f00u
#define CMD_FR 0x00004000u
#define CMD_CR 0x00008000u
#define CMD_ATAPI 0x01000000u
#define CMD_DLAE 0x02000000u

/* PxSERR, 3.3.12. */
#define SERR_PROTOCOL 0x00000400u
#define SERR_PHYRDY 0x00010000u
#define SERR_EXCHANGED 0x04000000u

/* PxSSTS.DET, 3.3.10. */
#define DET_MASK 0xfu
#define DET_ONLINE 3u
#define DET_OFF 4u

/* Offsets in the received FIS area, 4.2.1. */
#define RFIS_DMA_SETUP 0x00
#define RFIS_PIO_SETUP 0x20
#define RFIS_D2H 0x40
#define RFIS_SDB 0x58

#define SLOTS 32
#define PRD_BATCH 64

typedef struct
{
  VtGpa    gpa;
  uint32_t len;
} VtAhciMap;

/* One command under way. */
typedef struct
{
  VtBlockRequest request; /* One at a time. */
  VtAhciPort    *port;    /* NULL: the device is gone; only the memory is left to free. */
  VtBlock       *block;   /* The medium when it began. */
  uint32_t       generation; /* The port's when it began: it has been dropped if they differ. */
  uint8_t        slot;
  bool           input; /* Data goes to the host. */
  bool           dps;   /* A descriptor with its interrupt bit has been used up. */
  VtAtaCommand   command;
  VtAtaPlan      plan;
  uint64_t       done;  /* Of the medium's work, bytes. */
  uint64_t       moved; /* Through the descriptor table, bytes. */
  unsigned       range; /* Next of plan.ranges. */
  bool           flushed;

  /* The descriptor table and the cursor in it. */
  VtGpa    table;
  uint32_t n_prd, index, skip;
  uint32_t batch_first, batch_n;
  uint8_t  batch[PRD_BATCH * 16];

  GArray  *iov;  /* struct iovec */
  GArray  *maps; /* VtAhciMap, what iov maps. */
  uint8_t *scratch; /* Where VERIFY reads to. */
} VtAhciTask;

struct VtAhciPort
{
  VtAhci          *hba;
  unsigned         n;
  VtAhciPortState *s;
  VtAtaDrive      *drive; /* Into one of the two below, or NULL. */
  VtAtaDisk        disk;
  VtAtapiCd        cd;
  GQueue           tasks;     /* VtAhciTask, also those dropped that still touch guest memory. */
  unsigned         n_stale;   /* Of them: dropped. */
  VtAhciTask      *exclusive; /* The one that is not queued, if any. */
  uint32_t         generation;
  /* A queued command has failed: told once the others have ended. */
  bool       failed;
  uint8_t    failed_status, failed_error;
  GPtrArray *dying; /* VtBlock: media taken out while they were read. */
};

static inline VtMemory *
vt_ahci_memory (const VtAhciPort *port)
{
  return port->hba->fn.base.memory;
}

/* ahci.c */
void vt_ahci_update_irq (VtAhci *hba);
/* After tasks have gone: whatever waits for a port, or the controller, without any. */
void vt_ahci_idle (VtAhci *hba);

/* ahci-fis.c: what the drive sends. Each posts its FIS and sets task file and PxIS bits. */
void vt_ahci_send_signature (VtAhciPort *port);
void vt_ahci_send_d2h (VtAhciPort *port, const VtAtaPlan *plan, bool interrupt);
void vt_ahci_send_pio_setup (VtAhciPort *port, const VtAtaPlan *plan, bool to_host, bool interrupt,
                             uint8_t end_status, uint32_t count);
void vt_ahci_send_dma_setup (VtAhciPort *port, const VtAhciTask *task);
void vt_ahci_send_set_bits (VtAhciPort *port, uint8_t status, uint8_t error, uint32_t bits);

/* ahci-command.c */
void vt_ahci_port_run (VtAhciPort *port);
/* Drops what is under way: results no longer count, memory is let go when each ends. */
void vt_ahci_port_drop (VtAhciPort *port);
/* The device goes: media are closed already. */
void vt_ahci_port_orphan (VtAhciPort *port);
/* A fatal error of the port: 6.2.2.1. */
void vt_ahci_port_fatal (VtAhciPort *port, uint32_t is);

/* ahci-prd.c: the descriptor table, 4.2.3.3. */
typedef enum
{
  VT_PRD_OK,
  VT_PRD_END, /* The table has no more. */
  VT_PRD_BAD, /* It, or what it points at, is not memory. */
} VtPrdResult;

/* Copies between @data and the guest at the cursor; @data NULL gives zeros. Returns the bytes copied. */
uint64_t vt_ahci_prd_copy (VtAhciTask *task, uint8_t *data, uint64_t len, bool to_guest,
                           VtPrdResult *result);
/* Maps the next whole units of @unit bytes, up to @want bytes in all. Returns the bytes mapped. */
uint64_t vt_ahci_prd_map (VtAhciTask *task, uint64_t want, uint32_t unit, bool to_guest,
                          VtPrdResult *result);
void     vt_ahci_prd_unmap (VtAhciTask *task, bool to_guest);
