/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keyboard controller of the PS/2, with its keyboard and mouse. A byte that has been read makes
 * way for the next at once: no clock paces the wires.
 */
#include "i8042.h"

/* Status register, port 0x64. */
#define STATUS_FULL 0x01
#define STATUS_SYSTEM 0x04
#define STATUS_COMMAND 0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_AUX 0x20

/* Command byte. */
#define MODE_IRQ1 0x01
#define MODE_IRQ12 0x02
#define MODE_SYSTEM 0x04
#define MODE_NO_KEYBOARD 0x10
#define MODE_NO_AUX 0x20
#define MODE_TRANSLATE 0x40

/* Output port. */
#define OUT_NO_RESET 0x01
#define OUT_A20 0x02
#define OUT_FULL 0x10
#define OUT_AUX_FULL 0x20
#define OUT_UNUSED 0xcc /* Not connected, read as written. */

enum
{
  CMD_READ_RAM = 0x20,
  CMD_WRITE_RAM = 0x60,
  CMD_AUX_OFF = 0xa7,
  CMD_AUX_ON = 0xa8,
  CMD_AUX_TEST = 0xa9,
  CMD_SELF_TEST = 0xaa,
  CMD_KEYBOARD_TEST = 0xab,
  CMD_KEYBOARD_OFF = 0xad,
  CMD_KEYBOARD_ON = 0xae,
  CMD_READ_INPUT = 0xc0,
  CMD_READ_OUTPUT = 0xd0,
  CMD_WRITE_OUTPUT = 0xd1,
  CMD_FROM_KEYBOARD = 0xd2,
  CMD_FROM_AUX = 0xd3,
  CMD_TO_AUX = 0xd4,
  CMD_A20_OFF = 0xdd,
  CMD_A20_ON = 0xdf,
  CMD_READ_TEST = 0xe0,
  CMD_PULSE = 0xf0, /* To 0xff: bits 3:0 low, if zero, for 6 us. */
};

static VtI8042 *
kbc_of (VtDevice *dev)
{
  return (VtI8042 *) dev;
}

/* Output buffer -------------------------------------------------------------------------------- */

/* With the keyboard's clock off there is no interrupt either, also for the controller's answers:
 * drivers that poll for them count on it. */
static bool
irq1_level (const VtI8042State *s)
{
  return s->full && !s->full_aux && (s->ram[0] & (MODE_IRQ1 | MODE_NO_KEYBOARD)) == MODE_IRQ1;
}

static bool
irq12_level (const VtI8042State *s)
{
  return s->full && s->full_aux && (s->ram[0] & MODE_IRQ12) != 0;
}

static void
update_irqs (VtI8042 *kbc)
{
  vt_line_set (kbc->irq1, irq1_level (&kbc->s));
  vt_line_set (kbc->irq12, irq12_level (&kbc->s));
}

static void
fill (VtI8042State *s, uint8_t byte, bool aux)
{
  s->data = byte;
  s->full = true;
  s->full_aux = aux;
}

/* The next byte of the keyboard, through the translation to set 1 if that is on. */
static bool
fetch_key (VtI8042State *s, uint8_t *byte)
{
  while (vt_ps2_queue_pop (&s->keyboard.queue, byte))
    {
      if ((s->ram[0] & MODE_TRANSLATE) == 0)
        return true;
      if (*byte == 0xf0)
        {
          s->breaking = true;
          continue;
        }
      *byte = (uint8_t) (vt_ps2_translate (*byte) | (s->breaking ? 0x80 : 0));
      s->breaking = false;
      return true;
    }
  return false;
}

/* Fills the output buffer if it is empty and somebody has something to say. */
static void
pump (VtI8042 *kbc)
{
  VtI8042State *s = &kbc->s;
  uint8_t       byte;

  if (!s->full)
    {
      if (s->reply_count > 0)
        {
          fill (s, s->reply[s->reply_head], s->reply_aux[s->reply_head] != 0);
          s->reply_head = (uint8_t) ((s->reply_head + 1) % sizeof s->reply);
          s->reply_count--;
        }
      else if ((s->ram[0] & MODE_NO_KEYBOARD) == 0 && fetch_key (s, &byte))
        {
          fill (s, byte, false);
          if (kbc->unsettled)
            kbc->unsettled = !vt_ps2_keyboard_settle (&s->keyboard, kbc->held);
        }
      else if ((s->ram[0] & MODE_NO_AUX) == 0 && vt_ps2_queue_pop (&s->mouse.queue, &byte))
        {
          fill (s, byte, true);
          vt_ps2_mouse_report (&s->mouse);
        }
    }
  update_irqs (kbc);
}

static void
answer (VtI8042 *kbc, uint8_t byte, bool aux)
{
  VtI8042State *s = &kbc->s;
  unsigned      at = (s->reply_head + s->reply_count) % sizeof s->reply;

  if (s->reply_count == sizeof s->reply)
    {
      vt_trace (kbc->dev.path, "the guest reads no answers: 0x%02x is lost", byte);
      return;
    }
  s->reply[at] = byte;
  s->reply_aux[at] = aux;
  s->reply_count++;
}

/* Controller ----------------------------------------------------------------------------------- */

static void
write_output_port (VtI8042 *kbc, uint8_t v)
{
  kbc->s.output_port = v & (OUT_NO_RESET | OUT_A20 | OUT_UNUSED);
  vt_line_set (kbc->a20, (v & OUT_A20) != 0);
  if ((v & OUT_NO_RESET) == 0)
    vt_line_pulse (kbc->reset);
}

static void
set_mode (VtI8042State *s, uint8_t set, uint8_t clear)
{
  s->ram[0] = (uint8_t) ((s->ram[0] | set) & ~clear);
}

static void
write_command (VtI8042 *kbc, uint8_t v)
{
  VtI8042State *s = &kbc->s;

  s->last_command = true;
  s->command = 0;
  if (v >= CMD_PULSE)
    {
      if ((v & OUT_NO_RESET) == 0)
        vt_line_pulse (kbc->reset);
      return;
    }
  if (v >= CMD_READ_RAM && v < CMD_READ_RAM + sizeof s->ram)
    {
      answer (kbc, s->ram[v - CMD_READ_RAM], false);
      return;
    }
  if (v >= CMD_WRITE_RAM && v < CMD_WRITE_RAM + sizeof s->ram)
    {
      s->command = v;
      return;
    }
  switch (v)
    {
    case CMD_AUX_OFF:
      set_mode (s, MODE_NO_AUX, 0);
      break;
    case CMD_AUX_ON:
      set_mode (s, 0, MODE_NO_AUX);
      break;
    case CMD_KEYBOARD_OFF:
      set_mode (s, MODE_NO_KEYBOARD, 0);
      break;
    case CMD_KEYBOARD_ON:
      set_mode (s, 0, MODE_NO_KEYBOARD);
      break;
    case CMD_SELF_TEST:
      s->system = true;
      answer (kbc, 0x55, false);
      break;
    case CMD_AUX_TEST:
    case CMD_KEYBOARD_TEST:
    case CMD_READ_TEST:
      answer (kbc, 0x00, false);
      break;
    case CMD_READ_INPUT:
      answer (kbc, 0x80, false); /* Keyboard not locked. */
      break;
    case CMD_READ_OUTPUT:
      answer (kbc,
              (uint8_t) (s->output_port | (s->full ? s->full_aux ? OUT_AUX_FULL : OUT_FULL : 0)),
              false);
      break;
    case CMD_A20_OFF:
      write_output_port (kbc, s->output_port & (uint8_t) ~OUT_A20);
      break;
    case CMD_A20_ON:
      write_output_port (kbc, s->output_port | OUT_A20);
      break;
    case CMD_WRITE_OUTPUT:
    case CMD_FROM_KEYBOARD:
    case CMD_FROM_AUX:
    case CMD_TO_AUX:
      s->command = v;
      break;
    default:
      vt_trace (kbc->dev.path, "the guest sends the unknown command 0x%02x", v);
      break;
    }
}

static void
write_data (VtI8042 *kbc, uint8_t v)
{
  VtI8042State *s = &kbc->s;
  uint8_t       command = s->command;

  s->last_command = false;
  s->command = 0;
  switch (command)
    {
    case 0:
      /* Talking to a device starts its clock. */
      set_mode (s, 0, MODE_NO_KEYBOARD);
      vt_ps2_keyboard_send (&s->keyboard, v);
      vt_input_port_set_leds (kbc->keys, (VtLeds) s->keyboard.leds);
      break;
    case CMD_WRITE_OUTPUT:
      write_output_port (kbc, v);
      break;
    case CMD_FROM_KEYBOARD:
    case CMD_FROM_AUX:
      answer (kbc, v, command == CMD_FROM_AUX);
      break;
    case CMD_TO_AUX:
      set_mode (s, 0, MODE_NO_AUX);
      vt_ps2_mouse_send (&s->mouse, v);
      break;
    default:
      s->ram[(command - CMD_WRITE_RAM) % sizeof s->ram] = v;
      if (command == CMD_WRITE_RAM)
        s->system = (v & MODE_SYSTEM) != 0;
      break;
    }
}

/* Ports ---------------------------------------------------------------------------------------- */

static uint64_t
data_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  VtI8042      *kbc = kbc_of (dev);
  VtI8042State *s = &kbc->s;
  uint8_t       v = s->data;

  if (s->full)
    {
      /* The line falls before it rises for the next byte: the PIC looks for edges. */
      s->full = s->full_aux = false;
      update_irqs (kbc);
      pump (kbc);
    }
  return v;
}

static void
data_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  write_data (kbc_of (dev), (uint8_t) value);
  pump (kbc_of (dev));
}

static uint64_t
status_read (VtDevice *dev, uint64_t offset, unsigned size)
{
  const VtI8042State *s = &kbc_of (dev)->s;

  return STATUS_UNLOCKED | (s->full ? STATUS_FULL : 0) | (s->full_aux ? STATUS_AUX : 0) |
         (s->system ? STATUS_SYSTEM : 0) | (s->last_command ? STATUS_COMMAND : 0);
}

static void
command_write (VtDevice *dev, uint64_t offset, unsigned size, uint64_t value)
{
  write_command (kbc_of (dev), (uint8_t) value);
  pump (kbc_of (dev));
}

static const VtRegionOps data_ops = {
  .name = "i8042-data",
  .min_size = 1,
  .max_size = 1,
  .read = data_read,
  .write = data_write,
};

static const VtRegionOps command_ops = {
  .name = "i8042-command",
  .min_size = 1,
  .max_size = 1,
  .read = status_read,
  .write = command_write,
};

/* Input ---------------------------------------------------------------------------------------- */

static void
key_cb (void *data, unsigned code, bool down)
{
  VtI8042 *kbc = data;
  uint8_t  bit = (uint8_t) (1 << code % 8);

  if (code / 8 >= sizeof kbc->held)
    return;
  if (down)
    kbc->held[code / 8] |= bit;
  else
    kbc->held[code / 8] &= (uint8_t) ~bit;
  if (vt_device_is_paused (&kbc->dev))
    return;
  if (!vt_ps2_keyboard_key (&kbc->s.keyboard, code, down))
    kbc->unsettled = true;
  pump (kbc);
}

static void
motion_cb (void *data, int dx, int dy)
{
  VtI8042 *kbc = data;

  if (!vt_device_is_paused (&kbc->dev))
    vt_ps2_mouse_move (&kbc->s.mouse, dx, dy);
}

static void
wheel_cb (void *data, int dx, int dy)
{
  VtI8042 *kbc = data;

  if (!vt_device_is_paused (&kbc->dev))
    vt_ps2_mouse_wheel (&kbc->s.mouse, dy);
}

static void
button_cb (void *data, VtButton button, bool down)
{
  VtI8042 *kbc = data;
  uint8_t  bit = (uint8_t) (1 << button);

  if (down)
    kbc->held_buttons |= bit;
  else
    kbc->held_buttons &= (uint8_t) ~bit;
  if (vt_device_is_paused (&kbc->dev))
    return;
  vt_ps2_mouse_button (&kbc->s.mouse, button, down);
  pump (kbc);
}

static void
sync_cb (void *data)
{
  VtI8042 *kbc = data;

  if (vt_device_is_paused (&kbc->dev))
    return;
  vt_ps2_mouse_report (&kbc->s.mouse);
  pump (kbc);
}

static const VtInputOps key_ops = { .key = key_cb };
static const VtInputOps pointer_ops = {
  .motion = motion_cb,
  .wheel = wheel_cb,
  .button = button_cb,
  .sync = sync_cb,
};

/* Life ----------------------------------------------------------------------------------------- */

static void
kbc_reset (VtDevice *dev, VtResetKind kind)
{
  VtI8042      *kbc = kbc_of (dev);
  VtI8042State *s = &kbc->s;

  memset (s, 0, sizeof *s);
  vt_ps2_keyboard_reset (&s->keyboard);
  vt_ps2_mouse_reset (&s->mouse);
  s->ram[0] = MODE_IRQ1 | MODE_IRQ12;
  s->last_command = true;
  s->output_port = OUT_NO_RESET | OUT_A20 | OUT_UNUSED;
  kbc->unsettled = false;
  vt_line_set (kbc->a20, true);
  update_irqs (kbc);
  vt_input_port_set_leds (kbc->keys, 0);
  /* Firmware and boot loaders know no other keyboard and mouse. */
  vt_input_port_activate (kbc->keys);
  vt_input_port_activate (kbc->pointer);
}

static void
kbc_resume (VtDevice *dev)
{
  VtI8042 *kbc = kbc_of (dev);

  /* What was let go while the machine stood, or before the state was loaded, is up now. */
  kbc->unsettled = !vt_ps2_keyboard_settle (&kbc->s.keyboard, kbc->held);
  for (unsigned b = 0; b <= VT_BUTTON_EXTRA; b++)
    if ((kbc->s.mouse.buttons & ~kbc->held_buttons & (1 << b)) != 0)
      vt_ps2_mouse_button (&kbc->s.mouse, (VtButton) b, false);
  pump (kbc);
}

static void
kbc_loaded (VtDevice *dev)
{
  VtI8042 *kbc = kbc_of (dev);

  vt_line_import (kbc->irq1, irq1_level (&kbc->s));
  vt_line_import (kbc->irq12, irq12_level (&kbc->s));
  vt_line_import (kbc->a20, (kbc->s.output_port & OUT_A20) != 0);
  vt_input_port_set_leds (kbc->keys, (VtLeds) kbc->s.keyboard.leds);
}

static bool
kbc_realize (VtDevice *dev, GError **error)
{
  VtI8042 *kbc = kbc_of (dev);

  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &data_ops, 1), 0x60, 0);
  vt_region_map (vt_device_add_region (dev, VT_SPACE_IO, &command_ops, 1), 0x64, 0);
  if (kbc->input != NULL)
    {
      kbc->keys = vt_input_port_new (kbc->input, dev->context, &key_ops, kbc);
      kbc->pointer = vt_input_port_new (kbc->input, dev->context, &pointer_ops, kbc);
    }
  return true;
}

static void
kbc_unrealize (VtDevice *dev)
{
  VtI8042 *kbc = kbc_of (dev);

  vt_input_port_free (kbc->keys);
  vt_input_port_free (kbc->pointer);
}

static bool
kbc_check (const void *state, GError **error)
{
  const VtI8042State *s = state;

  if ((s->full_aux && !s->full) || (s->output_port & (OUT_FULL | OUT_AUX_FULL)) != 0)
    return vt_set_error (error, VITRINE_ERROR_CORRUPT,
                         "The saved keyboard controller is in no possible state");
  return true;
}

static const VtStateField kbc_fields[] = {
  VT_STATE_STRUCT (VtI8042State, keyboard, &vt_ps2_keyboard_desc),
  VT_STATE_STRUCT (VtI8042State, mouse, &vt_ps2_mouse_desc),
  VT_STATE (VtI8042State, ram),
  VT_STATE (VtI8042State, reply),
  VT_STATE (VtI8042State, reply_aux),
  VT_STATE_MAX (VtI8042State, reply_head, 15),
  VT_STATE_MAX (VtI8042State, reply_count, 16),
  VT_STATE (VtI8042State, data),
  VT_STATE (VtI8042State, command),
  VT_STATE (VtI8042State, output_port),
  VT_STATE (VtI8042State, full),
  VT_STATE (VtI8042State, full_aux),
  VT_STATE (VtI8042State, last_command),
  VT_STATE (VtI8042State, system),
  VT_STATE (VtI8042State, breaking),
  VT_STATE (VtI8042State, pad_),
};
static const VtStateDesc kbc_state = VT_STATE_DESC (VtI8042State, 1, kbc_fields, kbc_check);

const VtDeviceClass vt_i8042_class = {
  .id = "i8042",
  .spec = "IBM PS/2 Hardware Interface Technical Reference, October 1990, keyboard and auxiliary "
          "device controller",
  .size = sizeof (VtI8042),
  .state_offset = offsetof (VtI8042, s),
  .state = &kbc_state,
  .realize = kbc_realize,
  .unrealize = kbc_unrealize,
  .reset = kbc_reset,
  .resume = kbc_resume,
  .loaded = kbc_loaded,
};
