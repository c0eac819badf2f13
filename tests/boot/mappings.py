#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine's process has mapped: the libraries that it needs and no others, and nothing that can be
written and executed."""
import os, re, sys

sys.path[:0] = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from machine import BUILD, ENGINE, Machine, expect, main
from refuse import no_executable_memory

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


def rights():
  """No page of a running machine is writable and executable, not even while code is translated."""
  with Machine("--kernel", ELF, "--append", "units hang", "--memory", "64") as m:
    m.start()
    seen = set()

    def look():
      seen.update(mappings(m))
      return "PASS units" in m.serial()
    m.until(look, 120, "the guest's units", True)
    both = sorted((r, name) for r, name in seen if "w" in r and "x" in r)
    expect(not both, f"writable and executable: {both}")
    if ENGINE == "translate":
      code = {r for r, name in seen if "memfd:vitrine-code" in name}
      expect({"rw-s", "r-xs"} <= code, f"translated code is mapped once for each: {code}")


def confined():
  """Where executable memory is denied, a machine in software runs interpreted, and says so."""
  with Machine("--memory", "64") as m:
    m.start(preexec_fn=no_executable_memory())
    m.wait_text("No bootable device", 60)
    warning = "may not make memory executable: the guest's code is interpreted"
    expect(warning in m.messages(), "the log says so")
    status = m.status()
    expect(warning in status["status"], "so does the status, which windows show")
    expect("is interpreted" in status["cpu-detail"], f"not {status['cpu-detail']}")
    expect(not any("x" in r and ("memfd" in name or not name) for r, name in mappings(m)),
           "nothing but files is executable")


def confined_units():
  """There, too, what the test guest has of the units is executed."""
  with Machine("--kernel", ELF, "--append", "units", "--memory", "64", "--cpus", "2") as m:
    m.start(preexec_fn=no_executable_memory())
    code = m.wait_exit(60)
    expect("PASS units" in m.serial() and code == 1, f"the guest's units: {m.serial()}, exit status {code}")


main(modules, rights, confined, confined_units)
