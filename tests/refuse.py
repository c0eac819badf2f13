# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the kernel refuse system calls to a program under test, by a filter (seccomp(2)): that needs neither
privileges nor mounts, which a chroot or a container may not allow.
"""
import ctypes, errno, mmap, os, struct

# From <linux/prctl.h>, <linux/seccomp.h>, <linux/bpf_common.h> and <asm/unistd_64.h>.
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, IF_EQUAL, IF_SET, ANSWER, ALLOW, ERRNO = 0x20, 0x15, 0x45, 0x06, 0x7fff0000, 0x50000
SYS_MMAP, SYS_MPROTECT, SYS_IOCTL, SYS_FSYNC = 9, 10, 16, 74


def refusing(error, call, equal=None, bits=None):
  """For Popen's preexec_fn: @call is answered with @error where all of its arguments named in @equal
  {index: value} have that value, and those in @bits {index: mask} any of the mask's bits. It holds for the
  program and for those that it starts."""
  argument = lambda i: 16 + 8 * i # Offset of the low half in struct seccomp_data.
  tests = [(0, IF_EQUAL, call)]
  tests += [(argument(i), IF_EQUAL, value) for i, value in (equal or {}).items()]
  tests += [(argument(i), IF_SET, mask) for i, mask in (bits or {}).items()]
  code = []
  for i, (offset, test, value) in enumerate(tests):
    code += [(LOAD, 0, 0, offset), (test, 0, 2 * (len(tests) - i) - 1, value)]
  code += [(ANSWER, 0, 0, ERRNO | error), (ANSWER, 0, 0, ALLOW)]
  code = b"".join(struct.pack("=HBBI", *c) for c in code)

  def install():
    instructions = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)) # struct sock_fprog
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)):
      if libc.prctl(*arguments, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
  return install


def no_executable_memory():
  """For Popen's preexec_fn: nothing can be made executable but what is a program's or a library's own."""
  deny = [refusing(errno.EACCES, SYS_MMAP, bits={2: mmap.PROT_EXEC, 3: mmap.MAP_SHARED | mmap.MAP_ANONYMOUS}),
          refusing(errno.EACCES, SYS_MPROTECT, bits={2: mmap.PROT_EXEC})]
  return lambda: [install() for install in deny]
