#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Linux kernel to userland by the CPU engine that needs no KVM."""
import os, re, subprocess, sys

sys.path[:0] = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from machine import Machine, expect, main
from refuse import no_executable_memory

HERE = os.path.dirname(os.path.abspath(__file__))
MAKE = os.path.join(HERE, "..", "guests", "make")


def boot(script, cpus, **start):
  """Runs a shell script as the guest's first program; what it has printed."""
  guest = subprocess.run(["/usr/bin/python3", MAKE, "linux"], check=True, stdout=subprocess.PIPE,
                         text=True).stdout.strip()
  with Machine("--kernel", guest + "/vmlinuz", "--initrd", guest + "/initrd", "--append",
               "console=ttyS0 quiet panic=-1 script=" + script.replace(" ", ","), "--memory", "512",
               "--cpus", str(cpus)) as m:
    m.start(**start)
    m.wait_serial("USERLAND", 300)
    m.wait_serial("SCRIPT 0 ", 300)
    expect(m.wait_exit(60) == 0, "it powers off")
    return m.serial().replace("\r", ""), guest


def linux():
  """The same results as on the host: the kernel's and BusyBox's digests, and the benchmarks' programs of
  every kind but those that take long."""
  works = "hash calls strings linpack forks"
  serial, guest = boot("uname -m;sha256sum /init;work " + works, 1)
  expect("\nx86_64\n" in serial, "the kernel says what it is")
  native = subprocess.run([guest + "/work", *works.split()], check=True, stdout=subprocess.PIPE, text=True).stdout
  for name, sum_ in re.findall(r"^WORK (\S+) \d+ (\S+)$", native, re.M):
    expect(re.search(rf"^WORK {name} \d+ {sum_}$", serial, re.M), f"{name} has the host's result")


def linux_confined():
  """Where no memory may be made executable, that is interpreted, and floating point with it."""
  serial, _ = boot("uname -m;awk 'BEGIN{for(i=1;i<1000;i++)s+=1/i;print(s)}'", 1,
                   preexec_fn=no_executable_memory())
  expect("\nx86_64\n" in serial, "the kernel says what it is")
  expect(f"\n{sum(1 / i for i in range(1, 1000)):.6g}\n" in serial, "a sum of fractions")


def linux_smp():
  """Two processors, and threads on both."""
  serial, _ = boot("nproc;work threads", 2)
  expect("\n2\n" in serial, "the kernel has started the second processor")
  expect(re.search(r"^WORK threads \d+ 3d0900$", serial, re.M), "no locked addition is lost")


main(linux, linux_confined, linux_smp)
