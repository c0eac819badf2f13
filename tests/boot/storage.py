#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SATA controller under drivers that are not ours: SeaBIOS boots a disk, GRUB drives disk and CD."""
import os, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(__file__))
from machine import Machine, main

# A boot sector: reads sector 1 to 0:8000h by the BIOS and prints it.
DAP = 0x7C00 + 0x20
CODE = bytes([
  0x31, 0xC0, 0x8E, 0xD8,                    # xor ax, ax; mov ds, ax
  0xBE, DAP & 0xFF, DAP >> 8,                # mov si, DAP
  0xB4, 0x42, 0xCD, 0x13,                    # mov ah, 42h; int 13h
  0xBE, 0x00, 0x80, 0xBB, 0x07, 0x00,        # mov si, 8000h; mov bx, 7
  0xAC, 0x84, 0xC0, 0x74, 0x06,              # 1: lodsb; test al, al; jz 2f
  0xB4, 0x0E, 0xCD, 0x10, 0xEB, 0xF5,        # mov ah, 0eh; int 10h; jmp 1b
  0xF4, 0xEB, 0xFD,                          # 2: hlt; jmp 2b
])
PACKET = bytes([16, 0, 1, 0, 0x00, 0x80, 0, 0]) + (1).to_bytes(8, "little")


def disk_boot():
  with tempfile.TemporaryDirectory() as t:
    disk = t + "/disk.img"
    with open(disk, "wb") as f:
      f.write((CODE.ljust(0x20, b"\0") + PACKET).ljust(510, b"\0") + b"\x55\xaa")
      f.write(b"read from sector one\r\n".ljust(512, b"\0"))
      f.truncate(1 << 20)
    with Machine("--disk", disk) as m:
      m.start()
      m.wait_text("read from sector one", 120)


# Everything else is loaded first: the driver takes the CD away from the BIOS that GRUB came by.
GRUB = """terminal_output console
set pager=0
insmod iso9660
insmod ls
insmod cat
insmod read
insmod echo
insmod ahci
ls
cat (ahci0)/hello.txt
ls (ahci1)/boot/grub/
echo all done
read wait
"""


def grub_ahci():
  """GRUB's own AHCI driver reads the disk by DMA and the CD by packets."""
  with tempfile.TemporaryDirectory() as t:
    os.makedirs(t + "/tree/boot/grub")
    os.makedirs(t + "/disk")
    with open(t + "/tree/boot/grub/grub.cfg", "w", encoding="ascii") as f:
      f.write(GRUB)
    with open(t + "/disk/hello.txt", "w", encoding="ascii") as f:
      f.write("hello from the disk\n")
    subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", t + "/cd.iso", t + "/tree"],
                   check=True, capture_output=True)
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", t + "/disk.img", t + "/disk"],
                   check=True, capture_output=True)
    with Machine("--iso", t + "/cd.iso", "--disk", t + "/disk.img", "--memory", "256") as m:
      m.start()
      m.wait_text(r"\(ahci0\)[\s\S]*hello from the disk[\s\S]*grub\.cfg[\s\S]*all done", 400)


main(disk_boot, grub_ahci)
