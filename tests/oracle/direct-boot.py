#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our boot ROM under stock QEMU and stock SeaBIOS: direct-boot.py BOOT_FILES

What vt_boot_add() gives to the firmware is given by QEMU's own fw_cfg; the ROM has to start a bzImage
and a PVH kernel of ours with command line and initial RAM disk, and to say why it can't start others.
"""
import os, shutil, subprocess, sys, tempfile, threading

TOOL = sys.argv[1]
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "boot-kernel.S")
INITRD = bytes((i * 31 + 65) % 26 + 65 for i in range(70001))
checks = []


def compile_kernel(folder, pvh):
  elf, out = os.path.join(folder, "k.elf"), os.path.join(folder, "vmlinuz")
  script = os.path.join(folder, "k.ld")
  with open(script, "w", encoding="ascii") as f:
    if pvh:
      f.write("ENTRY (entry) PHDRS { text PT_LOAD; note PT_NOTE; } SECTIONS { . = 0x200000;"
              " .text : { *(.text) } :text .note : { *(.note) } :text :note"
              " .bss : { *(.bss) } :text /DISCARD/ : { *(.note.*) } }")
    else:
      f.write("SECTIONS { .setup 0 : { *(.setup) } .text 0x100000 : AT (0x400) { *(.text) }"
              " /DISCARD/ : { *(.note*) } }")
  subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", *(["-DPVH"] if pvh else []),
                  "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments",
                  "-T", script, "-o", elf, SOURCE], check=True)
  if pvh:
    os.rename(elf, out)
  else:
    subprocess.run(["objcopy", "-O", "binary", elf, out], check=True)
  return out


def boot(folder, kernel, initrd, append, given=64, real=64, until=b"|tail\n"):
  """Runs QEMU until @until comes out of the debug port and gives back all that came out. The host is
  told of @given MiB of memory and the guest has @real."""
  ram = os.path.join(folder, "initrd.in")
  open(ram, "wb").write(initrd)
  subprocess.run([TOOL, folder, kernel, ram if initrd else "", append, str(given)], check=True)
  args = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", str(real), "-nodefaults",
          "-display", "none", "-no-reboot", "-debugcon", "stdio", "-global",
          "isa-debugcon.iobase=0x402", "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
          "-option-rom", os.path.join(folder, "vitrine-boot.bin") + ",bootindex=0"]
  for name in ("plan", "setup", "kernel", "initrd", "cmdline"):
    path = os.path.join(folder, name)
    if os.path.getsize(path) > 0:
      args += ["-fw_cfg", f"name=vitrine/boot/{name},file={path}"]
  seen = b""
  with subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL) as qemu:
    guard = threading.Timer(60, qemu.kill)
    guard.start()
    while until not in seen:
      piece = os.read(qemu.stdout.fileno(), 65536)
      if not piece:
        break
      seen += piece
    guard.cancel()
    qemu.kill()
  return seen


def check(name, ok, seen):
  checks.append(ok)
  print(f"{'ok' if ok else 'not ok'} {len(checks)} {name}", flush=True)
  if not ok:
    print("# " + repr(seen[-1500:]))


if not shutil.which("qemu-system-x86_64"):
  print("1..0 # SKIP no qemu-system-x86_64")
  sys.exit(0)
with tempfile.TemporaryDirectory() as top:
  print("1..6")
  for pvh in (False, True):
    kind = "pvh" if pvh else "bzimage"
    folder = tempfile.mkdtemp(dir=top)
    kernel = compile_kernel(folder, pvh)
    for initrd in (INITRD, b""):
      seen = boot(folder, kernel, initrd, "console=test a=b")
      check(f"{kind}{' with initrd' if initrd else ''}",
            b"hello|console=test a=b|" + initrd + b"|tail\n" in seen, seen)
    # The host believes in more memory than there is: the ROM says so and goes back to the BIOS.
    seen = boot(folder, kernel, bytes(20 << 20), "", given=64, real=16,
                until=b"No bootable device")
    check(f"{kind} in too little memory",
          b"Vitrine direct boot: the initial RAM disk does not fit" in seen
          and b"No bootable device" in seen and b"hello" not in seen, seen)
sys.exit(0 if all(checks) else 1)
