/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ICH9's SATA controller in AHCI mode: PCI function, registers of controller and ports, link and
 * resets, interrupts. Section numbers are those of AHCI 1.3.1; the function's own registers are in the
 * Intel I/O Controller Hub 9 datasheet (316972), chapter 15.
 */
#include "ahci-private.h"

/* Controller registers, 3.1. */
enum
{
  CAP = 0x00,
  GHC = 0x04,
  IS = 0x08,
  PI = 0x0c,
  VS = 0x10,
};

/* Port registers, 3.3. */
enum
{
  PXCLB = 0x00,
  PXCLBU = 0x04,
  PXFB = 0x08,
  PXFBU = 0x0c,
  PXIS = 0x10,
  PXIE = 0x14,
  PXCMD = 0x18,
  PXTFD = 0x20,
  PXSIG = 0x24,
  PXSSTS = 0x28,
  PXSCTL = 0x2c,
  PXSERR = 0x30,
  PXSACT = 0x34,
  PXCI = 0x38,
  PXSNTF = 0x3c,
};

#define ABAR_SIZE 4096
#define PORTS_AT 0x100
#define PORT_SIZE 0x80
#define PORTS_MASK ((1u << VT_AHCI_PORTS) - 1)

/* 64-bit addresses, queued commands, command list override, AHCI only (there is no legacy interface),
 * up to generation 3, PIO of several blocks, 32 slots. */
#define CAP_VALUE                                                                                  \
  (0x80000000u | 0x40000000u | 0x01000000u | 0x00040000u | 3u << 20 | 0x00008000u |                \
   (SLOTS - 1) << 8 | (VT_AHCI_PORTS - 1))
#define CAP_SSS 0x08000000u
#define VS_VALUE 0x00010301u

#define PXIS_W1C 0xfd8000afu
#define PXIE_BITS 0xfdc000ffu
#define PXCMD_BITS (CMD_ST | CMD_FRE | CMD_ATAPI | CMD_DLAE)
#define PXSERR_BITS 0x07ff0f03u
#define TFD_RESET 0x7fu
#define SIG_RESET 0xffffffffu

#define LEGACY_SIZE 32
#define IDP_INDEX 0x10
#define IDP_DATA 0x14

static const VtStateField port_fields[] = {
  VT_STATE (VtAhciPortState, clb),
  VT_STATE (VtAhciPortState, clbu),
  VT_STATE (VtAhciPortState, fb),
  VT_STATE (VtAhciPortState, fbu),
  VT_STATE (VtAhciPortState, is),
  VT_STATE (VtAhciPortState, ie),
  VT_STATE (VtAhciPortState, cmd),
  VT_STATE (VtAhciPortState, tfd),
  VT_STATE (VtAhciPortState, sig),
  VT_STATE (VtAhciPortState, ssts),
  VT_STATE (VtAhciPortState, sctl),
  VT_STATE (VtAhciPortState, serr),
  VT_STATE (VtAhciPortState, sact),
  VT_STATE (VtAhciPortState, ci),
  VT_STATE (VtAhciPortState, sntf),
  VT_STATE_MAX (VtAhciPortState, last_slot, SLOTS - 1),
  VT_STATE (VtAhciPortState, srst),
  VT_STATE (VtAhciPortState, signature),
  VT_STATE (VtAhciPortState, halted),
  VT_STATE_STRUCT (VtAhciPortState, disk, &vt_ata_disk_state),
  VT_STATE_STRUCT (VtAhciPortState, cd, &vt_atapi_cd_state),
  VT_STATE (VtAhciPortState, pad_),
};

static const VtStateDesc port_state = VT_STATE_DESC (VtAhciPortState, 1, port_fields, NULL);

static const VtStateField ahci_fields[] = {
  VT_STATE_STRUCT (VtAhciState, pci, &vt_pci_state),
  VT_STATE (VtAhciState, ghc),
  VT_STATE (VtAhciState, is),
  VT_STATE_MAX (VtAhciState, index, ABAR_SIZE - 4),
  VT_STATE_STRUCT (VtAhciState, port, &port_state),
};

static const VtStateDesc ahci_state = VT_STATE_DESC (VtAhciState, 1, ahci_fields, NULL);

static VtAhci *
ahci_of (VtDevice *dev)
{
  return VT_CONTAINER (dev, VtAhci, fn.base);
}

/* Interrupts ----------------------------------------------------------------------------------------------- */

/* PCS and PRCS show what PxSERR holds, 3.3.5. */
static uint32_t
port_is (const VtAhciPort *port)
{
  uint32_t is = port->s->is;

  if ((port->s->serr & SERR_EXCHANGED) != 0)
    is |= IS_PCS;
  if ((port->s->serr & SERR_PHYRDY) != 0)
    is |= IS_PRCS;
  return is;
}

/* 5.6.2: a port's bit is set as long as it has something to tell; only the guest clears it. */
void
vt_ahci_update_irq (VtAhci *hba)
{
  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    if ((port_is (&hba->ports[i]) & hba->ports[i].s->ie) != 0)
      hba->state.is |= 1u << i;
  vt_pci_irq (&hba->fn, (hba->state.ghc & GHC_IE) != 0 && hba->state.is != 0);
}

/* Links ------------------------------------------------------------------------------------------------------ */

static void
link_down (VtAhciPort *port, uint32_t det)
{
  port->s->ssts = det;
  port->s->tfd = TFD_RESET;
  port->s->sig = SIG_RESET;
  port->s->signature = false;
  port->s->srst = false;
}

/* 10.1.1, 10.4.2: the drive answers COMRESET, and sends its signature once the port receives. */
static void
link_up (VtAhciPort *port)
{
  uint32_t most = port->s->sctl >> 4 & 15, speed = most == 0 || most > 3 ? 3 : most;

  link_down (port, 0);
  if (port->drive == NULL || (port->s->cmd & CMD_SUD) == 0 || (port->s->sctl & DET_MASK) != 0)
    return;
  port->drive->ops->reset (port->drive, VT_ATA_RESET_HARD);
  port->s->ssts = 1u << 8 | speed << 4 | DET_ONLINE;
  port->s->serr |= SERR_EXCHANGED | SERR_PHYRDY;
  port->s->tfd = VT_ATA_BSY | TFD_RESET;
  port->s->signature = true;
  if ((port->s->cmd & CMD_FRE) != 0)
    vt_ahci_send_signature (port);
}

/* ST is cleared: 3.3.14, 5.3.2.4. CR follows when memory is left alone. */
static void
port_stop (VtAhciPort *port)
{
  vt_ahci_port_drop (port);
  port->s->ci = port->s->sact = 0;
  port->s->halted = false;
  port->s->cmd &= ~(CMD_ST | CMD_CCS);
  if (port->n_stale == 0)
    port->s->cmd &= ~CMD_CR;
}

static void
write_sctl (VtAhciPort *port, uint32_t value)
{
  uint32_t old = port->s->sctl & DET_MASK, det = value & DET_MASK;

  port->s->sctl = value;
  if (det == old)
    return;
  if (det == 1 || det == DET_OFF)
    {
      port_stop (port);
      link_down (port, det == 1 ? 0 : DET_OFF);
    }
  else if (det == 0)
    link_up (port);
}

/* 3.3.7: Spin-Up Device can be written where spin-up is staggered, and reads as one elsewhere. */
static uint32_t
cmd_bits (const VtAhciPort *port)
{
  return PXCMD_BITS | (port->hba->staggered ? CMD_SUD : 0);
}

static void
write_cmd (VtAhciPort *port, uint32_t value)
{
  VtAhciPortState *s = port->s;
  uint32_t         old = s->cmd, changed = old ^ value;

  if ((changed & CMD_ST) != 0 && (value & CMD_ST) == 0)
    port_stop (port);
  s->cmd = (s->cmd & ~cmd_bits (port)) | (value & cmd_bits (port));
  /* 3.3.7: effective while ST is clear; reads as zero. */
  if ((value & CMD_CLO) != 0 && (old & CMD_ST) == 0)
    s->tfd &= ~(uint32_t) (VT_ATA_BSY | VT_ATA_DRQ);
  if ((changed & CMD_FRE) != 0)
    {
      s->cmd = (value & CMD_FRE) != 0 ? s->cmd | CMD_FR : s->cmd & ~CMD_FR;
      if ((value & CMD_FRE) != 0 && s->signature)
        vt_ahci_send_signature (port);
    }
  if ((changed & CMD_SUD) != 0)
    {
      if ((value & CMD_SUD) != 0)
        link_up (port);
      else if ((s->sctl & DET_MASK) == 0)
        link_down (port, 0);
    }
  if ((changed & value & CMD_ST) != 0)
    s->cmd |= CMD_CR;
}

/* Resets ------------------------------------------------------------------------------------------------------ */

static void
port_reset (VtAhciPort *port)
{
  VtAhciPortState *s = port->s, old = *port->s;

  vt_ahci_port_drop (port);
  memset (s, 0, sizeof *s);
  s->disk = old.disk;
  s->cd = old.cd;
  s->clb = old.clb;
  s->clbu = old.clbu;
  s->fb = old.fb;
  s->fbu = old.fbu;
  s->cmd = CMD_POD | (port->hba->staggered ? 0 : CMD_SUD);
  s->last_slot = SLOTS - 1;
  link_up (port);
}

/* 10.4.3: everything but the four addresses of each port. */
static void
hba_reset (VtAhci *hba)
{
  hba->resetting = false;
  hba->state.ghc = GHC_AE;
  hba->state.is = 0;
  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    port_reset (&hba->ports[i]);
  vt_ahci_update_irq (hba);
}

static void
begin_hba_reset (VtAhci *hba)
{
  bool busy = false;

  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    {
      port_stop (&hba->ports[i]);
      busy |= hba->ports[i].n_stale > 0;
    }
  if (!busy)
    hba_reset (hba);
  else
    {
      hba->resetting = true;
      hba->state.ghc |= GHC_HR;
    }
}

void
vt_ahci_idle (VtAhci *hba)
{
  bool busy = false;

  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    {
      VtAhciPort *port = &hba->ports[i];

      if (port->tasks.length > 0)
        {
          busy = true;
          continue;
        }
      g_ptr_array_set_size (port->dying, 0);
      if ((port->s->cmd & CMD_ST) == 0)
        port->s->cmd &= ~CMD_CR;
    }
  if (hba->resetting && !busy)
    hba_reset (hba);
  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    {
      VtAhciPort *port = &hba->ports[i];

      vt_ahci_port_run (port);
      if (port->failed && port->tasks.length == 0)
        {
          /* SATA 2.6 13.6.3.1: none of the queue is left in the drive; now the error is told. */
          port->failed = false;
          vt_ahci_send_set_bits (port, port->failed_status, port->failed_error, 0);
          vt_ahci_port_fatal (port, IS_TFES);
        }
    }
  vt_ahci_update_irq (hba);
  if (hba->pausing && !busy && !vt_device_is_paused (&hba->fn.base))
    vt_device_paused (&hba->fn.base);
}

/* Registers ----------------------------------------------------------------------------------------------------- */

static uint32_t
port_read (const VtAhciPort *port, unsigned reg)
{
  const VtAhciPortState *s = port->s;

  switch (reg)
    {
    case PXCLB:
      return s->clb;
    case PXCLBU:
      return s->clbu;
    case PXFB:
      return s->fb;
    case PXFBU:
      return s->fbu;
    case PXIS:
      return port_is (port);
    case PXIE:
      return s->ie;
    case PXCMD:
      return s->cmd;
    case PXTFD:
      return s->tfd;
    case PXSIG:
      return s->sig;
    case PXSSTS:
      return s->ssts;
    case PXSCTL:
      return s->sctl;
    case PXSERR:
      return s->serr;
    case PXSACT:
      return s->sact;
    case PXCI:
      return s->ci;
    case PXSNTF:
      return s->sntf;
    default:
      return 0;
    }
}

static uint32_t
hba_read (const VtAhci *hba, uint64_t offset)
{
  if (offset >= PORTS_AT)
    {
      unsigned n = (unsigned) (offset - PORTS_AT) / PORT_SIZE;

      return n < VT_AHCI_PORTS ? port_read (&hba->ports[n], offset % PORT_SIZE) : 0;
    }
  switch (offset)
    {
    case CAP:
      return CAP_VALUE | (hba->staggered ? CAP_SSS : 0);
    case GHC:
      return hba->state.ghc;
    case IS:
      return hba->state.is;
    case PI:
      return PORTS_MASK;
    case VS:
      return VS_VALUE;
    default:
      return 0;
    }
}

/* The bits of @old that @mask lets the guest write, replaced. */
static uint32_t
merge (uint32_t old, uint32_t value, uint32_t mask)
{
  return (old & ~mask) | (value & mask);
}

static void
port_write (VtAhciPort *port, unsigned reg, uint32_t value, uint32_t mask)
{
  VtAhciPortState *s = port->s;

  switch (reg)
    {
    case PXCLB:
      s->clb = merge (s->clb, value, mask & ~0x3ffu);
      break;
    case PXCLBU:
      s->clbu = merge (s->clbu, value, mask);
      break;
    case PXFB:
      s->fb = merge (s->fb, value, mask & ~0xffu);
      break;
    case PXFBU:
      s->fbu = merge (s->fbu, value, mask);
      break;
    case PXIS:
      s->is &= ~(value & mask & PXIS_W1C);
      break;
    case PXIE:
      s->ie = merge (s->ie, value, mask & PXIE_BITS);
      break;
    case PXCMD:
      write_cmd (port, merge (s->cmd, value, mask & (cmd_bits (port) | CMD_CLO)));
      break;
    case PXSCTL:
      write_sctl (port, merge (s->sctl, value, mask & 0xfff));
      break;
    case PXSERR:
      s->serr &= ~(value & mask & PXSERR_BITS);
      break;
    case PXSACT:
      /* 3.3.13, 3.3.14: both take bits only while ST is set. */
      if ((s->cmd & CMD_ST) != 0)
        s->sact |= value & mask;
      break;
    case PXCI:
      if ((s->cmd & CMD_ST) != 0)
        s->ci |= value & mask;
      break;
    case PXSNTF:
      s->sntf &= ~(value & mask & 0xffff);
      break;
    default:
      break;
    }
}

static void
hba_write (VtAhci *hba, uint64_t offset, uint32_t value, uint32_t mask)
{
  /* 10.4.3: nothing is taken until a reset is over. */
  if (hba->resetting)
    return;
  if (offset >= PORTS_AT)
    {
      unsigned n = (unsigned) (offset - PORTS_AT) / PORT_SIZE;

      if (n < VT_AHCI_PORTS)
        port_write (&hba->ports[n], offset % PORT_SIZE, value, mask);
    }
  else if (offset == GHC)
    {
      hba->state.ghc = merge (hba->state.ghc, value, mask & GHC_IE);
      if ((value & mask & GHC_HR) != 0)
        begin_hba_reset (hba);
    }
  else if (offset == IS)
    {
      hba->state.is &= ~(value & mask);
      /* 10.6.2: a message for what is still there, or came meanwhile. */
      if (vt_pci_msi_enabled (&hba->fn))
        vt_pci_irq (&hba->fn, false);
    }
  vt_ahci_idle (hba);
}

static uint64_t
abar_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  return hba_read (ahci_of (dev), offset & ~UINT64_C (3)) >> (8 * (offset & 3));
}

static void
abar_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  unsigned shift = 8 * (offset & 3);

  hba_write (ahci_of (dev), offset & ~UINT64_C (3), (uint32_t) (value << shift),
             (uint32_t) (vt_ones (size) << shift));
}

static const VtRegionOps abar_ops = {
  .name = "ahci",
  .min_size = 1,
  .max_size = 4,
  .read = abar_read,
  .write = abar_write,
};

/* BAR 4: where the bus master registers of a legacy controller would be, and behind them the
 * index-data pair (2.2.2), by which real-mode software reaches the registers. */
static uint64_t
legacy_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtAhci  *hba = ahci_of (dev);
  unsigned shift = 8 * (offset & 3);

  switch (offset & ~UINT64_C (3))
    {
    case IDP_INDEX:
      return hba->state.index >> shift;
    case IDP_DATA:
      return hba_read (hba, hba->state.index) >> shift;
    default:
      return 0;
    }
}

static void
legacy_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtAhci  *hba = ahci_of (dev);
  unsigned shift = 8 * (offset & 3);
  uint32_t mask = (uint32_t) (vt_ones (size) << shift), wide = (uint32_t) (value << shift);

  switch (offset & ~UINT64_C (3))
    {
    case IDP_INDEX:
      hba->state.index = merge (hba->state.index, wide, mask & (ABAR_SIZE - 4));
      break;
    case IDP_DATA:
      hba_write (hba, hba->state.index, wide, mask);
      break;
    default:
      break;
    }
}

static const VtRegionOps legacy_ops = {
  .name = "ahci-idp",
  .min_size = 1,
  .max_size = 4,
  .read = legacy_read,
  .write = legacy_write,
};

/* Life ------------------------------------------------------------------------------------------------------------ */

static void
close_block (gpointer data)
{
  vt_block_close (data);
}

static bool
attach (VtAhci *hba, unsigned n, GError **error)
{
  VtAhciPort       *port = &hba->ports[n];
  VtAhciWiring     *w = &hba->wiring[n];
  g_autofree char *serial = g_strdup_printf ("VT-SATA-%u", n);

  /* Guests name drives by their serial numbers, so those of one machine differ. */
  if (w->serial == NULL)
    w->serial = serial;
  port->hba = hba;
  port->n = n;
  port->s = &hba->state.port[n];
  g_queue_init (&port->tasks);
  port->dying = g_ptr_array_new_with_free_func (close_block);
  if (w->kind == VT_AHCI_DISK && w->block != NULL)
    {
      if (w->block->info.sector > 4096 || w->block->info.size < w->block->info.sector)
        return vt_set_error (error, VITRINE_ERROR_INVALID,
                             "“%s” can't be a disk: its sectors of %u bytes are not supported",
                             w->block->info.name, w->block->info.sector);
      vt_ata_disk_init (&port->disk, &port->s->disk, w->block, w->serial, w->model);
      port->drive = &port->disk.base;
    }
  else if (w->kind == VT_AHCI_CD)
    {
      if (w->block != NULL && !vt_atapi_cd_fits (w->block, error))
        return false;
      vt_atapi_cd_init (&port->cd, &port->s->cd, w->block, w->serial, w->model);
      port->drive = &port->cd.base;
    }
  w->serial = w->model = NULL;
  return true;
}

static bool
ahci_realize (VtDevice *dev, GError **error)
{
  VtAhci                *hba = ahci_of (dev);
  static const VtPciInfo info = {
    .vendor = 0x8086,
    .device = 0x2922,
    .revision = 2,
    .class_code = 0x010601,
    .subsystem_vendor = 0x8086,
    .subsystem = 0x2922,
    .interrupt_pin = 1,
  };
  uint8_t present = 0, at;
  bool    ok = true;

  hba->ports = g_new0 (VtAhciPort, VT_AHCI_PORTS);
  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    {
      ok = attach (hba, i, ok ? error : NULL) && ok;
      if (hba->ports[i].drive != NULL)
        present |= (uint8_t) (1u << i);
    }
  vt_pci_function_init (&hba->fn, &hba->state.pci, &info);
  vt_pci_add_bar (&hba->fn, 4, vt_device_add_region (dev, VT_SPACE_IO, &legacy_ops, LEGACY_SIZE),
                  VT_PCI_BAR_32);
  vt_pci_add_bar (&hba->fn, 5, vt_device_add_region (dev, VT_SPACE_MEMORY, &abar_ops, ABAR_SIZE),
                  VT_PCI_BAR_32);
  /* 2.4: the SATA capability, revision 1.0; the pair lies in BAR 4 at dword 4. */
  at = vt_pci_add_capability (&hba->fn, 0x12, 0xa8, 8);
  vt_pci_set_default (&hba->fn, at + 2u, 2, 0x0010);
  vt_pci_set_default (&hba->fn, at + 4u, 4, IDP_INDEX / 4 << 4 | 8);
  vt_pci_add_msi (&hba->fn, 0x80, 1);
  /* ICH9 15.1.30, 15.1.31: in AHCI mode; which ports are enabled, and which have a drive. */
  vt_pci_set_default (&hba->fn, 0x90, 1, 0x40);
  vt_pci_set_default (&hba->fn, 0x92, 2, PORTS_MASK | (uint32_t) present << 8);
  vt_pci_set_wmask (&hba->fn, 0x92, 1, PORTS_MASK);
  return ok;
}

static void
ahci_unrealize (VtDevice *dev)
{
  VtAhci *hba = ahci_of (dev);

  /* Closing waits until the block layer has let go of guest memory; what is still to be answered finds
   * its port gone. */
  for (unsigned i = 0; hba->ports != NULL && i < VT_AHCI_PORTS; i++)
    {
      VtAhciPort *port = &hba->ports[i];

      g_clear_pointer (&hba->wiring[i].block, vt_block_close);
      g_ptr_array_unref (port->dying);
      vt_ahci_port_orphan (port);
    }
  g_clear_pointer (&hba->ports, g_free);
  vt_pci_function_finish (&hba->fn);
}

static void
ahci_reset (VtDevice *dev, VtResetKind kind)
{
  VtAhci *hba = ahci_of (dev);

  vt_pci_function_reset (&hba->fn, kind);
  hba->state.index = 0;
  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    {
      VtAhciPort *port = &hba->ports[i];

      port->s->clb = port->s->clbu = port->s->fb = port->s->fbu = 0;
      if (port->drive != NULL)
        port->drive->ops->reset (port->drive,
                                 kind == VT_RESET_COLD ? VT_ATA_RESET_POWER : VT_ATA_RESET_HARD);
    }
  hba_reset (hba);
}

static void
ahci_pause (VtDevice *dev)
{
  VtAhci *hba = ahci_of (dev);

  hba->pausing = true;
  vt_ahci_idle (hba);
}

static void
ahci_resume (VtDevice *dev)
{
  VtAhci *hba = ahci_of (dev);

  hba->pausing = false;
  vt_ahci_idle (hba);
}

static void
ahci_loaded (VtDevice *dev)
{
  VtAhci *hba = ahci_of (dev);

  /* Nothing was under way where this was saved. */
  for (unsigned i = 0; i < VT_AHCI_PORTS; i++)
    vt_ahci_port_drop (&hba->ports[i]);
  hba->resetting = false;
  vt_pci_function_loaded (&hba->fn);
}

const VtDeviceClass vt_ahci_class = {
  .id = "ahci",
  .spec = "Serial ATA AHCI 1.3.1, sections 2 to 6 and 10; Intel ICH9 datasheet 316972, chapter 15",
  .size = sizeof (VtAhci),
  .state_offset = offsetof (VtAhci, state),
  .state = &ahci_state,
  .flags = VT_DEVICE_PCI,
  .realize = ahci_realize,
  .unrealize = ahci_unrealize,
  .reset = ahci_reset,
  .pause = ahci_pause,
  .resume = ahci_resume,
  .loaded = ahci_loaded,
};

/* Media ------------------------------------------------------------------------------------------------------------ */

bool
vt_ahci_change_medium (VtDevice *dev, unsigned port, VtBlock *block, bool force, GError **error)
{
  VtAhci  *hba = ahci_of (dev);
  VtBlock *old;

  if (port >= VT_AHCI_PORTS || hba->wiring[port].kind != VT_AHCI_CD)
    return vt_set_error (error, VITRINE_ERROR_INVALID,
                         "There is no CD drive on SATA port %u: choose another drive", port);
  if (!vt_atapi_cd_change (&hba->ports[port].cd, block, force, error))
    return false;
  old = hba->wiring[port].block;
  hba->wiring[port].block = block;
  /* Reads under way keep the old medium until they end. */
  if (old != NULL && hba->ports[port].tasks.length > 0)
    g_ptr_array_add (hba->ports[port].dying, old);
  else
    vt_block_close (old);
  return true;
}

bool
vt_ahci_tray_open (VtDevice *dev, unsigned port)
{
  VtAhci *hba = ahci_of (dev);

  return port < VT_AHCI_PORTS && hba->wiring[port].kind == VT_AHCI_CD &&
         hba->state.port[port].cd.open;
}
