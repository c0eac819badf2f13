#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test guest: every device driven from inside, on one and on several processors, and every way
in which a guest ends."""
import os, re, struct, sys, tempfile

from PIL import Image

sys.path.insert(0, os.path.dirname(__file__))
from machine import BUILD, Machine, expect, main

ELF = os.path.join(BUILD, "tests/guest/guest.elf")
BZIMAGE = os.path.join(BUILD, "tests/guest/guest.bzimage")
DEVICES = ("serial serials rtc i8042 pit hpet pmtimer lapic pci rootports fwcfg acpi smbus modes "
           "ahci ahciwrite ncq trim msi intx cdrom").split()
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
  with tempfile.TemporaryDirectory() as t:
    image = disk(t)
    with Machine("--kernel", ELF, "--append", " ".join(DEVICES), "--iso", ISO, "--disk", image,
                 "--memory", "256") as m:
      m.configure(serials=[{"backend": "socket"} for _ in range(4)])
      m.start()
      code = m.wait_exit(240)
      passed(m, DEVICES)
      expect(code == 1, f"the exit status is 2 * failed + 1, and was {code}")
    with open(image, "rb") as f:
      data = f.read()
    expect(len(data) == 4096 * 512, "the image has kept its size")
    expect(data[51200:53248] == bytes((i * 7 + (i >> 8)) & 255 for i in range(2048)), "written sectors")
    expect(data[300 * 512:308 * 512] == bytes(8 * 512), "trimmed sectors")
    expect(data[308 * 512:309 * 512] == struct.pack("<I", 308) + bytes(508), "their neighbour")


def modes():
  """From 64-bit mode to real mode and its BIOS, and back; the text stays on the screen."""
  with Machine("--kernel", ELF, "--append", "modes hang") as m:
    m.start()
    m.wait_text("REAL MODE SAYS HELLO", 60)
    m.wait_serial("PASS modes", 60)


def media():
  """The guest ejects its CD, and gets another one from the host."""
  with Machine("--kernel", ELF, "--append", "media", "--iso", ISO) as m:
    m.start()
    m.wait_serial("EJECTED", 120)
    expect("ejected by the guest" in m.vitrine("medium", m.name), "the host is told of the ejection")
    m.vitrine("medium", m.name, "cd0", ISO)
    expect(f"cd0  {ISO}" in m.vitrine("medium", m.name), "the host has the new medium")
    expect(m.wait_exit(120) == 1, "no test failed")
    passed(m, ["media"])


def flash():
  """What the guest writes into the firmware's flash is in its image, and there at the next start."""
  with Machine("--kernel", ELF, "--append", "flash") as m:
    image = os.path.join(m.folder(), "vars.fd")
    before = bytearray(b"\xff" * 65536)
    before[0x3000] = 0x5a
    with open(image, "wb") as f:
      f.write(before)
    m.configure(nvram="vars.fd")
    for runs in (0xfe, 0xfc):
      m.start()
      expect(m.wait_exit(120) == 1, "no test failed")
      passed(m, ["flash"])
      before[0x1000:0x1008] = b"WRITTEN\0"
      before[0x1100:0x1104] = b"\xa0\xa1\xa2\xa3"
      before[0x2000] = runs
      with open(image, "rb") as f:
        expect(f.read() == before, "the image has what the guest wrote, and nothing else has changed")
    for size, message in ((100, "multiple of 4 KiB"), (16 << 20, "the 16 MiB below 4 GiB"), (None, "no image")):
      os.remove(image)
      if size is not None:
        with open(image, "wb") as f:
          f.truncate(size)
      r = m.vitrine("run", m.name, "--headless", check=False)
      expect(r.returncode != 0 and message in r.stderr, f"{message}, not {r.stderr}")
      if size is None:
        expect(not os.path.exists(image), "nothing is made in its place")


def debug_port():
  with Machine("--kernel", ELF, "--append", "debugport") as m:
    m.env["VITRINE_TRACE"] = "debug-port"
    m.start()
    expect(m.wait_exit(120) == 1, "no test failed")
    passed(m, ["debugport"])
    expect("GUEST SPEAKS" in m.messages(), "the port's text is in the log")


def look(m, name, check):
  """What the guest has drawn, pixel by pixel, by one screenshot; then the key that it waits for."""
  m.wait_serial(f"LOOK {name}\r?\n", 120)
  def right():
    with Image.open(m.screenshot()) as picture:
      return check(picture.convert("RGB"))
  m.until(right, 20, f"the picture of {name}", True)
  m.key("space")


def six(v):
  """A DAC component: six bits, widened to eight as the hardware's are."""
  return v << 2 | v >> 4


def is_picture(picture, size, color, step=1):
  if picture.size != size:
    return False
  pixels = picture.load()
  return all(pixels[x, y] == color(x, y)
             for y in range(0, size[1], step) for x in range(0, size[0], step))


def debug_exit():
  """Only where the configuration says so can a program in the guest end the machine by a port."""
  for there, code in ((True, 2 * 3 + 1), (False, 0)):
    with Machine("--kernel", ELF, "--append", "exit poweroff") as m:
      m.configure(debug_exit=there)
      m.start()
      expect(m.wait_exit(60) == code, f"debug-exit {there}: the exit status was {m.process.returncode}")


def display():
  """Text, linear, planar and chained modes; then the display that has nothing but a frame buffer."""
  with Machine("--kernel", ELF, "--append", "vga") as m:
    m.start()
    m.wait_serial("LOOK text", 240)
    m.wait_text("^\n*     VITRINE", 20)
    m.key("space")
    look(m, "vbe", lambda p: is_picture(p, (640, 480), lambda x, y:
                                        (y & 255, 0, x & 255) if x % 16 == 0 else (0, 0, 0)))
    look(m, "planar", lambda p: is_picture(p, (640, 480), lambda x, y:
                                           (six(4 * (x // 40)), six(63 - 4 * (x // 40)), six(32))))
    def chained(x, y):
      v = (x // 2 + y // 2) & 255
      return six(v >> 2), six(v & 63), six(63 - (v >> 2))
    look(m, "chained", lambda p: is_picture(p, (640, 400), chained))
    expect(m.wait_exit(120) == 1, "no test failed")
    passed(m, ["vga"])
  with Machine("--kernel", ELF, "--append", "bochs", "--display", "bochs-display") as m:
    m.start()
    def five_six_five(x, y):
      v = x >> 5
      red, green, blue = y >> 5, 0, v
      return (red << 3 | red >> 2, green, blue << 3 | blue >> 2) if x % 32 == 0 else (0, 0, 0)
    look(m, "bochs", lambda p: is_picture(p, (800, 600), five_six_five))
    expect(m.wait_exit(120) == 1, "no test failed")
    passed(m, ["bochs"])


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


def kernel_only():
  """With a kernel given, SeaBIOS boots that and nothing else, so that a CD doesn't hide why it could
  not start; and it reads the board's tables to their end."""
  with Machine("--kernel", ELF, "--append", "poweroff", "--iso", ISO) as m:
    m.env["VITRINE_TRACE"] = "debug-port"
    m.start()
    m.wait_exit(120)
    log = m.messages()
    order = re.search(r"boot order:\n((?:.*\d+: .*\n)+)", log)
    expect(order is not None, "SeaBIOS tells its boot order")
    order = re.findall(r"\d+: (.*)", order[1])
    expect(len(order) == 2 and order[0].startswith("/rom@genroms/") and order[1] == "HALT",
           f"the kernel, and then nothing: {order}")
    expect("ACPI: parse DSDT" in log and "parse error" not in log, "SeaBIOS understands the DSDT")


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


# What the architecture does beyond arithmetic (tests/guest/system): what a KVM that emulates does of it, and what it
# does not (docs/cpu.md has why).
SYSTEM_KVM = ("unitexceptions", "segments", "debugregisters", "watchedcode", "singlesteps", "unitswitches", "unitwaits",
              "reservedbits", "levels", "contexts", "apictimer")
SYSTEM = SYSTEM_KVM + ("exceptions", "paging", "syscalls", "registers", "steps", "breakpoints", "arrival", "nmi", "gates",
                       "doublefaults", "outwards", "watcheddata", "debugshadows", "fastcallsteps", "implicit",
                       "canonical", "apicregisters", "apiccommands", "undefined", "privileged", "msrvalues")


def system_of(words, translate=None, **settings):
  with Machine("--kernel", ELF, "--append", " ".join(words)) as m:
    m.configure(**settings)
    if translate:
      m.env["VITRINE_TRANSLATE"] = translate
    m.start()
    expect(m.wait_exit(120) == 1, "no test failed")
    passed(m, words)


def system():
  system_of(SYSTEM)


def system_strict():
  system_of(SYSTEM, "strict")


def system_interpreted():
  system_of(SYSTEM, "never")


def smm():
  """System management mode, translated, strict and interpreted; and where there can be none, that is said."""
  for translate in (None, "strict", "never"):
    system_of(("smm",), translate, smm="on")
  with Machine("--kernel", ELF, run=["--cpu-engine", "kvm"]) as m:
    m.configure(smm="on", cpu_engine="kvm")
    r = m.vitrine("run", m.name, "--headless", "--cpu-engine", "kvm", check=False)
    expect(r.returncode != 0 and "System management mode is not offered" in r.stderr, r.stderr)


def system_kvm():
  system_of(SYSTEM_KVM)


def units():
  """What KVM's emulator does not know: x87, SSE, cmpxchg16b, iret between privileges."""
  with Machine("--kernel", ELF, "--append", "units", "--cpus", "2") as m:
    m.start()
    code = m.wait_exit(60)
    passed(m, ["units"])
    expect(code == 1, f"the exit status is 2 * failed + 1, and was {code}")


def breakpoint():
  """int3 comes to the guest's own handler, whoever delivers it."""
  with Machine("--kernel", ELF, "--append", "breakpoint") as m:
    m.start()
    code = m.wait_exit(60)
    expect("EXCEPTION 03" in m.serial(), "the guest's handler has run")
    expect(code == 2 * 98 + 1, f"the guest's handler ends with 98, not {code}")


def not_emulated():
  """MASKMOVDQU into the local APIC, or an x87 exception without CR0.NE where that is not KVM's: neither KVM nor the interpreter can
  execute it, and the report says what it was."""
  with Machine("--kernel", ELF, "--append", "not-emulated", run=["--keep"]) as m:
    m.start()
    m.wait_state("crashed", 60)
    status = m.status()
    expect(re.search("maskmovdqu|fwait", status["status"]), f"the report names the instruction: {status}")
    expect("rip" in status["detail"].lower(), "the report has the registers")
    m.vitrine("reset", m.name)
    m.until(lambda: m.serial().count("GUEST") >= 2, 60, "a start after the reset")


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


main(devices, modes, media, flash, debug_port, debug_exit, display, smp, bzimage_initrd, kernel_only,
     power_off, resets, triple_fault, system, system_strict, system_interpreted, smm, system_kvm, units, breakpoint, not_emulated, pause_resume)
