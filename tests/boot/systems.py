#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating systems and programs as they are shipped, by the CPU engine that needs no KVM."""
import os, re, subprocess, sys

sys.path.insert(0, os.path.dirname(__file__))
from PIL import Image
from installer import Settled, selection
from machine import ENGINE, Machine, expect, main

GUESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guests")
MAKE = os.path.join(GUESTS, "make")
sys.path.insert(0, GUESTS)
import packages


def guest(name):
  return subprocess.run(["/usr/bin/python3", MAKE, name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


# Kernels --------------------------------------------------------------------------------------------

def kernel(name, release, cpus):
  folder = guest(name)
  with Machine("--kernel", folder + "/vmlinuz", "--initrd", folder + "/initrd", "--append",
               "console=ttyS0 panic=-1 script=uname,-r;nproc", "--memory", "512", "--cpus", str(cpus)) as m:
    m.start()
    m.wait_serial("SCRIPT 0 ", 300)
    expect(m.wait_exit(60) == 0, "it powers off")
    expect(re.search(rf"^{release}\S*\n{cpus}$", m.serial().replace("\r", ""), re.M), f"{release} on {cpus} processors")


def debian_11_kernel():
  kernel("linux-5.10", r"5\.10\.", 1)


def debian_11_kernel_smp():
  kernel("linux-5.10", r"5\.10\.", 2)


def debian_13_kernel():
  kernel("linux-6.12", r"6\.12\.", 1)


def debian_13_kernel_smp():
  kernel("linux-6.12", r"6\.12\.", 2)


# Debian 12 from a disk ------------------------------------------------------------------------------

def installed(cpus):
  """SeaBIOS, GRUB, and systemd to the login prompt; a shell there; the disk keeps what is written."""
  source = guest("disk") + "/disk.raw"
  with Machine("--memory", "1024", "--cpus", str(cpus)) as m:
    disk = os.path.join(m.folder(), "disk.raw")
    subprocess.run(["cp", "--sparse=always", source, disk], check=True)
    m.configure(disks=[{"path": "disk.raw"}])

    def log_in():
      m.start(interactive=True)
      m.wait_serial("vitrine login: $", 900)
      m.send("root\n")
      m.wait_serial(r"root@vitrine:~# ", 120)

    log_in()
    m.send("echo $((6 * 7)) $(nproc) $(systemctl is-system-running --wait)\n")
    m.wait_serial(rf"[\r\n]42 {cpus} running\r", 300)
    m.send("echo 'int main (void) { return 23; }' >a.c && gcc -o a a.c; ./a; echo compiled $?; poweroff\n")
    m.wait_serial("compiled 23", 120)
    expect(m.wait_exit(300) == 0, "it powers off")
    log_in()
    m.send("./a; echo kept $?\n")
    m.wait_serial("kept 23", 120)


def debian_12():
  installed(1)


def debian_12_smp():
  installed(2)


# Debian's installer ---------------------------------------------------------------------------------

def shown(m):
  """The selected line; None: there is none, or no picture yet."""
  path = os.path.join(m.home, "shot.png")
  if m.vitrine("screenshot", m.name, path, check=False).returncode != 0:
    return None
  with Image.open(path) as picture:
    return selection(picture.convert("RGB"))


def installer_on(arch):
  """To the list of languages; the next line by the keyboard; on to the countries by the mouse."""
  with Machine("--iso", guest(arch) + "/cd.iso", "--memory", "1024") as m:
    m.start()
    english = m.until(Settled(lambda: shown(m)), 900, "the list of languages", True)
    m.key("Down")
    m.until(lambda: (shown(m) or english)[1] > english[1] + 10, 60, "the line below", True)
    m.key("Up")
    m.until(lambda: shown(m) == english, 60, "the line again", True)
    # X moves its pointer twice as far as a mouse that is fast. The button is "Continue".
    m.click(1218 // 2, 774 // 2)
    m.until(lambda: shown(m) not in (None, english), 120, "the list of countries", True)


def installer():
  installer_on("installer")


def installer_i386():
  installer_on("installer-i386")


# UEFI -----------------------------------------------------------------------------------------------

def ovmf():
  """EDK II as Debian ships it, its variables in the flash below it: to its shell, and a command there."""
  folder = guest("ovmf")
  with Machine("--memory", "512", "--firmware", folder + "/code.fd") as m:
    subprocess.run(["cp", folder + "/vars.fd", m.folder()], check=True)
    m.configure(nvram="vars.fd")
    m.start(interactive=True)
    # By a KVM that emulates: its first stage unpacks the others without paging, which takes that KVM ten minutes.
    m.wait_serial("Shell> ", 600 if ENGINE == "translate" else 3600)
    m.send("ver\r")
    m.wait_serial(r"UEFI Interactive Shell v2[\s\S]*UEFI Interactive Shell v2", 60)
    with open(folder + "/vars.fd", "rb") as before, open(m.folder() + "/vars.fd", "rb") as after:
      expect(before.read() != after.read(), "variables have been written")


OWNER = "4d53eadf-7c44-4c9a-8f4f-52c1e05d3ab1"


def ovmf_smm(cpus=1):
  """EDK II that keeps its variables to system management mode: to its shell; a variable is set, and there at the next
  start. From the shell, the flash can't be written."""
  code, variables = packages.files("ovmf", r"usr/share/OVMF/OVMF_CODE_4M\.secboot\.fd",
                                   r"usr/share/OVMF/OVMF_VARS_4M\.fd")
  base = (4 << 30) - len(code) - len(variables)
  with Machine("--memory", "512", "--cpus", str(cpus)) as m:
    packages.write(m.folder(), code_fd=code, vars_fd=variables)
    m.configure(firmware="code.fd", nvram="vars.fd", smm="on")
    for start in ("set", "look"):
      m.start(interactive=True)
      m.wait_serial("Shell> ", 600)
      if start == "set":
        m.send(f"setvar kept -guid {OWNER} -nv -bs =L\"by SMM\"\r")
        for byte in ("40", "5a"):
          m.send(f"mm {base + 0x12:x} {byte} -w 1 -MEM -n\r")
      m.send(f"dmpstore kept -guid {OWNER}\r")
      m.wait_serial("62 00 79 00 20 00 53 00-4D 00 4D 00", 60)
      m.vitrine("stop", m.name, "--force")
      m.wait_exit(30)
    with open(m.folder() + "/vars.fd", "rb") as after:
      flash = after.read()
    expect(flash != variables, "variables have been written")
    expect(flash[:32] == variables[:32], "the flash was not written from outside of the mode")


def ovmf_smm_smp():
  ovmf_smm(2)


# Others ---------------------------------------------------------------------------------------------

def memtest(cpus=1):
  """memtest86+ through all of its tests once."""
  with Machine("--iso", guest("memtest") + "/cd.iso", "--memory", "64", "--cpus", str(cpus)) as m:
    m.start()
    m.wait_text(r"Memtest86\+ v6[\s\S]*Status: Testing", 120)
    m.wait_text(r"Pass: *1 +Errors: 0", 1800)


def memtest_starts():
  """memtest86+ to its second test: by a KVM that emulates it takes half a minute, and a pass much of an hour."""
  with Machine("--iso", guest("memtest") + "/cd.iso", "--memory", "64") as m:
    m.start()
    m.wait_text(r"Memtest86\+ v6[\s\S]*Test #[1-9][\s\S]*Status: Testing[\s\S]*Errors: 0", 300)


def mach():
  """GNU Mach finds its devices and the clock, and misses the servers that are not on the CD."""
  with Machine("--iso", guest("mach") + "/cd.iso", "--memory", "256") as m:
    m.start()
    m.wait_serial(r"RTC time is 20[\s\S]*Loading single multiboot module", 300)


def xen():
  """Xen with Linux in its first domain, which runs its first program and powers off."""
  with Machine("--iso", guest("xen") + "/cd.iso", "--memory", "1024") as m:
    m.start()
    m.wait_serial("Run /init as init process", 600)
    m.wait_serial("Hardware Dom0 halted", 300)


main(debian_11_kernel, debian_11_kernel_smp, debian_13_kernel, debian_13_kernel_smp, debian_12, debian_12_smp,
     installer, installer_i386, ovmf, ovmf_smm, ovmf_smm_smp, memtest, memtest_starts, mach, xen)
