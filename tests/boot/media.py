# SPDX-License-Identifier: GPL-3.0-or-later
"""Media that the tests boot, made here from Debian's packages."""
import os, subprocess


def rescue_iso(folder, config):
  """An ISO made by grub-mkrescue with this grub.cfg."""
  os.makedirs(folder + "/tree/boot/grub")
  with open(folder + "/tree/boot/grub/grub.cfg", "w", encoding="ascii") as f:
    f.write(config)
  iso = folder + "/rescue.iso"
  subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", iso, folder + "/tree"],
                 check=True, capture_output=True)
  return iso
