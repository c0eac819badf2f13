#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: denied.py PROGRAM: runs a test where no memory may be made executable."""
import mmap, os, sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from refuse import no_executable_memory

no_executable_memory()()
try:
  mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
  sys.exit("memory can be made executable here")
except PermissionError:
  os.execv(sys.argv[1], sys.argv[1:])
