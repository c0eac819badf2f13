/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An ATA disk: registers in, a plan out. Section numbers are those of ATA8-ACS (T13/1699-D
 * revision 6a); DATA SET MANAGEMENT is ACS-2 (T13/2015-D) 7.10, queued commands SATA 2.6 13.6.
 */
#include "ata-disk.h"

#include <errno.h>

#define MULTIPLE_MAX 16
/* Sectors of ranges that one DATA SET MANAGEMENT takes: word 105. */
#define TRIM_SECTORS_MAX 8
#define QUEUE_DEPTH 32
#define LBA28_MAX 0x0fffffff
#define MODE_DEFAULT 0x46 /* UDMA 6. */

enum
{
  NOP = 0x00,
  DATA_SET_MANAGEMENT = 0x06,
  READ_SECTORS = 0x20,
  READ_SECTORS_ONCE = 0x21,
  READ_SECTORS_EXT = 0x24,
  READ_DMA_EXT = 0x25,
  READ_NATIVE_MAX_EXT = 0x27,
  READ_MULTIPLE_EXT = 0x29,
  READ_LOG_EXT = 0x2f,
  WRITE_SECTORS = 0x30,
  WRITE_SECTORS_ONCE = 0x31,
  WRITE_SECTORS_EXT = 0x34,
  WRITE_DMA_EXT = 0x35,
  WRITE_MULTIPLE_EXT = 0x39,
  WRITE_DMA_FUA_EXT = 0x3d,
  READ_VERIFY = 0x40,
  READ_VERIFY_ONCE = 0x41,
  READ_VERIFY_EXT = 0x42,
  READ_LOG_DMA_EXT = 0x47,
  READ_FPDMA_QUEUED = 0x60,
  WRITE_FPDMA_QUEUED = 0x61,
  SEEK = 0x70,
  EXECUTE_DEVICE_DIAGNOSTIC = 0x90,
  INITIALIZE_DEVICE_PARAMETERS = 0x91,
  SMART = 0xb0,
  READ_MULTIPLE = 0xc4,
  WRITE_MULTIPLE = 0xc5,
  SET_MULTIPLE_MODE = 0xc6,
  READ_DMA = 0xc8,
  READ_DMA_ONCE = 0xc9,
  WRITE_DMA = 0xca,
  WRITE_DMA_ONCE = 0xcb,
  WRITE_MULTIPLE_FUA_EXT = 0xce,
  STANDBY_IMMEDIATE = 0xe0,
  IDLE_IMMEDIATE = 0xe1,
  STANDBY = 0xe2,
  IDLE = 0xe3,
  CHECK_POWER_MODE = 0xe5,
  SLEEP = 0xe6,
  FLUSH_CACHE = 0xe7,
  FLUSH_CACHE_EXT = 0xea,
  IDENTIFY_DEVICE = 0xec,
  SET_FEATURES = 0xef,
  READ_NATIVE_MAX = 0xf8,
};

static const VtStateField disk_fields[] = {
  VT_STATE_MAX (VtAtaDiskState, multiple, MULTIPLE_MAX),
  VT_STATE_MAX (VtAtaDiskState, heads, 16),
  VT_STATE (VtAtaDiskState, sectors),
  VT_STATE (VtAtaDiskState, mode),
  VT_STATE_MAX (VtAtaDiskState, power, VT_ATA_SLEEP),
  VT_STATE (VtAtaDiskState, write_cache),
  VT_STATE (VtAtaDiskState, look_ahead),
  VT_STATE (VtAtaDiskState, smart),
  VT_STATE (VtAtaDiskState, keep),
  VT_STATE (VtAtaDiskState, ncq_error),
  VT_STATE (VtAtaDiskState, log),
};

const VtStateDesc vt_ata_disk_state = VT_STATE_DESC (VtAtaDiskState, 1, disk_fields, NULL);

static VtAtaDisk *
disk_of (VtAtaDrive *drive)
{
  return VT_CONTAINER (drive, VtAtaDisk, base);
}

/* IDENTIFY DEVICE, 7.16 --------------------------------------------------------------------------- */

static unsigned
log2_of (uint32_t v)
{
  unsigned n = 0;

  while (v > 1)
    {
      v >>= 1;
      n++;
    }
  return n;
}

static void
identify (const VtAtaDisk *disk, uint8_t *data)
{
  const VtAtaDiskState *s = disk->state;
  uint64_t              n = disk->n_sectors;
  uint64_t              cylinders = MIN (n / (16 * 63), 16383);
  uint32_t              now = (uint32_t) s->heads * s->sectors;
  uint64_t              now_cylinders = now == 0 ? 0 : MIN (n / now, 65535);
  uint64_t              lba28 = MIN (n, LBA28_MAX);
  uint16_t              physical = 0x4000;

  vt_ata_word (data, 0, 0x0040); /* Fixed, ATA. */
  vt_ata_word (data, 1, (uint16_t) cylinders);
  vt_ata_word (data, 2, 0xc837); /* Needs no SET FEATURES to spin up; all of this is valid. */
  vt_ata_word (data, 3, 16);
  vt_ata_word (data, 6, 63);
  vt_ata_text (data, 10, 10, disk->base.serial);
  vt_ata_text (data, 23, 4, "1.0");
  vt_ata_text (data, 27, 20, disk->base.model);
  vt_ata_word (data, 47, 0x8000 | MULTIPLE_MAX);
  vt_ata_word (data, 48, 0x4000);
  vt_ata_word (data, 49, 0x2f00); /* Standby timer, IORDY, LBA, DMA. */
  vt_ata_word (data, 50, 0x4000);
  vt_ata_word (data, 51, 0x0200);
  vt_ata_word (data, 52, 0x0200);
  vt_ata_word (data, 53, 0x0007); /* Words 54 to 58, 64 to 70 and 88 are valid. */
  vt_ata_word (data, 54, (uint16_t) now_cylinders);
  vt_ata_word (data, 55, s->heads);
  vt_ata_word (data, 56, s->sectors);
  vt_st32 (data + 2 * 57, (uint32_t) (now_cylinders * now));
  vt_ata_word (data, 59, s->multiple == 0 ? 0 : 0x0100 | s->multiple);
  vt_st32 (data + 2 * 60, (uint32_t) lba28);
  vt_ata_identify_modes (data, s->mode);
  vt_ata_word (data, 75, QUEUE_DEPTH - 1);
  vt_ata_word (data, 76, 0x010e); /* NCQ; generations 1 to 3. */
  vt_ata_word (data, 77, 3 << 1); /* Runs at generation 3. */
  vt_ata_word (data, 80, 0x01f0); /* ATA/ATAPI-4 to ATA8-ACS. */
  vt_ata_word (data, 81, 0x0028); /* ATA8-ACS revision 6. */
  vt_ata_word (data, 82, 0x4069); /* NOP, look-ahead, write cache, power management, SMART. */
  vt_ata_word (data, 83, 0x7400); /* FLUSH CACHE and EXT, 48-bit addresses. */
  vt_ata_word (data, 84, 0x4060); /* FUA writes, general purpose logs. */
  vt_ata_word (data, 85, (uint16_t) (0x4008 | (s->look_ahead ? 0x40 : 0) |
                                     (s->write_cache ? 0x20 : 0) | (s->smart ? 1 : 0)));
  vt_ata_word (data, 86, 0xb400); /* As 83; words 119 and 120 are valid. */
  vt_ata_word (data, 87, 0x4060);
  vt_st64 (data + 2 * 100, n);
  if (disk->base.block->info.can_discard)
    {
      vt_ata_word (data, 105, TRIM_SECTORS_MAX);
      vt_ata_word (data, 169, 1);
    }
  if (disk->physical > disk->sector)
    physical |= (uint16_t) (0x2000 | log2_of (disk->physical / disk->sector));
  if (disk->sector > 512)
    {
      physical |= 0x1000;
      vt_st32 (data + 2 * 117, disk->sector / 2);
    }
  vt_ata_word (data, 106, physical);
  vt_ata_word (data, 119, 0x4000);
  vt_ata_word (data, 120, 0x4000);
  vt_ata_word (data, 209, 0x4000); /* Logical sector 0 begins a physical one. */
  vt_ata_word (data, 217, 1);      /* Does not rotate. */
  vt_ata_word (data, 222, 0x103f); /* Serial, up to SATA 3.0. */
  data[510] = 0xa5;
  vt_ata_checksum (data);
}

/* Addresses, 6.2 ----------------------------------------------------------------------------------- */

/* The sectors that a command names; false (and the answer) where the disk has them not. */
static bool
address (const VtAtaDisk *disk, const VtAtaCommand *c, bool ext, uint64_t *lba, uint32_t *count,
         VtAtaPlan *plan)
{
  *count = c->count;
  *lba = c->lba & UINT64_C (0xffffffffffff);
  if (ext)
    *count = *count == 0 ? 65536 : *count;
  else
    {
      *count = (*count & 0xff) == 0 ? 256 : *count & 0xff;
      if ((c->device & 0x40) != 0)
        *lba = (c->lba & 0xffffff) | (uint64_t) (c->device & 0x0f) << 24;
      else
        {
          uint32_t sector = c->lba & 0xff, head = c->device & 0x0f;
          uint64_t cylinder = c->lba >> 8 & 0xffff;

          if (sector == 0 || sector > disk->state->sectors || head >= disk->state->heads)
            {
              vt_ata_abort (c, plan, VT_ATA_IDNF);
              return false;
            }
          *lba = (cylinder * disk->state->heads + head) * disk->state->sectors + sector - 1;
        }
    }
  if (vt_range_ok (*lba, *count, disk->n_sectors))
    return true;
  vt_ata_abort (c, plan, VT_ATA_IDNF);
  return false;
}

static void
medium (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan, VtAtaAction action,
        VtAtaProtocol protocol, bool ext)
{
  uint64_t lba;
  uint32_t count;

  disk->state->power = VT_ATA_ACTIVE;
  if (!address (disk, c, ext, &lba, &count, plan))
    return;
  if (action == VT_ATA_WRITE && disk->base.block->info.read_only)
    {
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  plan->action = action;
  plan->protocol = protocol;
  plan->offset = lba * disk->sector;
  plan->length = (uint64_t) count * disk->sector;
  plan->drq = disk->sector;
  /* Without a write cache a write is over when it is on the disk. */
  plan->fua = action == VT_ATA_WRITE && !disk->state->write_cache;
}

static void
multiple (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan, VtAtaAction action, bool ext)
{
  if (disk->state->multiple == 0)
    {
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  medium (disk, c, plan, action, VT_ATA_PIO, ext);
  plan->drq = disk->sector * disk->state->multiple;
}

static void
log_failure (VtAtaDisk *disk, const VtAtaPlan *plan)
{
  uint8_t *log = disk->state->log;

  disk->state->ncq_error = true;
  memset (log, 0, sizeof disk->state->log);
  log[0] = plan->tag;
  log[2] = plan->status;
  log[3] = plan->error;
  log[4] = (uint8_t) plan->lba;
  log[5] = (uint8_t) (plan->lba >> 8);
  log[6] = (uint8_t) (plan->lba >> 16);
  log[7] = plan->device;
  log[8] = (uint8_t) (plan->lba >> 24);
  log[9] = (uint8_t) (plan->lba >> 32);
  log[10] = (uint8_t) (plan->lba >> 40);
  log[12] = (uint8_t) plan->count;
  log[13] = (uint8_t) (plan->count >> 8);
}

/* SATA 2.6 13.6.4: the count is in the features register, the tag in the count register. */
static void
queued (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan, VtAtaAction action)
{
  VtAtaCommand moved = *c;

  plan->protocol = VT_ATA_QUEUED;
  plan->tag = (uint8_t) (c->count >> 3 & 31);
  moved.count = c->features;
  medium (disk, &moved, plan, action, VT_ATA_QUEUED, true);
  plan->fua |= action == VT_ATA_WRITE && (c->device & 0x80) != 0;
  if (plan->action == VT_ATA_END)
    {
      plan->count = c->count;
      log_failure (disk, plan);
    }
}

/* Logs, 7.24 ---------------------------------------------------------------------------------------- */

static void
read_log (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan, VtAtaProtocol protocol)
{
  uint8_t  log = c->lba & 0xff;
  uint32_t page = (uint32_t) ((c->lba >> 8 & 0xff) | (c->lba >> 32 & 0xff00));
  uint8_t *data;

  /* Each log has one page: 00h the directory, 10h the failed queued command. */
  if ((log != 0x00 && log != 0x10) || page != 0 || c->count != 1)
    {
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  vt_ata_good (c, plan);
  data = vt_ata_data (plan, VT_ATA_IN, protocol, 512);
  if (log == 0x00)
    {
      vt_ata_word (data, 0x00, 1);
      vt_ata_word (data, 0x10, 1);
      return;
    }
  memcpy (data, disk->state->log, sizeof disk->state->log);
  vt_ata_checksum (data);
  /* SATA 2.6 13.7.1: reading it ends the error, and the log has nothing queued to tell. */
  disk->state->ncq_error = false;
  memset (disk->state->log, 0, sizeof disk->state->log);
  disk->state->log[0] = 0x80;
}

/* SMART, 7.53 --------------------------------------------------------------------------------------- */

static void
smart (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint8_t *data;
  uint8_t  what = (uint8_t) c->features;

  vt_ata_good (c, plan);
  if ((c->lba >> 8 & 0xffff) != 0xc24f || (!disk->state->smart && what != 0xd8))
    {
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  switch (what)
    {
    case 0xd0: /* Attribute values: there are none; no self-tests, no off-line collection. */
    case 0xd1:
      data = vt_ata_data (plan, VT_ATA_IN, VT_ATA_PIO, 512);
      vt_st16 (data, 16);
      vt_ata_checksum (data);
      break;
    case 0xd2: /* Attribute autosave, on or off. */
      break;
    case 0xd8:
      disk->state->smart = true;
      break;
    case 0xd9:
      disk->state->smart = false;
      break;
    case 0xda: /* Healthy: the key as it came. */
      break;
    default:
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      break;
    }
}

/* SET FEATURES, 7.48 -------------------------------------------------------------------------------- */

static void
set_features (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan)
{
  VtAtaDiskState *s = disk->state;

  vt_ata_good (c, plan);
  switch (c->features & 0xff)
    {
    case 0x02:
      s->write_cache = true;
      break;
    case 0x82:
      /* 7.48.4: what the cache holds goes to the medium. */
      s->write_cache = false;
      plan->action = VT_ATA_FLUSH;
      break;
    case 0x03:
      if (vt_ata_mode_ok ((uint8_t) c->count))
        s->mode = (uint8_t) c->count;
      else
        vt_ata_abort (c, plan, VT_ATA_ABRT);
      break;
    case 0x55:
      s->look_ahead = false;
      break;
    case 0xaa:
      s->look_ahead = true;
      break;
    case 0x66:
      s->keep = true;
      break;
    case 0xcc:
      s->keep = false;
      break;
    default:
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      break;
    }
}

static void
set_power (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan, uint8_t power)
{
  vt_ata_good (c, plan);
  disk->state->power = power;
  /* 7.55: the cache is written before the drive rests. */
  if (power >= VT_ATA_STANDBY)
    plan->action = VT_ATA_FLUSH;
}

static void
native_max (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan, bool ext)
{
  uint64_t last = disk->n_sectors - 1;

  vt_ata_good (c, plan);
  if ((c->device & 0x40) == 0)
    {
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  if (ext)
    plan->lba = last;
  else
    {
      last = MIN (last, LBA28_MAX);
      plan->lba = last & 0xffffff;
      plan->device = (uint8_t) ((c->device & 0xf0) | last >> 24);
    }
}

static void
initialize_parameters (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan)
{
  vt_ata_good (c, plan);
  if ((c->count & 0xff) == 0)
    {
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  disk->state->sectors = (uint8_t) c->count;
  disk->state->heads = (uint8_t) ((c->device & 0x0f) + 1);
}

static void
set_multiple (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan)
{
  uint8_t n = (uint8_t) c->count;

  vt_ata_good (c, plan);
  if (n > MULTIPLE_MAX || (n & (n - 1)) != 0)
    vt_ata_abort (c, plan, VT_ATA_ABRT);
  else
    disk->state->multiple = n;
}

static void
trim (VtAtaDisk *disk, const VtAtaCommand *c, VtAtaPlan *plan)
{
  const VtBlockInfo *info = &disk->base.block->info;

  if ((c->features & 0xff) != 1 || c->count == 0 || c->count > TRIM_SECTORS_MAX ||
      !info->can_discard)
    {
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  disk->state->power = VT_ATA_ACTIVE;
  vt_ata_data (plan, VT_ATA_OUT, VT_ATA_DMA, c->count * 512u);
}

static void
disk_received (VtAtaDrive *drive, const VtAtaCommand *c, VtAtaPlan *plan)
{
  VtAtaDisk *disk = disk_of (drive);
  unsigned   most = plan->data_len / 8;

  /* Only DATA SET MANAGEMENT takes data. One entry out of range spoils the whole command. */
  plan->ranges = g_new (VtAtaRange, most);
  plan->n_ranges = 0;
  for (unsigned i = 0; i < most; i++)
    {
      uint64_t    entry = vt_ld64 (plan->data + 8 * i);
      uint64_t    lba = entry & UINT64_C (0xffffffffffff), n = entry >> 48;
      VtAtaRange *last = plan->n_ranges == 0 ? NULL : &plan->ranges[plan->n_ranges - 1];

      if (n == 0)
        continue;
      if (!vt_range_ok (lba, n, disk->n_sectors))
        {
          vt_ata_abort (c, plan, VT_ATA_IDNF);
          return;
        }
      if (last != NULL && last->offset + last->length == lba * disk->sector)
        last->length += n * disk->sector;
      else
        plan->ranges[plan->n_ranges++] = (VtAtaRange){ lba * disk->sector, n * disk->sector };
    }
  vt_ata_good (c, plan);
  plan->action = plan->n_ranges > 0 ? VT_ATA_TRIM : VT_ATA_END;
}

static void
disk_start (VtAtaDrive *drive, const VtAtaCommand *c, VtAtaPlan *plan)
{
  VtAtaDisk      *disk = disk_of (drive);
  VtAtaDiskState *s = disk->state;

  if (s->power == VT_ATA_SLEEP)
    {
      plan->action = VT_ATA_SILENT;
      return;
    }
  /* SATA 2.6 13.6.3: after a queued command has failed, only its log is served. */
  if (s->ncq_error && !((c->command == READ_LOG_EXT || c->command == READ_LOG_DMA_EXT) &&
                        (c->lba & 0xff) == 0x10))
    {
      plan->protocol =
          c->command == READ_FPDMA_QUEUED || c->command == WRITE_FPDMA_QUEUED ? VT_ATA_QUEUED : 0;
      plan->tag = (uint8_t) (c->count >> 3 & 31);
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      return;
    }
  switch (c->command)
    {
    case READ_SECTORS:
    case READ_SECTORS_ONCE:
      medium (disk, c, plan, VT_ATA_READ, VT_ATA_PIO, false);
      break;
    case READ_SECTORS_EXT:
      medium (disk, c, plan, VT_ATA_READ, VT_ATA_PIO, true);
      break;
    case READ_MULTIPLE:
      multiple (disk, c, plan, VT_ATA_READ, false);
      break;
    case READ_MULTIPLE_EXT:
      multiple (disk, c, plan, VT_ATA_READ, true);
      break;
    case READ_DMA:
    case READ_DMA_ONCE:
      medium (disk, c, plan, VT_ATA_READ, VT_ATA_DMA, false);
      break;
    case READ_DMA_EXT:
      medium (disk, c, plan, VT_ATA_READ, VT_ATA_DMA, true);
      break;
    case READ_FPDMA_QUEUED:
      queued (disk, c, plan, VT_ATA_READ);
      break;
    case WRITE_SECTORS:
    case WRITE_SECTORS_ONCE:
      medium (disk, c, plan, VT_ATA_WRITE, VT_ATA_PIO, false);
      break;
    case WRITE_SECTORS_EXT:
      medium (disk, c, plan, VT_ATA_WRITE, VT_ATA_PIO, true);
      break;
    case WRITE_MULTIPLE:
      multiple (disk, c, plan, VT_ATA_WRITE, false);
      break;
    case WRITE_MULTIPLE_EXT:
      multiple (disk, c, plan, VT_ATA_WRITE, true);
      break;
    case WRITE_MULTIPLE_FUA_EXT:
      multiple (disk, c, plan, VT_ATA_WRITE, true);
      plan->fua = true;
      break;
    case WRITE_DMA:
    case WRITE_DMA_ONCE:
      medium (disk, c, plan, VT_ATA_WRITE, VT_ATA_DMA, false);
      break;
    case WRITE_DMA_EXT:
      medium (disk, c, plan, VT_ATA_WRITE, VT_ATA_DMA, true);
      break;
    case WRITE_DMA_FUA_EXT:
      medium (disk, c, plan, VT_ATA_WRITE, VT_ATA_DMA, true);
      plan->fua = true;
      break;
    case WRITE_FPDMA_QUEUED:
      queued (disk, c, plan, VT_ATA_WRITE);
      break;
    case READ_VERIFY:
    case READ_VERIFY_ONCE:
      medium (disk, c, plan, VT_ATA_VERIFY, VT_ATA_NON_DATA, false);
      break;
    case READ_VERIFY_EXT:
      medium (disk, c, plan, VT_ATA_VERIFY, VT_ATA_NON_DATA, true);
      break;
    case SEEK:
      medium (disk, c, plan, VT_ATA_END, VT_ATA_NON_DATA, false);
      if (plan->error == 0)
        vt_ata_good (c, plan);
      break;
    case DATA_SET_MANAGEMENT:
      trim (disk, c, plan);
      break;
    case FLUSH_CACHE:
    case FLUSH_CACHE_EXT:
      vt_ata_good (c, plan);
      plan->action = VT_ATA_FLUSH;
      break;
    case IDENTIFY_DEVICE:
      vt_ata_good (c, plan);
      identify (disk, vt_ata_data (plan, VT_ATA_IN, VT_ATA_PIO, 512));
      break;
    case READ_LOG_EXT:
      read_log (disk, c, plan, VT_ATA_PIO);
      break;
    case READ_LOG_DMA_EXT:
      read_log (disk, c, plan, VT_ATA_DMA);
      break;
    case SMART:
      smart (disk, c, plan);
      break;
    case SET_FEATURES:
      set_features (disk, c, plan);
      break;
    case SET_MULTIPLE_MODE:
      set_multiple (disk, c, plan);
      break;
    case INITIALIZE_DEVICE_PARAMETERS:
      initialize_parameters (disk, c, plan);
      break;
    case READ_NATIVE_MAX:
      native_max (disk, c, plan, false);
      break;
    case READ_NATIVE_MAX_EXT:
      native_max (disk, c, plan, true);
      break;
    case STANDBY_IMMEDIATE:
    case STANDBY:
      set_power (disk, c, plan, VT_ATA_STANDBY);
      break;
    case IDLE_IMMEDIATE:
    case IDLE:
      set_power (disk, c, plan, VT_ATA_IDLE);
      break;
    case SLEEP:
      set_power (disk, c, plan, VT_ATA_SLEEP);
      break;
    case CHECK_POWER_MODE:
      vt_ata_good (c, plan);
      plan->count = s->power == VT_ATA_STANDBY ? 0x00 : s->power == VT_ATA_IDLE ? 0x80 : 0xff;
      break;
    case EXECUTE_DEVICE_DIAGNOSTIC:
      vt_ata_good (c, plan);
      plan->error = 1; /* Passed; not an error, as ERR is clear. */
      plan->count = 1;
      plan->lba = 1;
      plan->device = 0;
      break;
    case NOP:
    default:
      vt_ata_abort (c, plan, VT_ATA_ABRT);
      break;
    }
}

static void
disk_ended (VtAtaDrive *drive, const VtAtaCommand *c, VtAtaPlan *plan, int error, uint64_t done)
{
  VtAtaDisk  *disk = disk_of (drive);
  VtAtaAction action = plan->action;

  vt_ata_good (c, plan);
  if (error == 0)
    return;
  /* A read that failed is an uncorrectable sector. A write that failed (the host's disk is full, say)
   * is refused: the guest keeps its data and may try again. */
  vt_ata_abort (c, plan,
                action == VT_ATA_READ || action == VT_ATA_VERIFY ? VT_ATA_UNC : VT_ATA_ABRT);
  if (action == VT_ATA_READ || action == VT_ATA_WRITE || action == VT_ATA_VERIFY)
    {
      plan->lba = (plan->offset + done) / disk->sector;
      if (plan->lba <= LBA28_MAX && (c->device & 0x40) != 0)
        plan->device = (uint8_t) ((c->device & 0xf0) | (plan->lba >> 24 & 0x0f));
    }
  if (plan->protocol == VT_ATA_QUEUED)
    log_failure (disk, plan);
}

static void
disk_reset (VtAtaDrive *drive, VtAtaReset kind)
{
  VtAtaDiskState *s = disk_of (drive)->state;
  VtAtaDiskState  old = *s;

  memset (s, 0, sizeof *s);
  s->multiple = MULTIPLE_MAX; /* As drives come: old software does not set it up. */
  s->heads = 16;
  s->sectors = 63;
  s->mode = MODE_DEFAULT;
  s->write_cache = s->look_ahead = s->smart = true;
  s->log[0] = 0x80;
  if (kind != VT_ATA_RESET_SOFT || !old.keep)
    return;
  s->keep = true;
  s->multiple = old.multiple;
  s->mode = old.mode;
  s->write_cache = old.write_cache;
  s->look_ahead = old.look_ahead;
}

static const VtAtaDriveOps disk_ops = {
  .signature = VT_ATA_SIGNATURE_DISK,
  .ready = VT_ATA_GOOD,
  .start = disk_start,
  .received = disk_received,
  .ended = disk_ended,
  .reset = disk_reset,
};

void
vt_ata_disk_init (VtAtaDisk      *disk,
                  VtAtaDiskState *state,
                  VtBlock        *block,
                  const char     *serial,
                  const char     *model)
{
  disk->base.ops = &disk_ops;
  disk->base.block = block;
  g_strlcpy (disk->base.serial, serial == NULL ? "1" : serial, sizeof disk->base.serial);
  g_strlcpy (disk->base.model, model == NULL ? "Vitrine Disk" : model, sizeof disk->base.model);
  disk->state = state;
  disk->sector = block->info.sector;
  disk->physical = MAX (block->info.physical, block->info.sector);
  disk->n_sectors = block->info.size / block->info.sector;
  /* 48-bit addresses end here. */
  disk->n_sectors = MIN (disk->n_sectors, UINT64_C (1) << 48);
  disk_reset (&disk->base, VT_ATA_RESET_POWER);
}
