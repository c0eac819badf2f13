/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ICH9's SMBus host controller: Intel ICH9 data sheet (316972) chapter 20; SMBus 2.0 chapter 5.
 * A transaction takes no time; only blocks that the guest moves byte by byte last from one register
 * access to the next.
 */
#include "pci/ich9-smbus.h"

#define REGION_SIZE 32
#define BAR 4

/* §20.1, configuration space. */
enum
{
  HOSTC = 0x40,
  HOSTC_ENABLE = 1 << 0,
};

/* §20.2, ports. */
enum
{
  HST_STS = 0x00,
  HST_CNT = 0x02,
  HST_CMD = 0x03,
  XMIT_SLVA = 0x04,
  HST_D0 = 0x05,
  HST_D1 = 0x06,
  HOST_BLOCK_DB = 0x07,
  PEC = 0x08,
  RCV_SLVA = 0x09,
  AUX_STS = 0x0c,
  AUX_CTL = 0x0d,
  SMBUS_PIN_CTL = 0x0f,

  STS_BUSY = 1 << 0,
  STS_INTR = 1 << 1,
  STS_DEVICE_ERROR = 1 << 2,
  STS_FAILED = 1 << 4,
  STS_IN_USE = 1 << 6,
  STS_BYTE_DONE = 1 << 7,
  STS_W1C = 0xfe,
  STS_INTERRUPTS = 0x9e,

  CNT_INTERRUPT = 1 << 0,
  CNT_KILL = 1 << 1,
  CNT_COMMAND_SHIFT = 2,
  CNT_START = 1 << 6,
  CNT_MASK = 0xbf,

  AUX_CTL_MASK = 0x03,
  AUX_CTL_BUFFER = 1 << 1, /* E32B: the whole block at once. */
  PINS = 0x07,             /* Nobody holds clock or data down. */
};

/* §20.2.2, SMB_CMD. */
enum
{
  CMD_QUICK,
  CMD_BYTE,
  CMD_BYTE_DATA,
  CMD_WORD_DATA,
  CMD_PROCESS_CALL,
  CMD_BLOCK,
  CMD_I2C_READ,
  CMD_BLOCK_PROCESS,
};

static const VtStateField smbus_fields[] = {
  VT_STATE_STRUCT (VtIch9SmbusState, pci, &vt_pci_state),
  VT_STATE (VtIch9SmbusState, status),
  VT_STATE (VtIch9SmbusState, control),
  VT_STATE (VtIch9SmbusState, command),
  VT_STATE (VtIch9SmbusState, slave),
  VT_STATE (VtIch9SmbusState, data0),
  VT_STATE (VtIch9SmbusState, data1),
  VT_STATE (VtIch9SmbusState, block_data),
  VT_STATE (VtIch9SmbusState, pec),
  VT_STATE (VtIch9SmbusState, aux_status),
  VT_STATE (VtIch9SmbusState, aux_control),
  VT_STATE (VtIch9SmbusState, receive_slave),
  VT_STATE (VtIch9SmbusState, pins),
  VT_STATE (VtIch9SmbusState, buffer),
  VT_STATE_MAX (VtIch9SmbusState, index, VT_ICH9_SMBUS_BLOCK),
  VT_STATE_MAX (VtIch9SmbusState, length, VT_ICH9_SMBUS_BLOCK),
  VT_STATE (VtIch9SmbusState, reading),
  VT_STATE (VtIch9SmbusState, pad_),
};
static const VtStateDesc smbus_state =
    VT_STATE_DESC (VtIch9SmbusState, 1, smbus_fields, NULL);

/* Transactions ---------------------------------------------------------------------------------- */

static const VtSmbusDevice *
find (const VtIch9Smbus *smbus)
{
  for (unsigned i = 0; i < VT_ICH9_SMBUS_DEVICES; i++)
    {
      const VtSmbusDevice *d = &smbus->devices[i];

      if ((d->read != NULL || d->write != NULL) && d->address == smbus->state.slave >> 1)
        return d;
    }
  return NULL;
}

static bool
put (const VtSmbusDevice *d, const uint8_t *bytes, unsigned len)
{
  return d != NULL && d->write != NULL && d->write (d->data, bytes, len);
}

static bool
get (const VtSmbusDevice *d, int command, uint8_t *bytes, unsigned len)
{
  return d != NULL && d->read != NULL && d->read (d->data, command, bytes, len, false) == (int) len;
}

/* §20.2.1: an address that nobody acknowledges is a device error. */
static void
end (VtIch9Smbus *smbus, bool ok)
{
  VtIch9SmbusState *s = &smbus->state;

  s->length = s->index = 0;
  s->status = (uint8_t) ((s->status & ~STS_BUSY) | (ok ? STS_INTR : STS_DEVICE_ERROR));
}

static void
write_block (VtIch9Smbus *smbus, unsigned len)
{
  VtIch9SmbusState *s = &smbus->state;
  uint8_t           bytes[2 + VT_ICH9_SMBUS_BLOCK] = { s->command, (uint8_t) len };

  memcpy (bytes + 2, s->buffer, len);
  end (smbus, put (find (smbus), bytes, 2 + len));
}

/* Fetches a block; with the buffer it is done, without it the first byte is. */
static void
read_block (VtIch9Smbus *smbus, bool counted)
{
  VtIch9SmbusState    *s = &smbus->state;
  const VtSmbusDevice *d = find (smbus);
  int                  len = -1;

  memset (s->buffer, 0, sizeof s->buffer);
  if (d != NULL && d->read != NULL)
    len = d->read (d->data, counted ? s->command : s->data1, s->buffer, sizeof s->buffer, counted);
  if (len < 1 || len > VT_ICH9_SMBUS_BLOCK)
    {
      end (smbus, false);
      return;
    }
  s->data0 = (uint8_t) len;
  if (s->aux_control & AUX_CTL_BUFFER)
    {
      end (smbus, true);
      return;
    }
  s->reading = true;
  s->length = (uint8_t) len;
  s->index = 1;
  s->block_data = s->buffer[0];
  s->status |= STS_BUSY | STS_BYTE_DONE;
}

static void
start_block_write (VtIch9Smbus *smbus)
{
  VtIch9SmbusState *s = &smbus->state;

  /* SMBus 2.0 §5.5.7: 1 to 32 bytes. */
  if (s->data0 < 1 || s->data0 > VT_ICH9_SMBUS_BLOCK)
    end (smbus, false);
  else if (s->aux_control & AUX_CTL_BUFFER)
    write_block (smbus, s->data0);
  else
    {
      s->reading = false;
      s->length = s->data0;
      s->buffer[0] = s->block_data;
      s->index = 1;
      s->status |= STS_BUSY | STS_BYTE_DONE;
    }
}

/* §20.2.1: clearing BYTE_DONE asks for the next byte, or offers it. */
static void
next_byte (VtIch9Smbus *smbus)
{
  VtIch9SmbusState *s = &smbus->state;

  if (s->index >= s->length)
    {
      if (s->reading)
        end (smbus, true);
      else
        write_block (smbus, s->length);
      return;
    }
  if (s->reading)
    s->block_data = s->buffer[s->index++];
  else
    s->buffer[s->index++] = s->block_data;
  s->status |= STS_BYTE_DONE;
}

static void
start (VtIch9Smbus *smbus)
{
  VtIch9SmbusState    *s = &smbus->state;
  const VtSmbusDevice *d = find (smbus);
  bool                 read = s->slave & 1;
  uint8_t              bytes[3] = { s->command, s->data0, s->data1 };

  switch (s->control >> CNT_COMMAND_SHIFT & 7)
    {
    case CMD_QUICK:
      end (smbus, read ? d != NULL : put (d, bytes, 0));
      break;
    case CMD_BYTE:
      end (smbus, read ? get (d, -1, &s->data0, 1) : put (d, bytes, 1));
      break;
    case CMD_BYTE_DATA:
      end (smbus, read ? get (d, s->command, &s->data0, 1) : put (d, bytes, 2));
      break;
    case CMD_WORD_DATA:
    case CMD_PROCESS_CALL:
      if ((s->control >> CNT_COMMAND_SHIFT & 7) == CMD_PROCESS_CALL)
        read = put (d, bytes, 3);
      if (!read)
        {
          end (smbus, (s->control >> CNT_COMMAND_SHIFT & 7) == CMD_WORD_DATA && put (d, bytes, 3));
          break;
        }
      if (get (d, s->command, bytes, 2))
        {
          s->data0 = bytes[0];
          s->data1 = bytes[1];
          end (smbus, true);
        }
      else
        end (smbus, false);
      break;
    case CMD_BLOCK:
      if (read)
        read_block (smbus, true);
      else
        start_block_write (smbus);
      break;
    case CMD_I2C_READ:
      read_block (smbus, false);
      break;
    default:
      end (smbus, false);
    }
}

/* Registers ---------------------------------------------------------------------------------------- */

static void
update_irq (VtIch9Smbus *smbus)
{
  const VtIch9SmbusState *s = &smbus->state;

  vt_pci_irq (&smbus->fn, (s->control & CNT_INTERRUPT) && (s->status & STS_INTERRUPTS));
}

static uint64_t
smbus_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtIch9Smbus      *smbus = (VtIch9Smbus *) dev;
  VtIch9SmbusState *s = &smbus->state;
  uint8_t           v;

  switch (offset)
    {
    case HST_STS:
      /* A semaphore: the first reader finds it clear. */
      v = s->status;
      s->status |= STS_IN_USE;
      return v;
    case HST_CNT:
      s->index = s->length == 0 ? 0 : s->index; /* §20.2.2: this read rewinds the buffer. */
      return s->control;
    case HST_CMD:
      return s->command;
    case XMIT_SLVA:
      return s->slave;
    case HST_D0:
      return s->data0;
    case HST_D1:
      return s->data1;
    case HOST_BLOCK_DB:
      if (!(s->aux_control & AUX_CTL_BUFFER))
        return s->block_data;
      v = s->buffer[s->index % VT_ICH9_SMBUS_BLOCK];
      s->index = (uint8_t) ((s->index + 1) % VT_ICH9_SMBUS_BLOCK);
      return v;
    case PEC:
      return s->pec;
    case RCV_SLVA:
      return s->receive_slave;
    case AUX_STS:
      return s->aux_status;
    case AUX_CTL:
      return s->aux_control;
    case SMBUS_PIN_CTL:
      return s->pins;
    default:
      return 0;
    }
}

static void
write_control (VtIch9Smbus *smbus, uint8_t value)
{
  VtIch9SmbusState *s = &smbus->state;

  s->control = value & CNT_MASK;
  if (value & CNT_KILL)
    {
      s->length = s->index = 0;
      s->status = (uint8_t) ((s->status & ~(STS_BUSY | STS_BYTE_DONE)) | STS_FAILED);
    }
  else if ((value & CNT_START) && !(s->status & STS_BUSY))
    {
      /* §20.1.14: without HST_EN nothing is executed. */
      if (s->pci.config[HOSTC] & HOSTC_ENABLE)
        start (smbus);
      else
        vt_trace (smbus->fn.base.path, "started while the host interface is off");
    }
}

static void
smbus_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  VtIch9Smbus      *smbus = (VtIch9Smbus *) dev;
  VtIch9SmbusState *s = &smbus->state;
  uint8_t           v = (uint8_t) value;

  switch (offset)
    {
    case HST_STS:
      {
        bool next = (v & s->status & STS_BYTE_DONE) && s->length > 0;

        s->status &= (uint8_t) ~(v & STS_W1C);
        if (next)
          next_byte (smbus);
      }
      break;
    case HST_CNT:
      write_control (smbus, v);
      break;
    case HST_CMD:
      s->command = v;
      break;
    case XMIT_SLVA:
      s->slave = v;
      break;
    case HST_D0:
      s->data0 = v;
      break;
    case HST_D1:
      s->data1 = v;
      break;
    case HOST_BLOCK_DB:
      s->block_data = v;
      if (s->aux_control & AUX_CTL_BUFFER)
        {
          s->buffer[s->index % VT_ICH9_SMBUS_BLOCK] = v;
          s->index = (uint8_t) ((s->index + 1) % VT_ICH9_SMBUS_BLOCK);
        }
      break;
    case PEC:
      s->pec = v;
      break;
    case RCV_SLVA:
      s->receive_slave = v & 0x7f;
      break;
    case AUX_STS:
      s->aux_status &= (uint8_t) ~v;
      break;
    case AUX_CTL:
      s->aux_control = v & AUX_CTL_MASK;
      break;
    default:
      break;
    }
  update_irq (smbus);
}

static const VtRegionOps smbus_ops = {
  .name = "smbus", .min_size = 1, .max_size = 1, .read = smbus_read, .write = smbus_write
};

/* Life ------------------------------------------------------------------------------------------------ */

static bool
realize (VtDevice *dev, GError **error)
{
  VtIch9Smbus    *smbus = (VtIch9Smbus *) dev;
  const VtPciInfo info = { .vendor = 0x8086,
                           .device = 0x2930,
                           .revision = 2,
                           .class_code = 0x0c0500,
                           .subsystem_vendor = 0x1af4,
                           .subsystem = 0x1100,
                           .interrupt_pin = 1 };

  smbus->fn.multifunction = true;
  vt_pci_function_init (&smbus->fn, &smbus->state.pci, &info);
  vt_pci_add_bar (&smbus->fn, BAR, vt_device_add_region (dev, VT_SPACE_IO, &smbus_ops, REGION_SIZE),
                  VT_PCI_BAR_32);
  vt_pci_set_wmask (&smbus->fn, HOSTC, 1, 0x07);
  return true;
}

static void
unrealize (VtDevice *dev)
{
  vt_pci_function_finish (&((VtIch9Smbus *) dev)->fn);
}

static void
reset (VtDevice *dev, VtResetKind kind)
{
  VtIch9Smbus      *smbus = (VtIch9Smbus *) dev;
  VtIch9SmbusState *s = &smbus->state;

  memset ((uint8_t *) s + sizeof s->pci, 0, sizeof *s - sizeof s->pci);
  s->receive_slave = 0x44; /* §20.2.10. */
  s->pins = PINS;
  vt_pci_function_reset (&smbus->fn, kind);
}

static void
loaded (VtDevice *dev)
{
  vt_pci_function_loaded (&((VtIch9Smbus *) dev)->fn);
}

const VtDeviceClass vt_ich9_smbus_class = {
  .id = "ich9-smbus",
  .spec = "Intel I/O Controller Hub 9 data sheet 316972-004, chapter 20; SMBus 2.0 chapter 5",
  .size = sizeof (VtIch9Smbus),
  .state_offset = offsetof (VtIch9Smbus, state),
  .state = &smbus_state,
  .flags = VT_DEVICE_PCI,
  .realize = realize,
  .unrealize = unrealize,
  .reset = reset,
  .loaded = loaded,
};

/* EEPROM ----------------------------------------------------------------------------------------------- */

static bool
eeprom_write (void *data, const uint8_t *bytes, unsigned len)
{
  /* It acknowledges its address; its contents are write-protected. */
  return true;
}

static int
eeprom_read (void *data, int command, uint8_t *bytes, unsigned len, bool block)
{
  const uint8_t *contents = data;

  for (unsigned i = 0; i < len; i++)
    bytes[i] = contents[(MAX (command, 0) + i) % 256];
  return (int) len;
}

VtSmbusDevice
vt_smbus_eeprom (uint8_t address, const uint8_t bytes[256])
{
  return (VtSmbusDevice){ .address = address,
                          .write = eeprom_write,
                          .read = eeprom_read,
                          .data = (void *) bytes };
}
