#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seed corpora: make-seeds.py [FOLDER]

Each seed of a device is a small driver in the language that fuzz-device.c reads, so that the fuzzer
starts from a device that is alive. Wiring and addresses are those of tests/rig.
"""
import os, struct, sys

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "corpus")
SIZES = {1: 0x00, 2: 0x10, 4: 0x20, 8: 0x30}
IO_BAR = 0xC000
MEMORY_BAR = 0xC0000000


class Seed:
  def __init__(self, device, name):
    self.path, self.bytes = os.path.join(ROOT, device, name), bytearray()

  def __enter__(self):
    return self

  def __exit__(self, *failed):
    if not any(failed):
      save(self.path, self.bytes)

  def op(self, code, *operands):
    self.bytes += bytes([code]) + b"".join(operands)
    return self

  def write(self, window, offset, value, size=4, wide=True):
    return self.op(0x00, bytes([window | SIZES[size]]), offset.to_bytes(2 if wide else 1, "little"),
                   value.to_bytes(size, "little"))

  def config(self, offset, value, size=4):
    return self.write(15, offset, value, size)

  def read_config(self, offset, size=4):
    return self.op(0x70, bytes([15 | SIZES[size]]), offset.to_bytes(2, "little"))

  # As a vCPU.
  def out(self, port, *values, size=1):
    for v in values:
      self.op(0xA0, bytes([3 | SIZES[size]]), struct.pack("<H", port), v.to_bytes(size, "little"))
    return self

  def inp(self, port, n=1, size=1):
    for _ in range(n):
      self.op(0xA0, bytes([2 | SIZES[size]]), struct.pack("<H", port))
    return self

  def place(self, how, address):
    if 0 <= address - MEMORY_BAR < 0x10000:
      return bytes([how | 1 << 2]) + struct.pack("<H", address - MEMORY_BAR)
    if 0 <= 0xFFFFFFFF - address < 0x10000:
      return bytes([how | 2 << 2]) + struct.pack("<H", 0xFFFFFFFF - address)
    if address < 0x100000 and address % 16 == 0:
      return bytes([how]) + struct.pack("<H", address >> 4)
    return bytes([how | 3 << 2]) + struct.pack("<HH", address >> 16, address & 0xFFFF)

  def poke(self, address, *values, size=4):
    for v in values:
      self.op(0xA0, self.place(1 | SIZES[size], address), v.to_bytes(size, "little"))
    return self

  def peek(self, address, size=4):
    return self.op(0xA0, self.place(SIZES[size], address))

  # From outside.
  def memory(self, address, data):
    assert address % 16 == 0
    for at in range(0, len(data), 240):
      piece = data[at:at + 240]
      self.op(0xB0, struct.pack("<HB", (address + at) >> 4, len(piece)), piece)
    return self

  def time(self, ns):
    scale = max(0, ns.bit_length() - 16)
    return self.op(0xD0 | scale, struct.pack("<H", ns >> scale))

  def event(self, kind, value=0):
    return self.op(0xE8, bytes([kind]), value.to_bytes(3, "little"))

  def look(self):
    return self.time(40_000_000).event(3)

  def feed(self, data):
    return self.op(0xE0, bytes([len(data)]), data)

  def key(self, code, down):
    return self.op(0xE0, bytes([0 | (4 if down else 0), code]))

  def motion(self, dx, dy):
    return self.op(0xE0, bytes([1]), struct.pack("<bb", dx, dy))

  def button(self, n, down):
    return self.op(0xE0, bytes([2 | (4 if down else 0), n]))

  def wheel(self, up):
    return self.op(0xE0, bytes([3 | (4 if up else 0)]))

  def reset(self, kind):
    return self.op(0xF0 + next(k for k in range(3) if (0xF0 + k) % 3 == kind))

  def state(self):
    return self.op(0xF8, b"\0")


def save(path, data):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "wb") as f:
    f.write(data)


# AHCI ---------------------------------------------------------------------------------------------

class Ahci(Seed):
  """One port, as a driver has it: command list, FIS area, tables and data in 64 KiB of its own."""

  def start(self, port, on_interrupt=True):
    self.port, self.base, self.slot = port, 0x10000 * (port + 1), 0
    self.poke(MEMORY_BAR + 4, 0x80000002)
    self.reg(0x00, self.base).reg(0x08, self.base + 0x400)
    self.reg(0x18, 0x12).reg(0x30, 0xFFFFFFFF).reg(0x10, 0xFFFFFFFF)
    if on_interrupt:
      self.reg(0x14, 0xFFFFFFFF)
    return self.reg(0x18, 0x13)

  def reg(self, offset, value):
    return self.poke(MEMORY_BAR + 0x100 + 0x80 * self.port + offset, value)

  def build(self, command, lba=0, count=0, features=0, write=False, packet=None, length=512, n_prd=1,
            control=None):
    """Fills the next slot and gives its number."""
    slot, self.slot = self.slot, (self.slot + 1) % 32
    table, data = self.base + 0x1000 + 0x100 * slot, self.base + 0x4000
    self.memory(self.base + 32 * slot, struct.pack(
      "<IIII", 5 | (1 << 5 if packet else 0) | (1 << 6 if write else 0) | n_prd << 16, 0, table, 0))
    fis = struct.pack("<BBBB", 0x27, 0x80 if control is None else 0, command, features & 0xFF)
    fis += lba.to_bytes(6, "little")[:3] + b"\x40" + lba.to_bytes(6, "little")[3:]
    fis += bytes([features >> 8]) + struct.pack("<H", count) + bytes([0, control or 0])
    fis = fis.ljust(0x40, b"\0") + (packet or b"").ljust(0x40, b"\0")
    for n in range(n_prd):
      fis += struct.pack("<IIII", data + 0x800 * n, 0, 0, (length // n_prd - 1) | 1 << 31)
    # What is between command and descriptors is zero already.
    if packet is None:
      self.memory(table, fis[:0x10]).memory(table + 0x80, fis[0x80:])
    else:
      self.memory(table, fis[:0x10]).memory(table + 0x40, fis[0x40:0x50])
      self.memory(table + 0x80, fis[0x80:])
    return slot

  def issue(self, *args, **options):
    # Whatever the last command ended with, the port goes on.
    self.reg(0x18, 0x12).reg(0x18, 0x13)
    slot = self.build(*args, **options)
    return self.reg(0x38, 1 << slot).reg(0x10, 0xFFFFFFFF)

  def packet(self, *cdb, length=256, dma=True, n_prd=1, write=False):
    return self.issue(0xA0, lba=0xFFFE00, features=1 if dma else 0, packet=bytes(cdb).ljust(12, b"\0"),
                      length=length, n_prd=n_prd, write=write)


def ahci():
  with Ahci("ahci", "disk-identify-read") as s:
    s.start(0).issue(0xEC).issue(0x25, lba=1, count=4, length=2048, n_prd=2)
    s.issue(0xC8, lba=2, count=1).issue(0x20, lba=3, count=1).issue(0x29, lba=4, count=2, length=1024)
    s.issue(0xC4, lba=1, count=2, length=1024)
  with Ahci("ahci", "disk-write") as s:
    s.start(0)
    for command in (0x35, 0xCA, 0x30, 0x3D, 0x34, 0xC5):
      s.issue(command, lba=8, count=1, write=True)
    s.issue(0xEA).issue(0xE7).issue(0x40, lba=1, count=8)
  with Ahci("ahci", "disk-queued") as s:
    s.start(0)
    slots = [s.build(0x60 + n % 2, lba=n * 8, features=2, count=n << 3, write=n % 2 == 1, length=1024)
             for n in range(4)]
    bits = sum(1 << n for n in slots)
    s.reg(0x34, bits).reg(0x38, bits).reg(0x10, 0xFFFFFFFF)
  with Ahci("ahci", "disk-queued-error") as s:
    s.start(0)
    slots = [s.build(0x60, lba=n * 100, features=1, count=n << 3) for n in range(3)]
    bits = sum(1 << n for n in slots)
    s.reg(0x34, bits).reg(0x38, bits).reg(0x18, 0x12).reg(0x30, 0xFFFFFFFF).reg(0x18, 0x13)
    s.issue(0x2F, lba=0x10, count=1)
  with Ahci("ahci", "disk-trim") as s:
    s.start(0)
    s.memory(s.base + 0x4000, struct.pack("<QQ", 8 | 16 << 48, 100 | 4 << 48))
    s.issue(0x06, features=1, count=1, write=True)
    s.memory(s.base + 0x4000, struct.pack("<Q", (1 << 47) | 0xFFFF << 48))
    s.issue(0x06, features=1, count=1, write=True)
    s.build(0x64, features=1, count=1 << 3 | 0, write=True)
    s.reg(0x34, 4).reg(0x38, 4)
  with Ahci("ahci", "disk-manage") as s:
    s.start(1)
    for command, features, lba in ((0xEF, 0x03, 0), (0xEF, 0x02, 0), (0xEF, 0x82, 0), (0xEF, 0xAA, 0),
                                   (0xB0, 0xD8, 0xC24F00), (0xB0, 0xD0, 0xC24F00), (0xB0, 0xDA, 0xC24F00),
                                   (0xE0, 0, 0), (0xE5, 0, 0), (0xE3, 0, 0), (0xF8, 0, 0), (0x27, 0, 0),
                                   (0xF5, 0, 0), (0x91, 0, 0), (0x10, 0, 0), (0x90, 0, 0), (0xC6, 0, 0)):
      s.issue(command, features=features, lba=lba, count=1)
  with Ahci("ahci", "disk-errors") as s:
    s.start(0).issue(0x25, lba=0xFFFFFF, count=1).reg(0x18, 0x12).reg(0x18, 0x13)
    s.issue(0x25, lba=0, count=8, length=512).reg(0x18, 0x12).reg(0x18, 0x1B).issue(0xFE)
  with Ahci("ahci", "soft-reset") as s:
    s.start(0).issue(0, control=4).issue(0, control=0).reg(0x2C, 0x301).time(1_500_000).reg(0x2C, 0x300)
    s.reg(0x18, 0x12).reg(0x30, 0xFFFFFFFF).reg(0x18, 0x13).issue(0xEC)
    s.poke(MEMORY_BAR + 4, 0x80000003).peek(MEMORY_BAR + 4)
  with Ahci("ahci", "legacy-index") as s:
    for reg in (0, 4, 0xC, 0x10, 0x100, 0x118, 0x128):
      s.out(IO_BAR + 0x10, reg, size=4).inp(IO_BAR + 0x14, size=4)
    s.out(IO_BAR + 0x10, 4, size=4).out(IO_BAR + 0x14, 0x80000002, size=4)
  with Ahci("ahci", "cd-tell") as s:
    s.start(2).issue(0xA1).packet(0).packet(3, 0, 0, 0, 18, length=18)
    s.packet(0x12, 0, 0, 0, 96, length=96).packet(0x25, length=8)
    s.packet(0x43, 0, 0, 0, 0, 0, 0, 0, 100, length=100).packet(0x43, 2, 1, 0, 0, 0, 0, 0, 48, length=48)
    s.packet(0x46, 0, 0, 0, 0, 0, 0, 1, 0).packet(0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, length=8)
    s.packet(0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 128, length=128).packet(0x51, 0, 0, 0, 0, 0, 0, 0, 34)
  with Ahci("ahci", "cd-tell-more") as s:
    s.start(2, on_interrupt=False).packet(0xBD, length=8).packet(0xAD, 0, 0, 0, 0, 0, 0, 0, 0, 255)
    s.packet(0x42, 2, 0x40, 1, 0, 0, 0, 0, 16).packet(0x2B).packet(0x52, 1, 0, 0, 0, 0, 0, 0, 36)
    s.packet(0x12, 1, 0, 0, 96).packet(0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 200, dma=False)
    s.packet(0xB9, 0, 0, 0, 2, 16, 0, 2, 17, 0xF8, length=2352).packet(0x23, 0, 0, 0, 0, 0, 0, 0, 252).packet(0xAC, length=64).packet(0xFF)
  with Ahci("ahci", "cd-read") as s:
    s.start(2).packet(0).packet(0)
    s.packet(0x28, 0, 0, 0, 0, 16, 0, 0, 1, length=2048).packet(0xA8, 0, 0, 0, 0, 16, 0, 0, 0, 2,
                                                                length=4096, n_prd=2)
    s.packet(0x28, 0, 0, 0, 0, 17, 0, 0, 2, length=4096, dma=False)
    s.packet(0xBE, 0, 0, 0, 0, 16, 0, 0, 1, 0xF8, length=2352).packet(0x28, 0, 0, 0, 0xFF, 0, 0, 0, 1)
  with Ahci("ahci", "cd-change") as s:
    s.start(2).packet(0x1E, 0, 0, 0, 1).event(0).event(1).packet(0).packet(3, 0, 0, 0, 18)
    s.packet(0x1E).packet(0x1B, 0, 0, 0, 2).packet(0x1B, 0, 0, 0, 3).event(4).event(2)
    s.packet(0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8).packet(0).packet(0).packet(0x25).state()
    s.packet(0x55, 0x10, 0, 0, 0, 0, 0, 0, 28, length=28, write=True).packet(0x35)
  with Ahci("ahci", "cd-empty") as s:
    s.start(3).packet(0).packet(0x28, 0, 0, 0, 0, 0, 0, 0, 1, length=2048).event(1, 1).packet(0).packet(0)
    s.packet(0x25).issue(0x08).issue(0xEC).issue(0xE6)


# Displays -----------------------------------------------------------------------------------------

def vga_mode(s, misc, seq, crtc, gfx, attr):
  s.out(0x3C2, misc)
  for n, v in enumerate(seq):
    s.out(0x3C4, n | v << 8, size=2)
  s.out(0x3D4, 0x11, size=2)
  for n, v in enumerate(crtc):
    s.out(0x3D4, n | v << 8, size=2)
  for n, v in enumerate(gfx):
    s.out(0x3CE, n | v << 8, size=2)
  s.inp(0x3DA)
  for n, v in enumerate(attr):
    s.out(0x3C0, n, v)
  return s.out(0x3C0, 0x20)


CRTC_TEXT = bytes.fromhex("5f4f50825581bf1f004f0d0e00000000 9c8e8f281f96b9a3ff".replace(" ", ""))
CRTC_12 = bytes.fromhex("5f4f50825480 0b3e0040000000000000 ea8cdf2800e704e3ff".replace(" ", ""))
CRTC_13 = bytes.fromhex("5f4f50825480bf1f00410000000000009c8e8f284096b9a3ff")
PLAIN = bytes(range(16)) + bytes([1, 0, 15, 0, 0])


VGA_PORTS = 4 # Behind three windows at 0xa0000 and the monochrome ports.


def colours(s):
  s.out(0x3C8, 0)
  # A run of writes to one register: the DAC's data port.
  for n in range(4):
    s.op(0x40, bytes([VGA_PORTS, 9, 48]), bytes((n * 48 + i) & 63 for i in range(48)))
  return s.out(0x3C9, 1, 2, 3).out(0x3C7, 3).inp(0x3C9, 3).out(0x3C6, 0xFF)


def dispi(s, *pairs):
  for reg, value in pairs:
    s.out(0x1CE, reg, size=2).out(0x1CF, value, size=2)
  return s


def vga():
  def text(s):
    attr = bytes(range(16)) + bytes([0x0C, 0, 15, 8, 0])
    return vga_mode(s, 0x67, b"\3\0\3\0\2", CRTC_TEXT, bytes([0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF]), attr)

  with Seed("vga", "text") as s:
    # A glyph in plane 2, then characters.
    s.out(0x3C4, 0x0402, size=2).out(0x3C4, 0x0704, size=2).out(0x3CE, 0x0005, size=2).out(0x3CE, 0x0406, size=2)
    s.poke(0xA0000 + 0x20 * 0x41, 0x18243C42, 0x42424200)
    text(s).poke(0xB8000, 0x1F421F41, 0x9F440E43).poke(0xB8010, 0x71).look()
    s.out(0x3D4, 0x0F0F, size=2).out(0x3D4, 0x0E00, size=2).event(2).time(900_000_000).event(1)
    s.poke(0xB8FA0, 0x4141).look()
  with Seed("vga", "text-mapped") as s:
    # Enough accesses, and the text window becomes memory.
    text(s)
    for n in range(6):
      s.op(0x40, bytes([0x80]), struct.pack("<HB", 0x8000 + n, 1), bytes([63]), bytes(range(63)))
    s.poke(0xB8000, 0x1F421F41).look().poke(0xB8010, 0x4E424E41).look().event(2).state()
    s.out(0x3CE, 0x0506, size=2).poke(0xA0000, 1).out(0x3CE, 0x0E06, size=2).peek(0xB8000).look()
  with Seed("vga", "text-40-wide-font") as s:
    text(s).out(0x3C4, 0x0901, size=2).out(0x3D4, 0x0709, size=2).out(0x3C4, 0x3F03, size=2).look()
    s.inp(0x3DA).out(0x3C0, 0x33, 3).out(0x3D4, 0x5008, size=2).poke(0xB8000, 0xFFFFFFFF).look().event(2)
  with Seed("vga", "planar") as s:
    vga_mode(s, 0xE3, b"\3\1\x0f\0\6", CRTC_12, bytes([0, 0, 0, 0, 0, 0, 5, 15, 255]), PLAIN)
    for mode in range(4):
      s.out(0x3CE, 5 | mode << 8, size=2).peek(0xA0000, 1).poke(0xA0000 + 80 * 16 * mode, 0xA5A5A5A5)
    s.out(0x3CE, 0x0F01, size=2).out(0x3CE, 0x1003, size=2).poke(0xA0100, 0x5A).out(0x3C4, 0x0402, size=2)
    s.out(0x3CE, 0x0805, size=2).peek(0xA0000, 1).poke(0xA0020, 0xFF).look().event(1)
  with Seed("vga", "chain4") as s:
    vga_mode(s, 0x63, b"\3\1\x0f\0\x0e", CRTC_13, bytes([0, 0, 0, 0, 0, 0x40, 5, 15, 255]),
             bytes(range(16)) + bytes([0x41, 0, 15, 0, 0]))
    colours(s).poke(0xA0000, 0x03020100, 0x07060504).poke(0xAF000, 0xFFFFFFFF).look().event(1)
    # Unchained, panned, split and doubled.
    s.out(0x3C4, 0x0604, size=2).out(0x3D4, 0x0014, size=2).out(0x3D4, 0xE317, size=2).poke(0xA0000, 0x01010101)
    s.out(0x3D4, 0x010D, size=2).out(0x3D4, 0x4018, size=2).out(0x3D4, 0x0F07, size=2).inp(0x3DA)
    s.out(0x3C0, 0x33, 2).look()
  with Seed("vga", "cga") as s:
    vga_mode(s, 0x63, b"\3\x09\3\0\2", bytes.fromhex("2d2728902b80bf1f00c100000000000 09c8e8f140096b9a2ff".replace(" ", "")),
             bytes([0, 0, 0, 0, 0, 0x30, 0x0F, 0, 255]), PLAIN)
    s.poke(0xB8000, 0xE4E4E4E4).poke(0xBA000, 0x1B1B1B1B).look().state().look()
  with Seed("vga", "dispi") as s:
    for bits in (8, 15, 16, 24, 32):
      dispi(s, (4, 0), (1, 320), (2, 200), (3, bits), (4, 0x41))
      s.poke(MEMORY_BAR, 0x55AA1234).poke(MEMORY_BAR + 320 * 40, 0xFFFFFFFF).look()
    dispi(s, (6, 400), (8, 3), (9, 5)).look()
    dispi(s, (5, 1)).poke(0xA0000, 0x12345678).look().event(1)
    for reg in range(12):
      s.out(0x1CE, reg, size=2).inp(0x1CF, size=2)
  with Seed("vga", "dispi-mmio") as s:
    registers = 0xC0100000
    s.poke(registers + 0x502, 640, size=2).poke(registers + 0x504, 480, size=2)
    s.poke(registers + 0x506, 8, size=2).poke(registers + 0x508, 0x61, size=2)
    s.poke(MEMORY_BAR, 0x03020100).look().poke(registers + 0x604, 0xBEBEBEBE).look()
    s.poke(registers + 0x408, 0xFF, size=1).poke(registers + 0x409, 1, 2, 3, size=1).look()
    for offset in range(0, 128, 16):
      s.peek(registers + offset, 8)
    dispi(s, (4, 0), (3, 4), (1, 640), (2, 400), (4, 1)).poke(0xA0000, 0xFF00FF00).look()
    s.event(0, 1024 | 768 << 12).peek(registers + 0x36, 2)
  with Seed("vga", "largest") as s:
    dispi(s, (4, 0), (1, 1024), (2, 256), (3, 32), (4, 0xC1)).poke(MEMORY_BAR + 0xFFFC, 1).look()
    dispi(s, (6, 0xFFFF), (8, 0xFFFF), (9, 0xFFFF), (4, 0)).look().reset(1).look().reset(0).look()


def bochs_display():
  registers = 0xC0100000
  for bits in (16, 24, 32):
    with Seed("bochs-display", f"mode-{bits}") as s:
      for n, v in ((1, 320), (2, 240), (3, bits), (6, 400), (7, 480), (4, 0x41)):
        s.poke(registers + 0x500 + 2 * n, v, size=2)
      s.poke(MEMORY_BAR, 0xFF00FF00).look().poke(MEMORY_BAR + 0xF000, 0xFFFFFFFF).look().event(1)
      s.poke(registers + 0x510, 8, size=2).poke(registers + 0x512, 9, size=2).look()
      s.poke(registers + 0x604, 0xBEBEBEBE).look().peek(registers + 0x600).state().look()
      s.peek(registers, 8).event(0, 800 | 600 << 12).peek(registers + 0x38, 8).poke(registers + 0x508, 0, size=2)
      s.look()


# The chipset --------------------------------------------------------------------------------------

def q35_host():
  def select(s, bus, slot, function, offset, value=None):
    s.out(0xCF8, 1 << 31 | bus << 16 | slot << 11 | function << 8 | offset, size=4)
    return s.inp(0xCFC, size=4) if value is None else s.out(0xCFC, value, size=4)

  with Seed("q35-host", "scan") as s:
    for slot in (0, 0x1C, 0x1F):
      for offset in (0, 8, 0xC, 0x10, 0x34):
        select(s, 0, slot, 0, offset)
    select(s, 0, 0x1F, 3, 0x20, 0xFFFFFFFF)
    select(s, 0, 0x1F, 3, 0x20, 0xC101)
    select(s, 0, 0x1F, 3, 4, 7).inp(0xC100)
    select(s, 0, 0x1C, 0, 0x18, 0x00FF0100)
    select(s, 1, 0, 0, 0)
    s.out(0xCF9, 6).inp(0xCFB).inp(0xCFE, size=2)
  with Seed("q35-host", "shadow") as s:
    for value in (0x11, 0x22, 0x33, 0x00):
      for reg in range(0x90, 0x97):
        s.config(reg, value, 1)
      s.poke(0xC0000, 0x12345678).poke(0xF0000, 1).peek(0xC0000).peek(0xFFFF0).peek(0xE8000)
  with Seed("q35-host", "ecam") as s:
    for base in (0xB0000001, 0xB0000003, 0xB0000005):
      s.config(0x60, base).peek(0xB0000000).peek(0xB00E0000).poke(0xB00F8004, 7, size=2)
      s.peek(0xB00F8040, 8).poke(0xB00E0018, 0x00020100).peek(0xB0100000).peek(0xB00FB020)
    s.config(0x60, 0).peek(0xB0000000)
  with Seed("q35-host", "smram") as s:
    s.config(0x9D, 0x4A, 1).poke(0xA0000, 0x12345678).config(0x9E, 0x38, 1).config(0x9D, 0x0A, 1)
    s.peek(0xA0000).config(0x9D, 0x1A, 1).config(0x9D, 0x4A, 1).read_config(0x9D).state().reset(1)


def pcie_root_port():
  with Seed("pcie-root-port", "windows") as s:
    s.config(0x18, 0x00030100).config(0x20, 0xE000E000).config(0x24, 0xE101E101)
    s.config(0x1C, 0xD1D1, 2).config(0x28, 0).config(0x2C, 0).config(4, 7, 2).config(0x3E, 0x18, 2)
    s.config(0x3E, 0x40, 2).config(0x3E, 0, 2).read_config(0x3C).config(0x20, 0x00000010).state()
  with Seed("pcie-root-port", "msix-and-slot") as s:
    for offset in range(0x34, 0xC0, 4):
      s.read_config(offset)
    # Where the capabilities lie is the fuzzer's to find out; these enable whatever is there.
    for offset in range(0x40, 0xC0, 2):
      s.config(offset, 0xFFFF, 2)
    s.poke(MEMORY_BAR, 0xFEE00000, 0).poke(MEMORY_BAR + 8, 0x41).poke(MEMORY_BAR + 12, 0)
    s.peek(MEMORY_BAR + 0x800, 8)


def ich9_lpc():
  def pm(s):
    return s.config(0x40, 0x601).config(0x44, 0x80, 1)

  with Seed("ich9-lpc", "pm-timer") as s:
    pm(s).out(0x602, 0x521, size=2).inp(0x608, size=4).time(1 << 20).inp(0x608, size=4)
    s.time(1_900_000_000).time(1_900_000_000).inp(0x600, size=2).out(0x600, 0x8FFF, size=2).inp(0x600, size=2)
  with Seed("ich9-lpc", "button-and-sleep") as s:
    pm(s).out(0x602, 0x120, size=2).out(0xB2, 2).inp(0xB2).out(0xB2, 3).out(0xB2, 2).event(4).event(0)
    s.inp(0x600, size=2).out(0x600, 0x100, size=2).out(0x604, 0x2401, size=2).event(1).event(4)
    s.out(0x604, 0x2001, size=2).inp(0x604, size=4)
  with Seed("ich9-lpc", "button-held") as s:
    pm(s).out(0x602, 0x100, size=2).event(4).time(2_000_000_000).time(2_100_000_000).event(0).inp(0x600, size=2)
  with Seed("ich9-lpc", "gpe") as s:
    pm(s).out(0x628, 0xFFFFFFFF, 0xFFFFFFFF, size=4).event(2, 1).event(2, 33).inp(0x620, size=8)
    s.out(0x620, 0xFFFFFFFF, size=4).event(2, 63).config(0x44, 0x85, 1).config(0x44, 0x87, 1).state()
  with Seed("ich9-lpc", "watchdog") as s:
    pm(s).config(0xF0, 0xFED1C001).peek(0xFED1F410).poke(0xFED1F410, 0)
    s.out(0x672, 4, size=2).out(0x660, 1, size=2).out(0x668, 0, size=2)
    s.time(2_000_000_000).time(1_000_000_000).inp(0x664, size=2).time(1_900_000_000).out(0x668, 0x800, size=2)
    s.time(10_000_000).out(0x664, 8, size=2)
    s.out(0x630, 0xFFFFFFFF, size=4).inp(0x634, size=4).out(0x662, 1).out(0x663, 2)
  with Seed("ich9-lpc", "routes") as s:
    for n, v in enumerate((0x0A, 0x0B, 0x80, 5, 0x0A, 0x0F, 0x80, 3)):
      s.config((0x60 if n < 4 else 0x64) + n, v, 1)
    s.config(0xF0, 0xFED1C001)
    for offset in range(0x3140, 0x3150, 2):
      s.poke(0xFED1C000 + offset, 0x3210, size=2)
    s.write(3, 0, 2, 1, wide=False).write(3, 0, 6, 1, wide=False).write(3, 0, 0xE, 1, wide=False)
    s.config(0xA0, 0xFFFF, 2).config(0xDC, 0xFF, 1).reset(1).reset(0)


def ich9_smbus():
  def command(s, kind, slave=0xA1, register=0, data=0):
    s.out(IO_BAR, 0xFF).out(IO_BAR + 4, slave).out(IO_BAR + 3, register).out(IO_BAR + 5, data)
    return s.out(IO_BAR + 2, 0x41 | kind << 2).inp(IO_BAR).inp(IO_BAR + 5, 2)

  for name, slave in (("eeprom", 0xA1), ("odd", 0xA3), ("nobody", 0x11)):
    with Seed("ich9-smbus", name) as s:
      s.config(0x40, 1, 1)
      for kind in range(8):
        command(s, kind, slave, 7 * kind, kind).inp(IO_BAR + 7, 4)
        command(s, kind, slave & 0xFE, kind, 3)
  for name, aux in (("block-by-byte", 0), ("block-buffer", 2), ("block-pec", 3)):
    with Seed("ich9-smbus", name) as s:
      s.config(0x40, 1, 1).out(IO_BAR + 0xD, aux).out(IO_BAR + 5, 32)
      command(s, 5, 0xA3, 8)
      for _ in range(10):
        s.inp(IO_BAR + 7).out(IO_BAR, 0x80)
      s.out(IO_BAR + 2, 0x20).out(IO_BAR, 0xFF)
      command(s, 5, 0xA2, 1, 4).out(IO_BAR + 7, 1, 2, 3).out(IO_BAR, 0x80).out(IO_BAR + 2, 2).out(IO_BAR, 0xFF)
      s.state()
      command(s, 6, 0xA3, 200)


# The platform -------------------------------------------------------------------------------------

def i8042():
  def keyboard(s, *values):
    for v in values:
      s.out(0x60, v).inp(0x64).inp(0x60)
    return s

  def mouse(s, *values):
    for v in values:
      s.out(0x64, 0xD4).out(0x60, v).inp(0x64).inp(0x60)
    return s

  with Seed("i8042", "start") as s:
    s.out(0x64, 0xAD, 0xA7).inp(0x60).out(0x64, 0x20).inp(0x60).out(0x64, 0x60).out(0x60, 0x03)
    s.out(0x64, 0xAA).inp(0x60).out(0x64, 0xAB).inp(0x60).out(0x64, 0xA9).inp(0x60).out(0x64, 0xAE, 0xA8)
    keyboard(s, 0xFF).inp(0x60, 2)
    keyboard(s, 0xF0, 2, 0xF0, 0, 0xF3, 0x20, 0xED, 7, 0xF4)
    for code in (30, 48, 97, 99, 119, 103, 0):
      s.key(code, True).inp(0x60, 4).key(code, False).inp(0x60, 4)
  for number in (1, 2, 3):
    with Seed("i8042", f"set-{number}") as s:
      s.out(0x64, 0x60).out(0x60, 0x01 if number > 1 else 0x41)
      keyboard(s, 0xF0, number, 0xF0, 0).inp(0x60)
      keyboard(s, 0xF8, 0xFC, 0x1C, 0xF4, 0xEE, 0xF2, 0xFE).inp(0x60, 4)
      for code in (30, 42, 100, 125, 210):
        s.key(code, True).key(code, False)
      s.inp(0x60, 20).state().reset(1)
  for name, knock in (("mouse", ()), ("wheel", (200, 100, 80)), ("buttons", (200, 100, 80, 200, 200, 80))):
    with Seed("i8042", name) as s:
      s.out(0x64, 0xA8).out(0x64, 0x60).out(0x60, 0x02)
      mouse(s, 0xFF, 0xF6)
      for rate in knock:
        mouse(s, 0xF3, rate)
      mouse(s, 0xF2, 0xE8, 3, 0xE7, 0xF4, 0xE9)
      s.motion(5, -7).button(0, True).inp(0x60, 4).motion(-128, 127).wheel(True).wheel(False).inp(0x60, 8)
      s.button(3, True).button(4, True).motion(100, 100).inp(0x60, 8)
      mouse(s, 0xF0, 0xEB, 0xEE, 0x55, 0xEC, 0xEA, 0xF5)
  with Seed("i8042", "controller") as s:
    for command in (0xC0, 0xD0, 0x3F, 0xDD, 0xDF, 0xFE, 0xFF, 0xF0):
      s.out(0x64, command).inp(0x60).inp(0x64)
    for command, data in ((0xD1, 0xDF), (0xD1, 0xDC), (0xD2, 0x1C), (0xD3, 0x55), (0x61, 9), (0x60, 0x47)):
      s.out(0x64, command).out(0x60, data).inp(0x64).inp(0x60)
  with Seed("i8042", "full") as s:
    s.out(0x64, 0x60).out(0x60, 0x43)
    keyboard(s, 0xF4)
    for n in range(100):
      s.key(97, n % 2 == 0)
    s.state().inp(0x60, 30)


def fw_cfg():
  be32 = lambda v: v.to_bytes(4, "big")

  def dma(s, control, length, address, at=0x1000):
    s.memory(at, be32(control) + be32(length) + address.to_bytes(8, "big"))
    return s.out(0x514, 0, size=4).out(0x518, int.from_bytes(be32(at), "little"), size=4)

  with Seed("fw-cfg", "ports") as s:
    for key in (0, 1, 0x19, 0x21, 0x22, 0x8002, 0xFFFF):
      s.out(0x510, key, size=2).inp(0x511, 8).inp(0x510, size=2)
    s.inp(0x514, size=4).inp(0x518, size=4)
  with Seed("fw-cfg", "dma-read") as s:
    dma(s, 0x00190000 | 8 | 2, 0x200, 0x2000)
    dma(s, 0x00210000 | 8 | 2, 1000, 0x4000)
    dma(s, 4, 10, 0)
    dma(s, 2, 600, 0x5000)
    dma(s, 0x00220000 | 8 | 2, 5, 0xFFFFFFFF)
  with Seed("fw-cfg", "dma-write") as s:
    for key in (0x23, 0x24, 0x22):
      dma(s, key << 16 | 8 | 0x10, 64, 0x2000)
      dma(s, 0x10, 64, 0x2000)
      dma(s, key << 16 | 8 | 2, 70, 0x3000)
    s.reset(1)
  with Seed("fw-cfg", "dma-long") as s:
    dma(s, 0x00110000 | 8 | 2, 300 * 1024, 0x10000).time(1_000_000).state().time(30_000_000)
    dma(s, 0x00110000 | 8 | 2, 0xFFFFFFFF, 0x10000).time(1_000_000_000).time(900_000_000)
    dma(s, 2, 0xFFFFFFFF, 0x3FF000).reset(0)


def hpet():
  base = 0xFED00000
  timer = lambda n, reg=0: base + 0x100 + 0x20 * n + reg

  with Seed("hpet", "one-shot") as s:
    s.peek(base, 8).poke(timer(0), 0x4 | 16 << 9).poke(timer(0, 8), 1000, size=8).poke(base + 0x10, 1)
    s.time(5_000_000).peek(base + 0xF0, 8).poke(base + 0x20, 1).peek(base + 0x20).poke(timer(0, 8), 0, size=8)
  with Seed("hpet", "periodic") as s:
    s.poke(timer(0), 0x4C | 20 << 9).poke(timer(0, 8), 100000, size=8).poke(base + 0x10, 1).time(50_000_000)
    s.poke(timer(0), 0x4E | 20 << 9).time(9_000_000).poke(base + 0x20, 7).state().time(20_000_000)
    s.poke(base + 0x10, 0).poke(base + 0xF0, 0xFFFFFFF0, size=8).poke(base + 0x10, 1).time(1_000_000)
  with Seed("hpet", "legacy") as s:
    s.poke(timer(0), 0x4C).poke(timer(0, 8), 10000, size=8).poke(timer(1), 0x4C).poke(timer(1, 8), 500, size=4)
    s.event(1).poke(base + 0x10, 3).time(3_000_000).event(0).event(1).poke(base + 0x10, 1).reset(1)
  with Seed("hpet", "message") as s:
    s.poke(timer(2), 0x4104).poke(timer(2, 0x10), 0x41).poke(timer(2, 0x14), 0xFEE00000)
    s.poke(timer(2, 8), 2000).poke(base + 0x10, 1).time(1_000_000).poke(timer(2), 0x4004).poke(timer(2), 0x106)


def interrupts():
  """Events: a line (1 | up << 1, number) or an acknowledge (0) of the PIC; a line or an end of the I/O
  APIC; messages, INTR, acknowledge, take, MSRs and CR8 of the local APIC."""
  up, down = 3, 1
  pic = lambda s: s.out(0x20, 0x11).out(0x21, 0x20, 4, 1).out(0xA0, 0x11).out(0xA1, 0x28, 2, 1)
  with Seed("i8259", "nested") as s:
    pic(s).event(up, 4).event(0).event(up, 1).event(0).out(0x20, 0x20, 0x61).event(up, 12).event(0).state()
    s.out(0xA0, 0x20).out(0x20, 0x20, 0x0B).inp(0x20).event(down, 4).event(up, 4).out(0x20, 0x0C).inp(0x20)
  with Seed("i8259", "rotating-levels") as s:
    pic(s).out(0x4D0, 0xFF).out(0x4D1, 0xFF).out(0x20, 0xC5, 0x80).event(up, 10).event(0).out(0x20, 0xA0)
    s.out(0x20, 0x68).out(0x21, 4).event(0).out(0x4D1, 0).event(down, 10).out(0x20, 0x11).out(0x21, 0, 4, 0x13)
  with Seed("i8254", "modes") as s:
    for mode in range(6):
      s.out(0x43, 0x30 | mode << 1).out(0x40, 0x10, 1).time(500_000).out(0x43, 0, 0xC2).inp(0x40, 5)
    s.out(0x43, 0x35).out(0x40, 0x99, 0x99).time(20_000_000).inp(0x40, 2).event(1).time(50_000_000).event(0).state()
  with Seed("i8254", "speaker") as s:
    for mode in range(6):
      s.out(0x43, 0xB0 | mode << 1).out(0x42, 9, 0).out(0x61, 0, 1, 3).inp(0x61, 3).time(9_000).out(0x61, 0).inp(0x61)
      s.out(0x42, 7, 0).inp(0x42, 2).out(0x43, 0xE8).inp(0x42)
  pin = lambda s, n, low, high=0: (s.poke(0xFEC00000, 0x11 + 2 * n).poke(0xFEC00010, high)
                                   .poke(0xFEC00000, 0x10 + 2 * n).poke(0xFEC00010, low))
  with Seed("ioapic", "levels") as s:
    pin(s, 16, 0xA031).event(up, 16).peek(0xFEC00010).event(0, 0x31).event(down, 16).event(0, 0x31).state()
    pin(s, 16, 0x1A031).event(up, 16)
    pin(s, 16, 0xA031)
    pin(s, 16, 0x12031).peek(0xFEC00010)
  with Seed("ioapic", "edges") as s:
    pin(s, 4, 0x0931, 0xFF000000).event(up, 4).event(down, 4).event(up, 4).poke(0xFEC00000, 1, size=1).peek(0xFEC00010)
    pin(s, 4, 0x18400).event(up, 4)
  on = lambda s: s.write(0, 0xF0, 0x1FF)
  with Seed("lapic", "vectors") as s:
    on(s).event(0, 0x41 << 4).event(0, 0xC052 << 4).event(2).event(6, 7).event(2).event(6, 0).event(2).state()
    s.write(0, 0xB0, 0).write(0, 0x310, 1 << 24).write(0, 0x300, 0x4061).write(0, 0x300, 0x440B2).event(2)
    s.write(0, 0x300, 0xC4500).write(0, 0x300, 0x4605).write(0, 0x280, 0).event(3, 31)
  with Seed("lapic", "timer") as s:
    on(s).write(0, 0x3E0, 0xB).write(0, 0x320, 0x41).write(0, 0x380, 50000).time(60_000).event(2).write(0, 0xB0, 0)
    s.write(0, 0x320, 0x20042).write(0, 0x380, 3).time(1_000_000).write(0, 0x3E0, 3).time(500_000).state().time(10_000)
    s.write(0, 0x320, 0x40043).event(5, 1000 << 8 | 1).time(2_000).event(4, 1).event(7).event(5, 1)
  with Seed("lapic", "x2apic") as s:
    msr = lambda index, v=0: 2 | index << 2 | v << 8
    on(s).event(5, 3 << 4).event(4, msr(2)).event(5, msr(0x3F, 0x61)).event(2).event(5, msr(0xB)).event(4, msr(0x30))
    s.event(5, msr(0x30, 0x884)).event(5, 0).event(5, 2 << 4).event(1, 1).event(2).event(1, 0).reset(1)


def serial_16550():
  p = 0x3F8
  with Seed("serial-16550", "fifo") as s:
    s.out(p + 3, 0x80).out(p, 1).out(p + 1, 0).out(p + 3, 3).out(p + 2, 0xC7).out(p + 4, 0xB).out(p + 1, 0xF)
    s.feed(bytes(range(20))).inp(p + 2).inp(p + 5).inp(p, 10).feed(b"tail").time(5_000_000).inp(p + 2)
    s.op(0x40, bytes([0, 0, 48]), bytes(48)).inp(p + 5).time(100_000_000).event(0, 20).inp(p + 2)
    s.time(1_900_000_000).inp(p + 2).event(1).inp(p + 5).inp(p, 8).state()
  with Seed("serial-16550", "loopback") as s:
    s.out(p + 4, 0x1F).out(p + 1, 0xF).out(p, 0x41, 0x42, 0x43).inp(p + 6).inp(p, 3).out(p + 4, 0x12)
    s.inp(p + 6).out(p + 3, 0x43).out(p + 2, 1).out(p, 0x44).inp(p + 5).inp(p + 2).inp(p).out(p + 7, 0x5A)
  with Seed("serial-16550", "no-fifo") as s:
    s.out(p + 1, 7).feed(b"ab").inp(p + 5).inp(p).inp(p + 5).inp(p).out(p, 0x61).inp(p + 2).event(1)
    s.feed(b"overrun").event(1).inp(p + 5).out(p + 2, 7).out(p + 2, 0x81).reset(0)


def mc146818():
  def reg(s, n, value):
    return s.out(0x70, n).out(0x71, value)

  with Seed("mc146818", "alarm-and-update") as s:
    reg(s, 11, 0x32)
    for n, v in ((1, 0), (3, 0xC0), (5, 0xC0)):
      reg(s, n, v)
    s.time(1_900_000_000).out(0x70, 12).inp(0x71)
    for n in range(15):
      s.out(0x70, n).inp(0x71)
  with Seed("mc146818", "periodic") as s:
    reg(s, 10, 0x26)
    reg(s, 11, 0x42).time(2_000_000).out(0x70, 12).inp(0x71)
    reg(s, 10, 0x21).time(1_000_000).state()
    reg(s, 10, 0x6F).time(500_000_000)
    reg(s, 10, 0x70)
    reg(s, 10, 0x20).time(700_000_000).out(0x70, 12).inp(0x71)
  with Seed("mc146818", "set") as s:
    reg(s, 11, 0x86)
    for n, v in ((0, 59), (2, 59), (4, 0x8B), (6, 7), (7, 28), (8, 2), (9, 99), (0x32, 20)):
      reg(s, n, v)
    reg(s, 11, 0x06).time(1_500_000_000)
    reg(s, 11, 0x80)
    for n, v in ((0, 0xFF), (4, 0xFF), (7, 0xFF), (8, 0xFF), (9, 0xFF)):
      reg(s, n, v)
    reg(s, 11, 0x02).time(1 << 20).out(0x72, 0x80).out(0x73, 1).inp(0x73).out(0x70, 0x8C).reset(0)


def pflash():
  at = 0xFFFF0000
  with Seed("pflash", "query") as s:
    s.poke(at, 0x98, size=1)
    for offset in range(0, 0x60, 8):
      s.peek(at + offset, 8)
    s.poke(at, 0x90, size=1).peek(at, 4).poke(at, 0xFF, size=1).peek(at, 8)
  with Seed("pflash", "program-erase") as s:
    s.poke(at + 0x10, 0x40, 0x12, 0x70, size=1).peek(at, 1).poke(at + 0x10, 0x10, 0x55, size=1)
    s.poke(at + 0x10, 0x20, 0xD0, size=1).peek(at, 1).poke(at, 0x50, 0xFF, size=1).peek(at + 0x10, 1)
    s.poke(at, 0x60, 0x01, 0x60, 0xD0, 0x20, 0x00, 0xFF, size=1).state()
  with Seed("pflash", "buffer") as s:
    s.poke(at + 0x100, 0xE8, 7, size=1)
    for n in range(8):
      s.poke(at + 0x100 + n, n, size=1)
    s.poke(at + 0x100, 0xD0, 0x70, size=1).peek(at, 1).poke(at, 0xE8, 0xFF, size=1).state()
    s.poke(at + 0xFFF0, 0, 0xD0, size=1).poke(at, 0xFF, size=1).peek(0xFFFF0).reset(1)


def ports():
  with Seed("port92", "a20-and-reset") as s:
    s.inp(0x92).out(0x92, 2, 0, 3, 2, 1, 0xFF).inp(0x92)
  with Seed("debug-exit", "exit") as s:
    s.inp(0xF4).out(0xF4, 0x31).out(0xF4, 0x12345678, size=4)
  with Seed("debug-port", "lines") as s:
    s.inp(0x402).op(0x40, bytes([0, 0, 40]), b"A line.\n" * 5).event(0, 63)
    s.op(0x40, bytes([0, 0, 63]), bytes(range(63))).feed(b"nobody listens")
  with Seed("bios-rom", "read-write") as s:
    s.peek(0xFFFFFFF0, 8).peek(0xFFFF0, 8).poke(0xFFFF0000, 1).poke(0xF0000, 2).peek(0xF0000).reset(1)


# Not devices --------------------------------------------------------------------------------------

def bzimage(version=0x20F, code=64):
  image = bytearray(0x400 + code)
  image[0x1F1] = 1
  struct.pack_into("<H", image, 0x1FE, 0xAA55)
  image[0x200:0x202] = b"\xEB\x66"
  image[0x202:0x206] = b"HdrS"
  struct.pack_into("<H", image, 0x206, version)
  image[0x211] = 1
  struct.pack_into("<I", image, 0x214, 0x100000)
  struct.pack_into("<I", image, 0x22C, 0x7FFFFFFF)
  struct.pack_into("<I", image, 0x238, 2047)
  struct.pack_into("<IB", image, 0x230, 0x200000, 1)
  struct.pack_into("<Q", image, 0x258, 0x1000000)
  struct.pack_into("<I", image, 0x260, 0x2000000)
  struct.pack_into("<I", image, 0x1F4, code // 16)
  return image


def elf(bits):
  """One loadable segment and the PVH entry note, type 18 of "Xen"."""
  wide = bits == 64
  note = struct.pack("<III4s", 4, 8 if wide else 4, 18, b"Xen\0") + struct.pack("<Q" if wide else "<I", 0x100000)
  header = 64 if wide else 52
  entry = 56 if wide else 32
  at = header + 2 * entry
  ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
  if wide:
    out = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x100000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", 1, 5, at, 0x100000, 0x100000, 64, 128, 16)
    out += struct.pack("<IIQQQQQQ", 4, 4, at, 0, 0, len(note), len(note), 4)
  else:
    out = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x100000, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    out += struct.pack("<IIIIIIII", 1, at, 0x100000, 0x100000, 64, 128, 5, 16)
    out += struct.pack("<IIIIIIII", 4, at, 0, 0, len(note), len(note), 4, 4)
  return out + note.ljust(64, b"\0")


def files():
  for version in (0x200, 0x202, 0x204, 0x20A, 0x20F):
    save(os.path.join(ROOT, "kernel", f"bzimage-{version:x}"), bzimage(version))
  for bits in (32, 64):
    save(os.path.join(ROOT, "kernel", f"elf{bits}"), elf(bits))
  for n, chord in enumerate(("ctrl+alt+delete", "a", "shift+f12", "ctrl+alt+ü", "+", "ctrl++", "super_l+print")):
    save(os.path.join(ROOT, "chord", str(n)), chord.encode())
  edit = lambda at, what, n, data=b"": struct.pack("<HB", at, what << 6 | n) + data
  for name, edits in (
    ("untouched", b""), ("cut", edit(100, 2, 63)), ("longer", edit(40, 1, 8, bytes(8))),
    ("fewer-sections", edit(12, 0, 1, b"\1")), ("name", edit(40, 0, 1, b"x")),
    ("twice", edit(16, 3, 6, struct.pack("<H", 16)) + edit(12, 0, 1, b"\5")),
    ("length", edit(24, 0, 8, b"\xff" * 8)), ("version", edit(20, 0, 1, b"\2")),
  ):
    for mended in (1, 3):
      save(os.path.join(ROOT, "snapshot", f"{name}-{mended}"), bytes([mended]) + edits)
  save(os.path.join(ROOT, "snapshot", "raw"), b"\0VITRINE\x1a" + struct.pack("<II", 1, 1) + bytes(24))
  for at in range(0, 400, 40):
    save(os.path.join(ROOT, "snapshot", f"vcpu-{at}"), b"\xff" + edit(at, 0, 40, b"\1" * 40))


if __name__ == "__main__":
  for make in (ahci, vga, bochs_display, q35_host, pcie_root_port, ich9_lpc, ich9_smbus, i8042, fw_cfg, hpet, interrupts,
               serial_16550, mc146818, pflash, ports, files):
    make()
