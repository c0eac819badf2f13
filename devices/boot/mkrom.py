#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the boot ROM: mkrom.py CC... OBJCOPY FOLDER OUT.bin OUT.c SYMBOL

Compiles and links the ROM for the guest, whatever the host's flags are, fills in its size and its
checksums, and writes it as an image and as a C array.
"""
import os, subprocess, sys, tempfile

*cc, objcopy, folder, out_bin, out_c, symbol = sys.argv[1:]
FLAGS = """-m32 -march=i486 -mgeneral-regs-only -Os -std=gnu11 -ffreestanding -fno-pic -fno-pie
  -no-pie -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing
  -nostdlib -static -Wall -Wextra -Werror -Wl,--build-id=none
  -Wno-array-bounds -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments""".split()

# Real mode pushes four bytes at a time; the two compilers say so in different words.
about = subprocess.run([*cc, "--version"], capture_output=True, text=True, check=True).stdout
FLAGS += (["-mstack-alignment=4", "-Wno-unused-command-line-argument"] if "clang" in about
          else ["-mpreferred-stack-boundary=2"])

with tempfile.TemporaryDirectory() as tmp:
  elf, flat = os.path.join(tmp, "rom.elf"), os.path.join(tmp, "rom.bin")
  subprocess.run([*cc, *FLAGS, "-T", os.path.join(folder, "rom.ld"), "-o", elf,
                  os.path.join(folder, "rom.S"), os.path.join(folder, "rom.c")], check=True)
  subprocess.run([objcopy, "-O", "binary", elf, flat], check=True)
  rom = bytearray(open(flat, "rb").read())

# One byte stays free for the checksum; a ROM's size counts in 512 bytes.
size = (len(rom) + 1 + 511) // 512 * 512
rom += bytes(size - len(rom))
rom[2] = size // 512
pnp = rom[0x1A] | rom[0x1B] << 8
assert rom[pnp:pnp + 4] == b"$PnP"
rom[pnp + 9] = -sum(rom[pnp:pnp + 32]) & 0xFF
rom[-1] = -sum(rom) & 0xFF

open(out_bin, "wb").write(rom)
with open(out_c, "w", encoding="ascii") as f:
  f.write("#include <stddef.h>\n#include <stdint.h>\n\n")
  f.write(f"extern const uint8_t {symbol}[];\nextern const size_t {symbol}_size;\n")
  f.write(f"const uint8_t {symbol}[] = {{\n")
  for at in range(0, len(rom), 16):
    f.write("  " + "".join(f"{b}, " for b in rom[at:at + 16]).rstrip() + "\n")
  f.write(f"}};\nconst size_t {symbol}_size = sizeof {symbol};\n")
