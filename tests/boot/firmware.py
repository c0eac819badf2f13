#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real media: SeaBIOS's boot menu, and a GRUB rescue CD with typed commands."""
import os, re, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(__file__))
from machine import Machine, expect, main
from media import rescue_iso


def boot_menu():
  with Machine("--iso", "/usr/lib/grub-rescue/grub-rescue-cdrom.iso") as m:
    m.configure(boot_menu=True)
    m.start()
    m.wait_text("SeaBIOS", 60)
    m.wait_text("Press ESC for boot menu", 60)
    m.key("Escape")
    m.wait_text(r"Select boot device:[\s\S]*DVD/CD", 60)


def grub_rescue():
  """An ISO made here with grub-mkrescue: its prompt, and commands typed at it."""
  with tempfile.TemporaryDirectory() as t:
    iso = rescue_iso(t)
    with Machine("--iso", iso, "--memory", "256") as m:
      m.start()
      m.wait_text("grub>", 240)
      m.type("echo vitrine says $grub_platform\n", delay=120)
      m.wait_text("vitrine says pc", 60)
      m.type("ls /boot/grub/\n", delay=120)
      m.wait_text(r"grub\.cfg", 90)
      shot = m.screenshot()
      r = subprocess.run(["identify", "-format", "%wx%h %k", shot], capture_output=True, text=True,
                         check=True)
      size, colours = r.stdout.split()
      expect(size in ("720x400", "640x480", "640x400") and int(colours) > 1, f"a picture, not {r.stdout}")


def ipxe():
  """ISOLINUX and iPXE, which moves its stack into a segment with a base and takes interrupts there: to
  its command line, and a command typed there."""
  with Machine("--iso", "/usr/lib/ipxe/ipxe.iso", "--memory", "256") as m:
    m.start()
    m.wait_text("ISOLINUX", 120)

    # The banner waits two seconds for Ctrl-B, and the BIOS keeps what is typed before.
    def prompt():
      text = m.text()
      if "iPXE>" not in text and re.search(r"iPXE \d", text):
        m.key("ctrl+b")
      return "iPXE>" in text
    m.until(prompt, 400, "iPXE's prompt", True)
    m.type("echo vitrine says ${platform}\n", delay=120)
    m.wait_text("vitrine says pcbios", 60)


main(boot_menu, grub_rescue, ipxe)
