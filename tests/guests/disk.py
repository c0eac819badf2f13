# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk with Debian 12 installed, without a loop device or a mount: one ext4 partition, and GRUB for the
BIOS between it and the partition table."""
import os, struct, tempfile

from packages import run

PACKAGES = ("systemd systemd-sysv udev dbus kmod iproute2 procps e2fsprogs login passwd initramfs-tools "
            "linux-image-amd64 perl gawk openssl gcc libc6-dev python3 sqlite3 gzip xz-utils")
UUID = "56495452-494e-4500-8000-0000000000aa"
SECTOR = 512
FIRST = 2048  # The partition's first sector: as much room for GRUB as every partitioning program leaves.
SECTORS = 3 * 1024 * 2048

GRUB_MODULES = ("biosdisk part_msdos ext2 normal linux configfile search search_fs_uuid echo serial terminal test ls "
                "cat reboot halt").split()
GRUB_CFG = f"""serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
menuentry Debian {{
  linux /vmlinuz root=UUID={UUID} ro console=tty0 console=ttyS0,115200
  initrd /initrd.img
}}
"""

# Run by fakeroot, so that the files have the owners that mke2fs is to see; /dev is the kernel's.
FILL = f"""set -e
mkdir root
tar -C root --exclude=./dev/* -xf root.tar
rm root.tar
cd root
echo vitrine >etc/hostname
echo 'UUID={UUID} / ext4 defaults 0 1' >etc/fstab
sed -i 's/^root:[^:]*:/root::/' etc/shadow
: >etc/machine-id
mkdir -p boot/grub
cat >boot/grub/grub.cfg
cd ..
truncate -s {SECTORS * SECTOR} disk.raw
/sbin/mke2fs -q -t ext4 -F -d root -L vitrine -U {UUID} -b 4096 -E offset={FIRST * SECTOR},root_owner=0:0 \\
  disk.raw {(SECTORS - FIRST) * SECTOR // 4096}
rm -r root
"""


def grub(image):
  """Writes GRUB into the partition table's sector and the gap behind it (GRUB's manual, "BIOS installation")."""
  with tempfile.TemporaryDirectory() as t:
    run("grub-mkimage", "-O", "i386-pc", "-o", t + "/core.img", "-p", "(hd0,msdos1)/boot/grub", *GRUB_MODULES)
    with open(t + "/core.img", "rb") as f:
      core = bytearray(f.read())
  if len(core) > (FIRST - 1) * SECTOR:
    raise ValueError("GRUB is larger than its gap")
  # Its first sector has the list of the sectors to load: the rest.
  struct.pack_into("<Q", core, 0x1f4, 2)
  with open("/usr/lib/grub/i386-pc/boot.img", "rb") as f:
    boot = bytearray(f.read(SECTOR))
  struct.pack_into("<Q", boot, 0x5c, 1)
  with open(image, "r+b") as f:
    # One active partition of type "Linux", its ends in cylinders and heads too large to be told.
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", FIRST, SECTORS - FIRST)
    f.write(boot[:0x1b8] + b"VTRN\0\0" + entry + bytes(48) + b"\x55\xaa")
    f.write(core)


def make(folder):
  # mmdebstrap may work as another user of a namespace, who has to reach it.
  with tempfile.TemporaryDirectory(prefix="vitrine-guest-") as t:
    os.chmod(t, 0o777)
    run("mmdebstrap", "--variant=minbase", "--components=main", "--aptopt=Acquire::Languages none",
        "--aptopt=APT::Install-Recommends false", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--include=" + ",".join(PACKAGES.split()), "bookworm", t + "/root.tar", "http://deb.debian.org/debian")
    run("fakeroot", "sh", "-c", FILL, cwd=t, input=GRUB_CFG)
    grub(t + "/disk.raw")
    run("cp", "--sparse=always", t + "/disk.raw", folder + "/disk.raw")
