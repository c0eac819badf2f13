#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on a user's computer: each is told once, with cause and remedy, in the window where
the user is, and nothing is lost."""
import errno, mmap, os, re, socket, subprocess, sys

sys.path[:0] = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from desktop import BUILD, Desktop, VITRINE, expect, main, until
from refuse import SYS_FSYNC, SYS_IOCTL, SYS_MMAP, refusing

GUEST = os.path.join(BUILD, "tests/guest/guest.elf")
ISO = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"

KVM_GET_API_VERSION = 0xae00 # <linux/kvm.h>


def library(d, *through, **options):
  process = d.spawn(*through, VITRINE, log="library", **options)
  d.wait_window("^Vitrine$")
  return process


def refused(d, name, *patterns):
  """Starting fails with a sentence in the bar that has all of @patterns, and the machine stays off."""
  d.press(f"Start “{name}”")
  bar = d.wait("Error", "info bar", 60)
  text = next(w.name for w in bar.walk() if w.role == "label" and w.name)
  for pattern in patterns:
    expect(re.search(pattern, text), f"the error has {pattern!r}: {text}")
  expect("\n" not in text, f"one sentence: {text}")
  d.press("Dismiss")
  d.wait_gone("Error", "info bar")
  d.wait("Off", "label", within=d.find(name, "list item"))
  expect(d.find_window(f"^{name}$") is None, "no window is left")


def media():
  """Discs and disks that are missing, unreadable, of a wrong kind, or another's."""
  with Desktop() as d:
    gone, folder, packed, foreign = (d.path(n) for n in ("gone.iso", "folder.iso", "packed.iso", "foreign.img"))
    for path in (gone, packed, foreign):
      with open(path, "wb") as f:
        f.write(b"\0" * 65536)
    os.mkdir(folder)
    d.vitrine("create", "gone", "--iso", gone)
    os.unlink(gone)
    d.vitrine("create", "packed", "--iso", packed)
    with open(packed, "wb") as f:
      f.write(b"PK\x03\x04" + b"\0" * 65536)
    d.vitrine("create", "folder")
    d.configure("folder", cdroms=[{"path": folder}])
    d.vitrine("create", "foreign", "--disk", foreign)
    with open(foreign, "wb") as f:
      f.write(b"QFI\xfb" + b"\0" * 65536)
    d.vitrine("create", "shared", "--disk", "1M")
    d.vitrine("create", "other", "--disk", d.path("machines/shared.vitrine/disk0.img"))
    library(d)
    refused(d, "gone", re.escape(gone), "check the path")
    refused(d, "packed", "ZIP", "unpack")
    refused(d, "folder", "is a folder", "choose a file")
    refused(d, "foreign", "QCOW", "qemu-img convert")
    with open(foreign, "rb") as f:
      expect(f.read(4) == b"QFI\xfb", "the image is untouched")
    d.vitrine("start", "shared", "--headless")
    refused(d, "other", "disk0.img", "stop|close|use")
    expect(d.state("shared") == "running", "the one that has the disk runs on")


def unreadable():
  """A disc that may not be read, in the dialog and at the start."""
  with Desktop() as d:
    path = d.path("secret.iso")
    with open(ISO, "rb") as f, open(path, "wb") as to:
      to.write(f.read(65536))
    d.vitrine("create", "secret", "--iso", path)
    os.chmod(path, 0)
    # Root's privileges over files are not the user's.
    through = ["setpriv", "--bounding-set=-dac_override,-dac_read_search",
               "--inh-caps=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    library(d, *through)
    refused(d, "secret", re.escape(path), "may not be read", "permissions")
    d.press("New Machine")
    d.wait("New Machine", "dialog")
    d.key("alt+d", "space")
    d.enter_file("Choose a Disc Image", path)
    d.wait(re.compile("secret.iso” may not be read: check its permissions"), "label")
    d.press("Create")
    d.wait(re.compile("secret.iso” may not be read"), "label")
    d.key("Escape")
    expect(os.listdir(d.path("machines")) == ["secret.vitrine"], "nothing was made")


def insert():
  """A disc that can't be used is told in the machine's window, and the guest runs on."""
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64", "--kernel", GUEST, "--append", "watch")
    d.spawn(VITRINE, "run", "guest", log="guest")
    d.wait_window("^guest$")
    packed = d.path("packed.iso")
    with open(packed, "wb") as f:
      f.write(b"PK\x03\x04" + b"\0" * 65536)
    d.choose("View and devices", "Insert Disc…")
    d.enter_file("Insert Disc", packed)
    d.wait(re.compile("packed.iso” is a ZIP file, not an image: unpack it first"), "label")
    expect(d.state("guest") == "running", "the guest runs on")
    d.press("Dismiss")
    d.wait_gone(re.compile("packed.iso"), "label")


def broken():
  """A machine.json that can't be read shows as invalid with its cause, and comes back when it is mended."""
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64")
    path = d.path("machines/guest.vitrine/machine.json")
    with open(path, encoding="utf-8") as f:
      good = f.read()
    library(d)
    for text, cause in (('{ "name": "guest",\n  "memory": "lots" }', "memory: It must be a whole number"),
                        ('{ "name": "gu', "machine.json"), ("", "machine.json")):
      with open(path, "w", encoding="utf-8") as f:
        f.write(text)
      d.wait("Invalid", "label", within=d.wait("guest", "list item"))
      until(lambda: cause in d.find("guest", "list item").get("Accessible", "Description"), 20, cause)
      expect(d.find("Start “guest”") is None, "what can't start is not offered to")
      with open(path, encoding="utf-8") as f:
        expect(f.read() == text, "the file is left as it is")
      with open(path, "w", encoding="utf-8") as f:
        f.write(good)
      d.wait("Off", "label", within=d.wait("guest", "list item"))
    d.wait("Start “guest”")


def port():
  """A SPICE port that another program has."""
  with Desktop() as d, socket.socket() as other:
    other.bind(("127.0.0.1", 0))
    other.listen()
    number = other.getsockname()[1]
    d.vitrine("create", "guest", "--memory", "64")
    d.configure("guest", remote={"enabled": True, "port": number, "tls": False})
    library(d)
    refused(d, "guest", str(number), "in use|used|taken")


def no_display():
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64")
    env = {k: v for k, v in d.env.items() if k != "DISPLAY"}
    for arguments, code in ((["run", "guest"], 1), (["start", "guest"], 1), ([], 2)):
      r = subprocess.run([VITRINE, *arguments], env=env, capture_output=True, text=True, timeout=120)
      expect(r.returncode == code, f"vitrine {arguments}: exit {r.returncode}, {r.stderr}")
      expect(r.stderr.count("\n") == 1 and "--h" in r.stderr, f"one line with a remedy: {r.stderr}")
    expect(d.state("guest") == "off", "the machine is off")


def no_kvm():
  """Without KVM the library says so with a remedy, and so does a start of a machine that wants it."""
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64")
    d.configure("guest", cpu_engine="kvm")
    library(d, preexec_fn=refusing(errno.ENOTTY, SYS_IOCTL, equal={1: KVM_GET_API_VERSION}))
    d.wait(re.compile("KVM"), "label")
    refused(d, "guest", "KVM|/dev/kvm")


def no_executable_memory():
  """A machine in software that may not make code says in its window what that means, and runs."""
  deny = [refusing(errno.EACCES, SYS_MMAP, bits={2: mmap.PROT_EXEC, 3: mmap.MAP_SHARED})]
  with Desktop() as d:
    d.vitrine("create", "bios", "--memory", "64")
    d.spawn(VITRINE, "run", "bios", "--cpu-engine", "translate", log="bios",
            preexec_fn=lambda: [install() for install in deny])
    d.wait_window("^bios$")
    d.wait(re.compile("may not make memory executable: the guest's code is interpreted"), "label")
    d.wait("In software", "label")
    until(lambda: "No bootable device" in d.vitrine("text", "bios", check=False).stdout, 60, "the firmware's end")
    d.press("Dismiss")


def no_space():
  """No room for a new machine: told in the dialog, nothing half made; and the field keeps its text."""
  with Desktop() as d:
    # Where a file system allocates late, this is when it finds out.
    library(d, preexec_fn=refusing(errno.ENOSPC, SYS_FSYNC))
    d.press("Create a Machine")
    d.wait("New Machine", "dialog")
    d.key("alt+n", "ctrl+a")
    d.type("large")
    d.press("Create")
    d.wait(re.compile("[Nn]o space|full|space left"), "label")
    expect(d.find("Name", "text").text() == "large", "what was entered stays")
    expect(os.listdir(d.path("machines")) == [], "nothing was made")
    d.key("Escape")
    d.wait("Create a Machine")


main(media, unreadable, insert, broken, port, no_display, no_kvm, no_executable_memory,
     no_space)
