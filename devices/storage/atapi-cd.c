/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An ATAPI CD and DVD drive: the ATA commands of a packet device, the tray and its medium, sense
 * data, and the dispatch of packets. What a disc tells of itself is in atapi-disc.c. Section numbers
 * are those of MMC-6 (T10/1836-D revision 2g) unless SPC (SPC-3 r23) or ACS (ATA8-ACS 6a) is said.
 */
#include "atapi-private.h"

#include <errno.h>

#define MODE_DEFAULT 0x45 /* UDMA 5. */
#define PIO_LIMIT_MAX 0xfffe

static const VtStateField cd_fields[] = {
  VT_STATE_MAX (VtAtapiCdState, key, 15),
  VT_STATE (VtAtapiCdState, asc),
  VT_STATE (VtAtapiCdState, ascq),
  VT_STATE_MAX (VtAtapiCdState, change, VT_ATAPI_GONE),
  VT_STATE_MAX (VtAtapiCdState, event, VT_ATAPI_EVENT_REMOVAL),
  VT_STATE (VtAtapiCdState, mode),
  VT_STATE_MAX (VtAtapiCdState, power, 3),
  VT_STATE (VtAtapiCdState, locked),
  VT_STATE (VtAtapiCdState, open),
};

const VtStateDesc vt_atapi_cd_state = VT_STATE_DESC (VtAtapiCdState, 1, cd_fields, NULL);

/* Answers --------------------------------------------------------------------------------------------- */

/* ACS 7.20: the interrupt reason (bit 0: command, bit 1: to the host) is in the count register. */
void
vt_atapi_good (const VtAtaCommand *c, VtAtaPlan *plan)
{
  vt_ata_good (c, plan);
  plan->count = 3;
}

void
vt_atapi_check (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan, unsigned sense)
{
  cd->state->key = sense >> 16 & 15;
  cd->state->asc = (uint8_t) (sense >> 8);
  cd->state->ascq = (uint8_t) sense;
  vt_ata_abort (c, plan, (uint8_t) (cd->state->key << 4 | VT_ATA_ABRT));
  plan->count = 3;
}

/* @len bytes of which the host takes @allocated at most. */
uint8_t *
vt_atapi_data (const VtAtaCommand *c, VtAtaPlan *plan, uint32_t len, uint32_t allocated)
{
  bool     dma = plan->protocol == VT_ATA_DMA;
  uint32_t drq = plan->drq;
  uint8_t *data;

  vt_atapi_good (c, plan);
  if (allocated == 0)
    {
      /* Nothing is wanted, which is no error. The caller fills a buffer that nobody reads. */
      data = vt_ata_data (plan, VT_ATA_END, VT_ATA_NON_DATA, len);
      plan->data_len = 0;
      return data;
    }
  data = vt_ata_data (plan, VT_ATA_IN, dma ? VT_ATA_DMA : VT_ATA_PIO, len);
  plan->data_len = MIN (len, allocated);
  plan->drq = drq;
  return data;
}

/* The medium ------------------------------------------------------------------------------------------- */

bool
vt_atapi_loaded (const VtAtapiCd *cd)
{
  return cd->base.block != NULL && !cd->state->open;
}

/* A last block that the image has only in part is a whole one, padded with zeros. */
uint32_t
vt_atapi_blocks (const VtAtapiCd *cd)
{
  uint64_t n;

  if (!vt_atapi_loaded (cd))
    return 0;
  n = cd->base.block->info.size / VT_CD_BLOCK + (cd->base.block->info.size % VT_CD_BLOCK != 0);
  return (uint32_t) MIN (n, UINT32_MAX);
}

static bool
ready (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  VtAtapiCdState *s = cd->state;

  if (vt_atapi_loaded (cd) && s->change == VT_ATAPI_GONE)
    {
      s->change = VT_ATAPI_CHANGED;
      vt_atapi_check (cd, c, plan, VT_SENSE_NO_MEDIUM);
      return false;
    }
  if (vt_atapi_loaded (cd) && s->change == VT_ATAPI_CHANGED)
    {
      s->change = VT_ATAPI_SETTLED;
      vt_atapi_check (cd, c, plan, VT_SENSE_CHANGED);
      return false;
    }
  if (!vt_atapi_loaded (cd))
    {
      vt_atapi_check (cd, c, plan, s->open ? VT_SENSE_TRAY_OPEN : VT_SENSE_TRAY_EMPTY);
      return false;
    }
  s->power = 0;
  return true;
}

static void
read_blocks (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan, uint32_t lba, uint32_t n,
             VtAtaAction action)
{
  uint64_t size, end;

  if (n == 0)
    {
      vt_atapi_good (c, plan);
      return;
    }
  if (!vt_range_ok (lba, n, vt_atapi_blocks (cd)))
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_LBA_RANGE);
      return;
    }
  size = cd->base.block->info.size;
  end = MIN (((uint64_t) lba + n) * VT_CD_BLOCK, size);
  plan->action = action;
  plan->offset = (uint64_t) lba * VT_CD_BLOCK;
  plan->length = end - plan->offset;
  plan->tail = action == VT_ATA_READ ? (uint32_t) ((uint64_t) n * VT_CD_BLOCK - plan->length) : 0;
}

/* READ CD, 6.15: mode 1 data only, and of each sector the 2048 bytes of user data. */
static void
read_cd (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan, uint32_t lba, uint32_t n)
{
  unsigned type = c->packet[1] >> 2 & 7, what = c->packet[9] & 0xf8;

  if ((type != 0 && type != 2) || (c->packet[9] & 6) != 0 || (c->packet[10] & 7) != 0 ||
      (what != 0x10 && what != 0))
    vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
  else
    read_blocks (cd, c, plan, lba, what == 0 ? 0 : n, VT_ATA_READ);
}

static bool
from_msf (const uint8_t *msf, uint32_t *lba)
{
  uint32_t frames = (msf[0] * 60u + msf[1]) * 75 + msf[2];

  if (msf[1] >= 60 || msf[2] >= 75 || frames < 150)
    return false;
  *lba = frames - 150;
  return true;
}

static void
read_cd_msf (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint32_t start, end;

  if (!from_msf (c->packet + 3, &start) || !from_msf (c->packet + 6, &end) || end < start)
    vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
  else
    read_cd (cd, c, plan, start, end - start);
}

/* START STOP UNIT, 6.42. */
static void
start_stop (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  VtAtapiCdState *s = cd->state;

  vt_atapi_good (c, plan);
  /* A power condition: the drive is always at rest and always ready. */
  if (c->packet[4] >> 4 != 0)
    return;
  switch (c->packet[4] & 3)
    {
    case 2:
      if (s->locked && !s->open)
        {
          vt_atapi_check (cd, c, plan,
                          cd->base.block == NULL ? VT_SENSE_LOCKED_EMPTY : VT_SENSE_LOCKED);
          return;
        }
      if (!s->open)
        s->event = cd->base.block == NULL ? VT_ATAPI_EVENT_NONE : VT_ATAPI_EVENT_REMOVAL;
      s->open = true;
      break;
    case 3:
      if (s->open && cd->base.block != NULL)
        {
          s->change = VT_ATAPI_CHANGED;
          s->event = VT_ATAPI_EVENT_NEW_MEDIUM;
        }
      s->open = false;
      break;
    default:
      break;
    }
}

bool
vt_atapi_cd_fits (const VtBlock *block, GError **error)
{
  if (block->info.sector <= VT_CD_BLOCK && VT_CD_BLOCK % block->info.sector == 0)
    return true;
  return vt_set_error (error, VITRINE_ERROR_INVALID,
                       "“%s” has sectors of %u bytes and can't be a CD: choose an ISO image",
                       block->info.name, block->info.sector);
}

bool
vt_atapi_cd_change (VtAtapiCd *cd, VtBlock *block, bool force, GError **error)
{
  VtAtapiCdState *s = cd->state;
  bool            was_loaded = vt_atapi_loaded (cd);

  if (block != NULL && !vt_atapi_cd_fits (block, error))
    return false;
  if (s->locked && !s->open && !force)
    {
      s->event = VT_ATAPI_EVENT_EJECT_REQUEST;
      return vt_set_error (error, VITRINE_ERROR_STATE,
                           "The guest has locked its CD drive and was asked to eject: try again, "
                           "eject inside the guest, or force it");
    }
  cd->base.block = block;
  s->open = block == NULL;
  if (force)
    s->locked = false;
  if (block != NULL)
    {
      s->change = was_loaded ? VT_ATAPI_GONE : VT_ATAPI_CHANGED;
      s->event = VT_ATAPI_EVENT_NEW_MEDIUM;
    }
  else
    {
      s->change = VT_ATAPI_SETTLED;
      if (was_loaded)
        s->event = VT_ATAPI_EVENT_REMOVAL;
    }
  return true;
}

/* Packets ---------------------------------------------------------------------------------------------- */

static void
request_sense (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  VtAtapiCdState *s = cd->state;
  uint8_t        *data = vt_atapi_data (c, plan, 18, c->packet[4]);

  /* SPC 6.27: a unit attention that nobody has seen yet is told here, and is then over. */
  if (s->key == 0 && vt_atapi_loaded (cd) && s->change != VT_ATAPI_SETTLED)
    {
      s->key = VT_SENSE_CHANGED >> 16;
      s->asc = VT_SENSE_CHANGED >> 8 & 0xff;
      s->ascq = VT_SENSE_CHANGED & 0xff;
      s->change = VT_ATAPI_SETTLED;
    }
  data[0] = 0x70;
  data[2] = s->key;
  data[7] = 10;
  data[12] = s->asc;
  data[13] = s->ascq;
  s->key = s->asc = s->ascq = 0;
}

static void
inquiry (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint8_t *data;

  /* SPC 6.4: no vital product data. */
  if ((c->packet[1] & 1) != 0 || c->packet[2] != 0)
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_FIELD);
      return;
    }
  data = vt_atapi_data (c, plan, 36, vt_atapi_be16 (c->packet + 3));
  data[0] = 0x05; /* CD and DVD. */
  data[1] = 0x80; /* Removable. */
  data[2] = 0x05; /* SPC-3. */
  data[3] = 0x32; /* ATAPI response format. */
  data[4] = 31;
  vt_atapi_text (data + 8, 8, "VITRINE");
  vt_atapi_text (data + 16, 16, cd->base.model);
  vt_atapi_text (data + 32, 4, "1.0");
}

static void
prevent_allow (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  vt_atapi_good (c, plan);
  cd->state->locked = (c->packet[4] & 1) != 0;
}

/* Commands that a change of medium, or its absence, does not stop: 4.1.6.1. */
static bool
always (uint8_t opcode)
{
  switch (opcode)
    {
    case VT_MMC_INQUIRY:
    case VT_MMC_REQUEST_SENSE:
    case VT_MMC_GET_CONFIGURATION:
    case VT_MMC_GET_EVENT_STATUS:
    case VT_MMC_MODE_SENSE_6:
    case VT_MMC_MODE_SENSE_10:
    case VT_MMC_MODE_SELECT_6:
    case VT_MMC_MODE_SELECT_10:
    case VT_MMC_MECHANISM_STATUS:
    case VT_MMC_START_STOP:
    case VT_MMC_PREVENT_ALLOW:
    case VT_MMC_SET_CD_SPEED:
      return true;
    default:
      return false;
    }
}

static bool
known (uint8_t opcode)
{
  switch (opcode)
    {
    case VT_MMC_TEST_UNIT_READY:
    case VT_MMC_READ_CAPACITY:
    case VT_MMC_READ_10:
    case VT_MMC_READ_12:
    case VT_MMC_SEEK:
    case VT_MMC_VERIFY:
    case VT_MMC_READ_SUBCHANNEL:
    case VT_MMC_READ_TOC:
    case VT_MMC_READ_DISC_INFORMATION:
    case VT_MMC_READ_TRACK_INFORMATION:
    case VT_MMC_READ_DVD_STRUCTURE:
    case VT_MMC_READ_CD:
    case VT_MMC_READ_CD_MSF:
      return true;
    default:
      return always (opcode);
    }
}

static void
packet (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  const uint8_t *cdb = c->packet;
  uint32_t       limit = c->lba >> 8 & 0xffff;

  plan->packet = true;
  plan->protocol = (c->features & 1) != 0 ? VT_ATA_DMA : VT_ATA_PIO;
  /* ACS 7.20.6.3: the byte count limit; 0 and FFFFh mean the most that is even. */
  plan->drq = limit == 0 || limit == 0xffff ? PIO_LIMIT_MAX : limit;
  if (!known (cdb[0]))
    {
      vt_atapi_check (cd, c, plan, VT_SENSE_OPCODE);
      return;
    }
  if (!always (cdb[0]) && !ready (cd, c, plan))
    return;
  /* Sense lasts until the next command but the one that asks for it. */
  if (cdb[0] != VT_MMC_REQUEST_SENSE)
    cd->state->key = cd->state->asc = cd->state->ascq = 0;
  switch (cdb[0])
    {
    case VT_MMC_TEST_UNIT_READY:
    case VT_MMC_SET_CD_SPEED:
      vt_atapi_good (c, plan);
      break;
    case VT_MMC_REQUEST_SENSE:
      request_sense (cd, c, plan);
      break;
    case VT_MMC_INQUIRY:
      inquiry (cd, c, plan);
      break;
    case VT_MMC_START_STOP:
      start_stop (cd, c, plan);
      break;
    case VT_MMC_PREVENT_ALLOW:
      prevent_allow (cd, c, plan);
      break;
    case VT_MMC_READ_10:
      read_blocks (cd, c, plan, vt_atapi_be32 (cdb + 2), vt_atapi_be16 (cdb + 7), VT_ATA_READ);
      break;
    case VT_MMC_READ_12:
      read_blocks (cd, c, plan, vt_atapi_be32 (cdb + 2), vt_atapi_be32 (cdb + 6), VT_ATA_READ);
      break;
    case VT_MMC_VERIFY:
      read_blocks (cd, c, plan, vt_atapi_be32 (cdb + 2), vt_atapi_be16 (cdb + 7), VT_ATA_VERIFY);
      break;
    case VT_MMC_SEEK:
      vt_atapi_good (c, plan);
      if (vt_atapi_be32 (cdb + 2) >= vt_atapi_blocks (cd))
        vt_atapi_check (cd, c, plan, VT_SENSE_LBA_RANGE);
      break;
    case VT_MMC_READ_CD:
      read_cd (cd, c, plan, vt_atapi_be32 (cdb + 2), vt_atapi_be32 (cdb + 5) & 0xffffff);
      break;
    case VT_MMC_READ_CD_MSF:
      read_cd_msf (cd, c, plan);
      break;
    default:
      vt_atapi_tell (cd, c, plan);
      break;
    }
}

/* ATA commands ------------------------------------------------------------------------------------------- */

/* IDENTIFY PACKET DEVICE, ACS 7.17. */
static void
identify (const VtAtapiCd *cd, uint8_t *data)
{
  vt_ata_word (data, 0, 0x85c0); /* ATAPI, CD, removable, 12-byte packets, DRQ within 50 us. */
  vt_ata_text (data, 10, 10, cd->base.serial);
  vt_ata_text (data, 23, 4, "1.0");
  vt_ata_text (data, 27, 20, cd->base.model);
  vt_ata_word (data, 49, 0x0f00); /* IORDY, LBA, DMA. */
  vt_ata_word (data, 50, 0x4000);
  vt_ata_word (data, 53, 0x0006);
  vt_ata_identify_modes (data, cd->state->mode);
  vt_ata_word (data, 76, 0x000e); /* Generations 1 to 3. */
  vt_ata_word (data, 77, 3 << 1);
  vt_ata_word (data, 80, 0x01f0);
  vt_ata_word (data, 81, 0x0028);
  vt_ata_word (data, 82, 0x4218); /* NOP, DEVICE RESET, PACKET, power management. */
  vt_ata_word (data, 83, 0x4000);
  vt_ata_word (data, 84, 0x4000);
  vt_ata_word (data, 85, 0x4218);
  vt_ata_word (data, 87, 0x4000);
  vt_ata_word (data, 222, 0x103f);
  data[510] = 0xa5;
  vt_ata_checksum (data);
}

static void
signature (VtAtaPlan *plan)
{
  plan->count = 1;
  plan->lba = VT_ATA_SIGNATURE_PACKET >> 8;
  plan->device = 0;
}

static void
set_features (VtAtapiCd *cd, const VtAtaCommand *c, VtAtaPlan *plan)
{
  vt_ata_good (c, plan);
  switch (c->features & 0xff)
    {
    case 0x03:
      if (vt_ata_mode_ok ((uint8_t) c->count))
        cd->state->mode = (uint8_t) c->count;
      else
        vt_ata_abort (c, plan, VT_ATA_ABRT);
      break;
    case 0x66:
    case 0xcc:
      break;
    default:
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      break;
    }
}

static void
cd_reset (VtAtaDrive *drive, VtAtaReset kind)
{
  VtAtapiCdState *s = VT_CONTAINER (drive, VtAtapiCd, base)->state;
  VtAtapiCdState  old = *s;

  memset (s, 0, sizeof *s);
  s->mode = MODE_DEFAULT;
  if (kind == VT_ATA_RESET_POWER)
    return;
  /* 4.1.4: only power closes the tray; a soft reset keeps its lock too. What the guest has not heard
   * of the medium yet it still has to. */
  s->change = old.change;
  s->event = old.event;
  s->open = old.open;
  s->locked = kind == VT_ATA_RESET_SOFT && old.locked;
}

static void
cd_start (VtAtaDrive *drive, const VtAtaCommand *c, VtAtaPlan *plan)
{
  VtAtapiCd *cd = VT_CONTAINER (drive, VtAtapiCd, base);

  if (cd->state->power == VT_ATAPI_SLEEP)
    {
      plan->action = VT_ATA_SILENT;
      return;
    }
  switch (c->command)
    {
    case 0xa0: /* PACKET */
      packet (cd, c, plan);
      break;
    case 0xa1: /* IDENTIFY PACKET DEVICE */
      vt_ata_good (c, plan);
      identify (cd, vt_ata_data (plan, VT_ATA_IN, VT_ATA_PIO, 512));
      break;
    case 0x08: /* DEVICE RESET */
      cd_reset (drive, VT_ATA_RESET_SOFT);
      vt_ata_good (c, plan);
      plan->status = 0;
      plan->error = 1;
      signature (plan);
      break;
    case 0x90: /* EXECUTE DEVICE DIAGNOSTIC */
      vt_ata_good (c, plan);
      plan->status = 0;
      plan->error = 1;
      signature (plan);
      break;
    case 0xef:
      set_features (cd, c, plan);
      break;
    case 0xe0: /* STANDBY IMMEDIATE */
    case 0xe1: /* IDLE IMMEDIATE */
    case 0xe2: /* STANDBY */
    case 0xe3: /* IDLE */
      vt_ata_good (c, plan);
      cd->state->power = (c->command & 1) != 0 ? VT_ATAPI_IDLE : VT_ATAPI_STANDBY;
      break;
    case 0xe5: /* CHECK POWER MODE */
      vt_ata_good (c, plan);
      plan->count = cd->state->power == VT_ATAPI_STANDBY ? 0x00
                    : cd->state->power == VT_ATAPI_IDLE  ? 0x80
                                                         : 0xff;
      break;
    case 0xe6: /* SLEEP */
      vt_ata_good (c, plan);
      cd->state->power = VT_ATAPI_SLEEP;
      break;
    case 0x20: /* READ SECTORS and IDENTIFY DEVICE: how software tells a packet device. */
    case 0xec:
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      signature (plan);
      break;
    default:
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      break;
    }
}

static void
cd_received (VtAtaDrive *drive, const VtAtaCommand *c, VtAtaPlan *plan)
{
  vt_atapi_selected (VT_CONTAINER (drive, VtAtapiCd, base), c, plan);
}

static void
cd_ended (VtAtaDrive *drive, const VtAtaCommand *c, VtAtaPlan *plan, int error, uint64_t done)
{
  if (error == 0)
    vt_atapi_good (c, plan);
  else
    vt_atapi_check (VT_CONTAINER (drive, VtAtapiCd, base), c, plan, VT_SENSE_READ_ERROR);
}

static const VtAtaDriveOps cd_ops = {
  .signature = VT_ATA_SIGNATURE_PACKET,
  .ready = 0,
  .start = cd_start,
  .received = cd_received,
  .ended = cd_ended,
  .reset = cd_reset,
};

void
vt_atapi_cd_init (VtAtapiCd      *cd,
                  VtAtapiCdState *state,
                  VtBlock        *block,
                  const char     *serial,
                  const char     *model)
{
  cd->base.ops = &cd_ops;
  cd->base.block = block;
  g_strlcpy (cd->base.serial, serial == NULL ? "1" : serial, sizeof cd->base.serial);
  g_strlcpy (cd->base.model, model == NULL ? "Vitrine DVD" : model, sizeof cd->base.model);
  cd->state = state;
  cd_reset (&cd->base, VT_ATA_RESET_POWER);
}
