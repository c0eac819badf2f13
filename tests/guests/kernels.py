# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux kernels with an initial RAM disk of ours."""
import gzip, io, os, tempfile

from packages import depends, files, run, version

WORK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "work.c")

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo "USERLAND $(cat /proc/uptime)"
for word in $(cat /proc/cmdline); do
  case "$word" in
    script=*) echo "${word#script=}" | tr , ' ' >/script; sh /script; echo "SCRIPT $? $(cat /proc/uptime)" ;;
  esac
done
poweroff -f
"""


class Cpio:
  """An archive in the "new" portable format, as the kernel unpacks it."""

  def __init__(self):
    self.out = io.BytesIO()
    self.inode = 0

  def add(self, name, mode, data=b"", device=(0, 0)):
    self.inode += 1
    fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    self.pad(b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0")
    self.pad(data)

  def pad(self, data):
    self.out.write(data + b"\0" * (-len(data) % 4))

  def finish(self):
    self.add("TRAILER!!!", 0)
    return gzip.compress(self.out.getvalue(), 6, mtime=0)


def kernel_package(suite):
  return depends("linux-image-cloud-amd64", r"linux-image-\S+", suite)


def kernel(suite=None):
  return files(kernel_package(suite), r"boot/vmlinuz-.*", suite=suite)[0]


def initrd():
  """The RAM disk, and the benchmarks' program that is in it."""
  busybox, = files("busybox-static", r"bin/busybox")
  cpio = Cpio()
  for name in ("bin", "dev", "proc", "sys", "tmp"):
    cpio.add(name, 0o040755)
  cpio.add("dev/console", 0o020600, device=(5, 1))
  cpio.add("bin/busybox", 0o100755, busybox)
  cpio.add("init", 0o100755, INIT.encode())
  with tempfile.TemporaryDirectory() as t:
    run("gcc", "-O2", "-static", "-o", os.path.join(t, "work"), WORK, "-lm", "-lpthread")
    with open(os.path.join(t, "work"), "rb") as f:
      work = f.read()
  cpio.add("bin/work", 0o100755, work)
  return cpio.finish(), work


def make(folder, suite=None):
  ramdisk, work = initrd()
  for name, data, mode in (("vmlinuz", kernel(suite), 0o644), ("initrd", ramdisk, 0o644), ("work", work, 0o755)):
    with open(os.path.join(folder, name), "wb") as f:
      f.write(data)
    os.chmod(os.path.join(folder, name), mode)


def versions(suite=None):
  package = kernel_package(suite)
  return [f"{package} {version(package, suite)}", "busybox-static " + version("busybox-static")]
