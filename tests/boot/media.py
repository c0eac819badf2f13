# SPDX-License-Identifier: GPL-3.0-or-later
"""Media that the tests boot, made here from Debian's packages."""
import os, subprocess


def rescue_iso(folder):
  """An ISO made by grub-mkrescue, whose GRUB shows its prompt in text mode."""
  os.makedirs(folder + "/tree/boot/grub")
  with open(folder + "/tree/boot/grub/grub.cfg", "w", encoding="ascii") as f:
    f.write("terminal_output console\nterminal_input console\n")
  iso = folder + "/grub-rescue.iso"
  subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", iso, folder + "/tree"],
                 check=True, capture_output=True)
  return iso
