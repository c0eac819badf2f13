#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""mkbzimage.py SETUP.S GUEST.ELF OUT: a bzImage of the two."""
import os, struct, subprocess, sys, tempfile

setup_source, elf, out = sys.argv[1:4]
with tempfile.TemporaryDirectory() as t:
  o, binary, kernel = (os.path.join(t, n) for n in ("setup.o", "setup.bin", "kernel.bin"))
  subprocess.run(["gcc", "-c", "-o", o, setup_source], check=True)
  subprocess.run(["ld", "-m", "elf_x86_64", "-Ttext=0", "--oformat=binary", "-o", binary, o], check=True)
  subprocess.run(["objcopy", "-O", "binary", elf, kernel], check=True)
  setup, payload = bytearray(open(binary, "rb").read()), open(kernel, "rb").read()
payload += bytes(-len(payload) % 16)
assert len(setup) == 0x400 and setup[0x202:0x206] == b"HdrS"
struct.pack_into("<I", setup, 0x1f4, len(payload) // 16)
open(out, "wb").write(setup + payload)
