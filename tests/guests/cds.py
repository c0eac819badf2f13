# SPDX-License-Identifier: GPL-3.0-or-later
"""CDs: Debian's installer by ISOLINUX, and kernels that are no Linux by GRUB."""
import gzip, os, tempfile

import kernels
from packages import files, run, version, write

INSTALLER = "debian-installer-12-netboot-"
ISOLINUX = """DEFAULT install
PROMPT 0
LABEL install
  KERNEL /boot/linux
  INITRD /boot/initrd.gz
  APPEND vga=788 --- quiet
"""
GRUB = """serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
"""
MACH = "gnumach-image-1.8-486"
XEN = "xen-hypervisor-4.17-amd64"


def put(folder, name, data):
  path = os.path.join(folder, name)
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with open(path, "wb") as f:
    f.write(data)


def installer(folder, arch):
  """The graphical installer, from the network's boot image."""
  base = rf"usr/lib/debian-installer/images/12/{arch}/gtk/debian-installer/{arch}/"
  linux, initrd = files(INSTALLER + arch, base + "linux", base + r"initrd\.gz")
  loader, = files("isolinux", r"usr/lib/ISOLINUX/isolinux\.bin")
  library, = files("syslinux-common", r"usr/lib/syslinux/modules/bios/ldlinux\.c32")
  with tempfile.TemporaryDirectory() as t:
    for name, data in (("boot/linux", linux), ("boot/initrd.gz", initrd), ("isolinux/isolinux.bin", loader),
                       ("isolinux/ldlinux.c32", library), ("isolinux/isolinux.cfg", ISOLINUX.encode())):
      put(t, name, data)
    run("xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "INSTALLER", "-o", folder + "/cd.iso",
        "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4",
        "-boot-info-table", t)
  write(folder, linux=linux, initrd_gz=initrd)


def installer_versions(arch):
  return [f"{p} {version(p)}" for p in (INSTALLER + arch, "isolinux", "syslinux-common")]


def grub(folder, commands, **contents):
  """A CD that runs GRUB's commands at once."""
  with tempfile.TemporaryDirectory() as t:
    put(t, "boot/grub/grub.cfg", (GRUB + "menuentry guest {\n" + commands + "}\n").encode())
    for name, data in contents.items():
      put(t, "boot/" + name, data)
    run("grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", folder + "/cd.iso", t)


def mach(folder):
  """GNU Mach, without the servers that would make it a system: it starts, and misses them."""
  image, = files(MACH, r"boot/gnumach-.*-486\.gz")
  grub(folder, "multiboot /boot/mach console=com0\nmodule /boot/grub/grub.cfg none\n", mach=gzip.decompress(image))


def xen(folder):
  """Xen, and Linux with our initial RAM disk as the first domain."""
  image, = files(XEN, r"boot/xen-.*\.gz")
  grub(folder, "multiboot2 /boot/xen com1=115200,8n1 console=com1,vga loglvl=all dom0_mem=256M noreboot\n"
       "module2 /boot/linux console=hvc0 earlyprintk=xen panic=-1\n"
       "module2 --nounzip /boot/initrd\n",
       xen=gzip.decompress(image), linux=kernels.kernel(), initrd=kernels.initrd()[0])


def xen_versions():
  return [f"{XEN} {version(XEN)}", *kernels.versions()]
