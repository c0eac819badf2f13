/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Frames that the drive sends to the host: built as Serial ATA 2.6 10.3 lays them out, stored in the
 * port's received FIS area (AHCI 1.3.1 4.2.1), with what each does to the task file and to PxIS.
 */
#include "ahci-private.h"

#define FIS_D2H 0x34
#define FIS_DMA_SETUP 0x41
#define FIS_PIO_SETUP 0x5f
#define FIS_SET_BITS 0xa1
#define FIS_INTERRUPT 0x40
#define FIS_TO_HOST 0x20

static void
store (VtAhciPort *port, unsigned offset, const uint8_t *fis, size_t len)
{
  VtGpa base = (uint64_t) port->s->fbu << 32 | port->s->fb;

  if ((port->s->cmd & CMD_FRE) == 0)
    return;
  if (!vt_memory_write (vt_ahci_memory (port), base + offset, fis, len))
    {
      vt_trace (port->hba->fn.base.path, "port %u: the FIS area is not memory", port->n);
      vt_ahci_port_fatal (port, IS_HBFS);
    }
}

static void
put_registers (uint8_t *fis, const VtAtaPlan *plan)
{
  fis[4] = (uint8_t) plan->lba;
  fis[5] = (uint8_t) (plan->lba >> 8);
  fis[6] = (uint8_t) (plan->lba >> 16);
  fis[7] = plan->device;
  fis[8] = (uint8_t) (plan->lba >> 24);
  fis[9] = (uint8_t) (plan->lba >> 32);
  fis[10] = (uint8_t) (plan->lba >> 40);
  vt_st16 (fis + 12, plan->count);
}

void
vt_ahci_send_d2h (VtAhciPort *port, const VtAtaPlan *plan, bool interrupt)
{
  uint8_t fis[20] = { FIS_D2H, interrupt ? FIS_INTERRUPT : 0, plan->status, plan->error };

  put_registers (fis, plan);
  store (port, RFIS_D2H, fis, sizeof fis);
  port->s->tfd = plan->status | (uint32_t) plan->error << 8;
  if (interrupt)
    port->s->is |= IS_DHRS;
}

void
vt_ahci_send_signature (VtAhciPort *port)
{
  VtAtaPlan plan = { .error = 1, .count = 1 }; /* ATA8-ACS 7.9: "device 0 passed". */

  port->s->signature = false;
  /* A saved state may claim a signature of a port without a drive. */
  if (port->drive == NULL)
    return;
  plan.status = port->drive->ops->ready;
  plan.lba = port->drive->ops->signature >> 8;
  port->s->sig = port->drive->ops->signature;
  vt_ahci_send_d2h (port, &plan, false);
}

void
vt_ahci_send_pio_setup (VtAhciPort *port, const VtAtaPlan *plan, bool to_host, bool interrupt,
                        uint8_t end_status, uint32_t count)
{
  uint8_t fis[20] = { FIS_PIO_SETUP, 0, VT_ATA_GOOD | VT_ATA_DRQ };

  if (to_host)
    fis[1] |= FIS_TO_HOST;
  if (interrupt)
    fis[1] |= FIS_INTERRUPT;
  put_registers (fis, plan);
  fis[15] = end_status;
  vt_st16 (fis + 16, (uint16_t) count);
  store (port, RFIS_PIO_SETUP, fis, sizeof fis);
  port->s->tfd = end_status;
  if (interrupt)
    port->s->is |= IS_PSS;
}

void
vt_ahci_send_dma_setup (VtAhciPort *port, const VtAhciTask *task)
{
  uint8_t fis[28] = { FIS_DMA_SETUP, task->input ? FIS_TO_HOST : 0 };

  fis[4] = task->plan.tag;
  vt_st32 (fis + 20, (uint32_t) task->plan.length);
  store (port, RFIS_DMA_SETUP, fis, sizeof fis);
}

void
vt_ahci_send_set_bits (VtAhciPort *port, uint8_t status, uint8_t error, uint32_t bits)
{
  uint8_t fis[8] = { FIS_SET_BITS, FIS_INTERRUPT, status & 0x77, error };

  vt_st32 (fis + 4, bits);
  store (port, RFIS_SDB, fis, sizeof fis);
  /* 5.3.8: BSY and DRQ are not this frame's to change. */
  port->s->tfd = (port->s->tfd & (VT_ATA_BSY | VT_ATA_DRQ)) | (status & 0x77) |
                 (uint32_t) error << 8;
  port->s->sact &= ~bits;
  port->s->is |= IS_SDBS;
}
