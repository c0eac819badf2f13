#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test guest: every device driven from inside, on one and on several processors, and every way
in which a guest ends."""
import os, re, struct, sys

sys.path.insert(0, os.path.dirname(__file__))
from machine import BUILD, Machine, expect, main

ELF = os.path.join(BUILD, "tests/guest/guest.elf")
BZIMAGE = os.path.join(BUILD, "tests/guest/guest.bzimage")
DEVICES = "serial rtc i8042 pit hpet pmtimer lapic pci fwcfg acpi smbus vga ahci msi cdrom".split()
ISO = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"


def disk(folder):
  path = os.path.join(folder, "numbered.img")
  with open(path, "wb") as f:
    f.write(b"".join(struct.pack("<I", i) + bytes(508) for i in range(4096)))
  return path


def passed(m, words):
  serial = m.serial()
  for word in words:
    expect(f"PASS {word}\n" in serial.replace("\r", ""), f"{word} did not pass")


def devices():
  import tempfile
  with tempfile.TemporaryDirectory() as t:
    with Machine("--kernel", ELF, "--append", " ".join(DEVICES), "--iso", ISO, "--disk", disk(t),
                 "--memory", "256") as m:
      m.start()
      code = m.wait_exit(240)
      passed(m, DEVICES)
      expect(code == 1, f"the exit status is 2 * failed + 1, and was {code}")


def smp():
  with Machine("--kernel", ELF, "--append", "smp", "--cpus", "4") as m:
    m.start()
    m.wait_exit(120)
    passed(m, ["smp"])


def bzimage_initrd():
  with Machine("--memory", "64") as probe:
    initrd = os.path.join(probe.home, "initrd")
    with open(initrd, "wb") as f:
      f.write(b"VITRINE INITRD" + b"x" * 99999 + b"!")
    for kernel in (BZIMAGE, ELF):
      with Machine("--kernel", kernel, "--initrd", initrd, "--append", "initrd fwcfg") as m:
        m.start()
        m.wait_exit(120)
        passed(m, ["initrd", "fwcfg"])


def power_off():
  with Machine("--kernel", ELF, "--append", "poweroff") as m:
    m.start()
    expect(m.wait_exit(60) == 0, "a guest that powers off ends the run with 0")


def resets():
  for how in ("reset-cf9", "reset-kbd", "reset-92"):
    with Machine("--kernel", ELF, "--append", how + " pci") as m:
      m.start()
      m.wait_exit(120)
      expect(m.serial().count("GUEST") == 2, f"{how}: the guest starts twice")
      passed(m, ["pci"])


def triple_fault():
  """On real hardware a triple fault resets; the second boot gets there again, so it is stopped."""
  with Machine("--kernel", ELF, "--append", "triple-fault") as m:
    m.start()
    m.until(lambda: m.serial().count("GUEST") >= 2, 120, "the second start", True)


def undefined():
  """int3: emulated KVM can't run it and says what it was; on real KVM the guest's own handler of the
  exception reports it and ends with 98."""
  with Machine("--kernel", ELF, "--append", "undefined", run=["--keep"]) as m:
    m.start()
    m.until(lambda: m.process.poll() is not None or m.state() == "crashed", 60, "an end")
    if m.process.poll() is None:
      status = m.status()
      expect("int3" in (status.get("status") or "") + (status.get("detail") or ""),
             f"the report names the instruction: {status}")
      expect("rip" in (status.get("detail") or "").lower(), "the report has the registers")
      m.vitrine("reset", m.name)
      m.until(lambda: m.serial().count("GUEST") >= 2, 60, "a start after the reset")
    else:
      expect("EXCEPTION 03" in m.serial(), "the guest's handler has run")


def pause_resume():
  with Machine("--kernel", ELF, "--append", "hang") as m:
    m.start()
    m.wait_serial("GUEST", 60)
    m.vitrine("pause", m.name)
    m.wait_state("paused", 20)
    m.screenshot()
    m.vitrine("resume", m.name)
    m.wait_state("running", 20)
    r = m.vitrine("resume", m.name, check=False)
    expect(r.returncode == 4 and r.stderr.count("\n") == 1, "a second resume is one clear error")
    m.vitrine("reset", m.name)
    m.until(lambda: m.serial().count("GUEST") == 2, 60, "the second start", True)
    m.vitrine("stop", m.name, "--force")
    m.wait_exit(20)


main(devices, smp, bzimage_initrd, power_off, resets, triple_fault, undefined, pause_resume)
