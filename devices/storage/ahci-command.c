/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Commands of an AHCI port: fetched from the command list, given to the drive, carried out, and
 * answered. AHCI 1.3.1 sections 4.2.2 (command list), 5.3 (port states) and 6.2 (errors).
 *
 * Guest memory is given to the block layer as it is, so a command that the guest has dropped (by
 * clearing ST, COMRESET, or a reset) keeps its mapping until the block layer has let go. Until then
 * PxCMD.CR stays set and nothing new is fetched: as on hardware, memory is not written any more once
 * CR reads as zero. Results of dropped commands are told by the port's generation.
 */
#include "ahci-private.h"

#include <errno.h>

/* The most that one command moves at once, or verifies. */
#define CHUNK_MAX (4u << 20)
#define VERIFY_MAX (256u << 10)

#define FIS_H2D 0x27
#define FIS_COMMAND 0x80 /* In byte 1; clear: the control register. */
#define CONTROL_SRST 0x04

/* Command header, 4.2.2. */
#define HEADER_CFL 0x1fu

static void step (VtAhciTask *task);

/* Tasks -------------------------------------------------------------------------------------------------- */

static VtAhciTask *
task_new (VtAhciPort *port, unsigned slot)
{
  VtAhciTask *task = g_new0 (VtAhciTask, 1);

  task->port = port;
  task->slot = (uint8_t) slot;
  task->generation = port->generation;
  task->block = port->drive->block;
  task->iov = g_array_new (FALSE, FALSE, sizeof (struct iovec));
  task->maps = g_array_new (FALSE, FALSE, sizeof (VtAhciMap));
  g_queue_push_tail (&port->tasks, task);
  return task;
}

static void
task_free (VtAhciTask *task)
{
  vt_ata_plan_clear (&task->plan);
  g_array_unref (task->iov);
  g_array_unref (task->maps);
  g_free (task->scratch);
  g_free (task);
}

static void
task_end (VtAhciTask *task)
{
  VtAhciPort *port = task->port;

  g_queue_remove (&port->tasks, task);
  if (port->exclusive == task)
    port->exclusive = NULL;
  task_free (task);
}

void
vt_ahci_port_drop (VtAhciPort *port)
{
  port->generation++;
  port->n_stale = port->tasks.length;
  port->exclusive = NULL;
  port->failed = false;
}

void
vt_ahci_port_orphan (VtAhciPort *port)
{
  VtAhciTask *task;

  while ((task = g_queue_pop_head (&port->tasks)) != NULL)
    {
      vt_ahci_prd_unmap (task, task->input);
      task->port = NULL;
    }
}

void
vt_ahci_port_fatal (VtAhciPort *port, uint32_t is)
{
  port->s->is |= is;
  port->s->halted = true;
}

/* Answers ---------------------------------------------------------------------------------------------------- */

static VtGpa
header_address (const VtAhciPort *port, unsigned slot)
{
  return ((uint64_t) port->s->clbu << 32 | port->s->clb) + slot * 32;
}

static void
answer_queued (VtAhciTask *task)
{
  VtAhciPort *port = task->port;

  if ((task->plan.status & VT_ATA_ERR) == 0)
    {
      vt_ahci_send_set_bits (port, task->plan.status, 0, 1u << task->plan.tag);
      return;
    }
  /* The failed command's bit in PxSACT stays, for the guest to see which it was. */
  if (!port->failed)
    {
      port->failed = true;
      port->failed_status = task->plan.status;
      port->failed_error = task->plan.error;
    }
}

static void
answer (VtAhciTask *task)
{
  VtAhciPort *port = task->port;
  VtAtaPlan  *plan = &task->plan;
  bool        error = (plan->status & VT_ATA_ERR) != 0;

  if (!error && task->input && plan->protocol == VT_ATA_PIO && !plan->packet)
    {
      /* Data came by PIO: the last setup frame's end status is the answer, 5.3.10. */
      uint32_t last = (uint32_t) (task->moved % MAX (plan->drq, 1));

      vt_ahci_send_pio_setup (port, plan, true, true, plan->status, last == 0 ? plan->drq : last);
    }
  else
    {
      if (!error && task->input && plan->protocol == VT_ATA_PIO)
        vt_ahci_send_pio_setup (port, plan, true, true, plan->status,
                                (uint32_t) MIN (task->moved, plan->drq));
      vt_ahci_send_d2h (port, plan, true);
    }
  if (!error)
    {
      port->s->ci &= ~(1u << task->slot);
      return;
    }
  /* 6.2.2.1: the command's bit stays set, and CCS tells which it was. */
  vt_ahci_port_fatal (port, IS_TFES);
}

/* The plan is at its end: tells the guest, and is no more. */
static void
finish (VtAhciTask *task)
{
  VtAhciPort *port = task->port;
  uint8_t     moved[4];

  vt_st32 (moved, (uint32_t) task->moved);
  if (!vt_memory_write (vt_ahci_memory (port), header_address (port, task->slot) + 4, moved, 4))
    vt_ahci_port_fatal (port, IS_HBFS);
  if (task->dps)
    port->s->is |= IS_DPS;
  if (task->plan.protocol == VT_ATA_QUEUED)
    answer_queued (task);
  else
    answer (task);
  task_end (task);
}

static void
finish_medium (VtAhciTask *task, int error)
{
  VtAtaDrive *drive = task->port->drive;

  drive->ops->ended (drive, &task->command, &task->plan, error, task->done);
  finish (task);
}

/* The descriptor table is short, or wrong. */
static void
finish_table (VtAhciTask *task, VtPrdResult result)
{
  VtAhciPort *port = task->port;

  if (result == VT_PRD_BAD)
    {
      vt_trace (port->hba->fn.base.path, "port %u: slot %u points at what is not memory", port->n,
                task->slot);
      vt_ahci_port_fatal (port, IS_HBFS);
      task_end (task);
      return;
    }
  port->s->is |= IS_OFS;
  finish_medium (task, EIO);
}

/* Carrying out ------------------------------------------------------------------------------------------------- */

static void
done_cb (VtBlockRequest *request, int error)
{
  VtAhciTask *task = request->data;
  VtAhciPort *port = task->port;

  if (port == NULL)
    {
      task_free (task);
      return;
    }
  vt_ahci_prd_unmap (task, task->input);
  if (task->generation != port->generation)
    {
      port->n_stale--;
      task_end (task);
    }
  else if (port->s->halted)
    task_end (task); /* 6.2.2: a port that has stopped takes nothing from the drive. */
  else if (error != 0)
    finish_medium (task, error);
  else
    {
      task->done += request->length;
      step (task);
    }
  vt_ahci_idle (port->hba);
}

static void
submit (VtAhciTask *task, VtBlockOp op, uint64_t offset, uint64_t length)
{
  VtBlockRequest *r = &task->request;

  memset (r, 0, sizeof *r);
  r->op = op;
  r->fua = task->plan.fua;
  r->offset = offset;
  r->length = length;
  r->iov = (const struct iovec *) (void *) task->iov->data;
  r->n_iov = task->iov->len;
  r->done = done_cb;
  r->context = task->port->hba->fn.base.context;
  r->data = task;
  vt_block_submit (task->block, r);
}

static void
step_transfer (VtAhciTask *task)
{
  VtAtaPlan  *plan = &task->plan;
  bool        read = plan->action == VT_ATA_READ;
  uint64_t    left = plan->length - task->done, len;
  VtPrdResult result;

  if (left == 0)
    {
      /* What the medium lacks of its last block. */
      if (plan->tail > 0 && vt_ahci_prd_copy (task, NULL, plan->tail, true, &result) < plan->tail)
        finish_table (task, result);
      else
        finish_medium (task, 0);
      return;
    }
  len = vt_ahci_prd_map (task, MIN (left, CHUNK_MAX), task->block->info.sector, read, &result);
  if (len == 0)
    {
      finish_table (task, result);
      return;
    }
  task->moved += len;
  submit (task, read ? VT_BLOCK_READ : VT_BLOCK_WRITE, plan->offset + task->done, len);
}

static void
step_verify (VtAhciTask *task)
{
  uint64_t     len = MIN (task->plan.length - task->done, VERIFY_MAX);
  struct iovec iov;

  if (len == 0)
    {
      finish_medium (task, 0);
      return;
    }
  if (task->scratch == NULL)
    task->scratch = g_malloc (VERIFY_MAX);
  iov = (struct iovec){ .iov_base = task->scratch, .iov_len = len };
  g_array_set_size (task->iov, 0);
  g_array_append_val (task->iov, iov);
  submit (task, VT_BLOCK_READ, task->plan.offset + task->done, len);
}

static void
step_flush (VtAhciTask *task)
{
  if (task->flushed)
    {
      finish_medium (task, 0);
      return;
    }
  task->flushed = true;
  submit (task, VT_BLOCK_FLUSH, 0, 0);
}

static void
step_trim (VtAhciTask *task)
{
  const VtAtaRange *range;

  if (task->range == task->plan.n_ranges)
    {
      finish_medium (task, 0);
      return;
    }
  range = &task->plan.ranges[task->range++];
  submit (task, VT_BLOCK_DISCARD, range->offset, range->length);
}

static void
step_out (VtAhciTask *task)
{
  VtAtaDrive *drive = task->port->drive;
  VtPrdResult result;

  if (vt_ahci_prd_copy (task, task->plan.data, task->plan.data_len, false, &result) <
      task->plan.data_len)
    {
      finish_table (task, result);
      return;
    }
  drive->ops->received (drive, &task->command, &task->plan);
  step (task);
}

/* Does what the plan says next, until it has to wait or has ended. */
static void
step (VtAhciTask *task)
{
  VtPrdResult result;

  switch (task->plan.action)
    {
    case VT_ATA_END:
      finish (task);
      break;
    case VT_ATA_IN:
      if (vt_ahci_prd_copy (task, task->plan.data, task->plan.data_len, true, &result) <
          task->plan.data_len)
        {
          if (result == VT_PRD_BAD)
            {
              finish_table (task, result);
              break;
            }
          /* More than the guest has room for: the rest is dropped, and it is told. */
          task->port->s->is |= IS_OFS;
        }
      finish (task);
      break;
    case VT_ATA_OUT:
      step_out (task);
      break;
    case VT_ATA_READ:
    case VT_ATA_WRITE:
      step_transfer (task);
      break;
    case VT_ATA_VERIFY:
      step_verify (task);
      break;
    case VT_ATA_FLUSH:
      step_flush (task);
      break;
    case VT_ATA_TRIM:
      step_trim (task);
      break;
    case VT_ATA_SILENT:
      /* BSY until a reset, as a drive that does not answer. */
      task->port->s->halted = true;
      task_end (task);
      break;
    }
}

/* Beginning ---------------------------------------------------------------------------------------------------- */

static void
decode (const uint8_t *fis, VtAtaCommand *c)
{
  c->command = fis[2];
  c->features = (uint16_t) (fis[3] | fis[11] << 8);
  c->lba = fis[4] | (uint64_t) fis[5] << 8 | (uint64_t) fis[6] << 16 | (uint64_t) fis[8] << 24 |
           (uint64_t) fis[9] << 32 | (uint64_t) fis[10] << 40;
  c->device = fis[7];
  c->count = vt_ld16 (fis + 12);
}

/* A Register FIS without the C bit: SRST on, then off. */
static void
control (VtAhciPort *port, unsigned slot, uint8_t value)
{
  port->s->ci &= ~(1u << slot);
  if ((value & CONTROL_SRST) != 0)
    {
      port->s->srst = true;
      port->s->tfd = VT_ATA_BSY | (port->s->tfd & 0xff00);
    }
  else if (port->s->srst)
    {
      port->s->srst = false;
      port->drive->ops->reset (port->drive, VT_ATA_RESET_SOFT);
      vt_ahci_send_signature (port);
    }
}

static bool
tag_busy (const VtAhciPort *port, const VtAhciTask *task)
{
  for (const GList *l = port->tasks.head; l != NULL; l = l->next)
    {
      const VtAhciTask *other = l->data;

      if (other != task && other->plan.tag == task->plan.tag)
        return true;
    }
  return false;
}

static void
start (VtAhciTask *task)
{
  VtAhciPort *port = task->port;
  VtAtaPlan  *plan = &task->plan;

  port->drive->ops->start (port->drive, &task->command, plan);
  task->input = plan->action == VT_ATA_READ || plan->action == VT_ATA_IN;
  if (plan->protocol == VT_ATA_QUEUED)
    {
      /* SATA 2.6 13.6.2: the drive takes the command off the bus, and PxCI forgets it. */
      port->s->ci &= ~(1u << task->slot);
      if (tag_busy (port, task))
        vt_ata_abort (&task->command, plan, VT_ATA_ABRT);
      else if (plan->action != VT_ATA_END)
        vt_ahci_send_dma_setup (port, task);
    }
  else
    {
      port->exclusive = task;
      port->s->tfd = VT_ATA_BSY | (port->s->tfd & 0xff00);
      if (plan->protocol == VT_ATA_PIO &&
          (plan->action == VT_ATA_WRITE || plan->action == VT_ATA_OUT))
        {
          vt_ahci_send_pio_setup (port, plan, false, false, VT_ATA_BSY, plan->drq);
          port->s->tfd = VT_ATA_BSY;
        }
    }
  step (task);
}

/* Takes the command in @slot. Returns false where it has to wait, or the port has stopped. */
static bool
begin (VtAhciPort *port, unsigned slot)
{
  VtMemory   *memory = vt_ahci_memory (port);
  VtAhciTask *task;
  uint8_t     header[32], fis[20];
  VtGpa       table;
  uint32_t    flags;
  bool        queued;

  port->s->cmd = (port->s->cmd & ~CMD_CCS) | slot << 8;
  if (!vt_memory_read (memory, header_address (port, slot), header, sizeof header))
    {
      vt_ahci_port_fatal (port, IS_HBFS);
      return false;
    }
  flags = vt_ld32 (header);
  table = vt_ld64 (header + 8) & ~UINT64_C (0x7f);
  if (!vt_memory_read (memory, table, fis, sizeof fis))
    {
      vt_ahci_port_fatal (port, IS_HBFS);
      return false;
    }
  /* The length is in dwords. What is no Register FIS the drive does not understand, 6.1.5. */
  if ((flags & HEADER_CFL) < 2 || (flags & HEADER_CFL) > 16 || fis[0] != FIS_H2D)
    {
      vt_trace (port->hba->fn.base.path, "port %u: slot %u holds no register frame", port->n, slot);
      port->s->serr |= SERR_PROTOCOL;
      vt_ahci_port_fatal (port, IS_IFS);
      return false;
    }
  /* Only queued commands are taken beside others. */
  queued = (fis[1] & FIS_COMMAND) != 0 && (fis[2] == 0x60 || fis[2] == 0x61);
  if (!queued && !g_queue_is_empty (&port->tasks))
    return false;
  port->s->last_slot = (uint8_t) slot;
  if ((fis[1] & FIS_COMMAND) == 0)
    {
      control (port, slot, fis[15]);
      return true;
    }
  if (port->s->srst)
    {
      /* Held in reset, the drive does not look at commands. */
      port->s->ci &= ~(1u << slot);
      return true;
    }
  task = task_new (port, slot);
  decode (fis, &task->command);
  task->table = table + 0x80;
  task->n_prd = flags >> 16;
  /* 4.2.3.2: the packet lies behind the FIS. Zeros where it is not memory, which is no command. */
  if (!vt_memory_read (memory, table + 0x40, task->command.packet, sizeof task->command.packet))
    memset (task->command.packet, 0xff, sizeof task->command.packet);
  start (task);
  return true;
}

static bool
can_run (const VtAhciPort *port)
{
  const VtAhci *hba = port->hba;

  return !hba->pausing && !hba->resetting && port->drive != NULL && !port->s->halted &&
         !port->failed && port->exclusive == NULL && port->n_stale == 0 &&
         (port->s->cmd & (CMD_ST | CMD_CR)) == (CMD_ST | CMD_CR) &&
         (port->s->ssts & DET_MASK) == DET_ONLINE;
}

void
vt_ahci_port_run (VtAhciPort *port)
{
  /* Each round takes one bit off PxCI, stops the port, or leaves, and nobody adds bits meanwhile. */
  while (port->s->ci != 0 && can_run (port))
    {
      unsigned slot = port->s->last_slot;

      do
        slot = (slot + 1) % SLOTS;
      while ((port->s->ci & 1u << slot) == 0);
      if (!begin (port, slot))
        break;
    }
}
