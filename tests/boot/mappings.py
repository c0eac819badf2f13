#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine's process has mapped: the libraries that it needs and no others."""
import os, re, sys

sys.path.insert(0, os.path.dirname(__file__))
from machine import BUILD, Machine, expect, main

ELF = os.path.join(BUILD, "tests/guest/guest.elf")


def mappings(m):
  """(rights, name) of each."""
  with open(f"/proc/{m.process.pid}/maps", encoding="utf-8") as f:
    found = [line.rstrip("\n").split(maxsplit=5) for line in f]
  return [(words[1], words[5] if len(words) > 5 else "") for words in found]


def modules():
  """What isn't asked for isn't loaded: of 80 libraries each takes memory and time from every start."""
  windows, spice, tls, sasl = "libgtk-3|vitrine-app", "libspice-server", "libgnutls|vitrine-tls", "/sasl2/"
  for remote, there, absent in ({"enabled": False}, [], [windows, spice, tls, sasl]), \
                               ({"enabled": True, "tls": False}, [spice], [windows, tls, sasl]), \
                               ({"enabled": True, "tls": True}, [spice, tls], [windows, sasl]):
    with Machine("--kernel", ELF, "--append", "hang", "--memory", "64") as m:
      m.configure(remote=dict(remote, port=0))
      m.start()
      m.wait_state("running", 30)
      names = {name for _, name in mappings(m)}
      for pattern in there:
        expect(any(re.search(pattern, n) for n in names), f"{remote}: {pattern} is not loaded")
      for pattern in absent:
        found = [n for n in names if re.search(pattern, n)]
        expect(not found, f"{remote}: loaded without need: {found}")


main(modules)
