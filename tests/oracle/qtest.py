#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one trace against stock QEMU and against poke and compares every answer.

  qtest.py POKE TRACE [--show]

README.md tells how a trace is written. --show prints both sides' answers.
"""
import os, re, shlex, shutil, struct, subprocess, sys, tempfile, threading, time

QEMU = ["qemu-system-x86_64", "-S", "-M", "q35", "-m", "128", "-nodefaults",
        "-display", "none", "-monitor", "none", "-rtc", "base=2024-05-06T07:08:09,clock=vm",
        "-qtest", "stdio", "-qtest-log", "/dev/null"]
TIMEOUT = 60
SIZES = {"b": 1, "w": 2, "l": 4}
CONFIG = re.compile(r"cfg_(read|write)([bwl]) ([0-9a-f]+):([0-9a-f]+)\.([0-7]) (\S+)(?: (\S+))?$")
UNTIL = re.compile(r"until (\S+ \S+) (\S+) (\S+)$")
DIFFERS = re.compile(r"#\s*differs(?:\s+(0x[0-9a-f]+|irq))?:\s*(\S.*)$")


def has_time():
  """Whether this QEMU can be given time: Debian builds it without its qtest accelerator, and then
  the guest's clock stands at 0."""
  r = subprocess.run([QEMU[0], "-accel", "help"], capture_output=True, text=True)
  return "qtest" in r.stdout.split()


class Line:
  """One line of a trace: what to send, and what may differ in the last answer."""

  def __init__(self, number, text, commands, mask, irq, reason):
    self.number, self.text, self.commands = number, text, commands
    self.mask, self.irq, self.reason = mask, irq, reason


def expand(text, where):
  m = CONFIG.match(text)
  if not m:
    if text.startswith("cfg_"):
      sys.exit(f"{where}: not a configuration access: {text}")
    return [text]
  verb, size, bus, dev, fn, offset, value = m.groups()
  at = int(bus, 16) << 16 | int(dev, 16) << 11 | int(fn) << 8
  offset = int(offset, 0)
  if offset >= 256 or offset % SIZES[size] != 0 or (verb == "write") != (value is not None):
    sys.exit(f"{where}: not a configuration access: {text}")
  port = 0xcfc + offset % 4
  latch = f"outl 0xcf8 {0x80000000 | at | offset & 0xfc:#x}"
  return [latch, f"in{size} {port:#x}" if verb == "read" else f"out{size} {port:#x} {value}"]


def make_files(files):
  """Each file anew, as the side before may have written it: dword N of it is N times an odd number."""
  for path, size in files.items():
    with open(path, "wb") as f:
      f.write(b"".join(struct.pack("<I", n * 2654435761 & 0xffffffff) for n in range(size // 4)))


def parse(path, folder):
  theirs, ours, lines, timed, files = [], [], [], None, {}
  for number, text in enumerate(open(path, encoding="utf-8"), 1):
    text = text.strip()
    if text.startswith("file:"):
      name, size = text[5:].split()
      files[os.path.join(folder, name)] = int(size, 0)
      continue
    if text.startswith(("qemu:", "ours:")):
      for name in files:
        text = text.replace("{" + os.path.basename(name) + "}", name)
    if text.startswith("qemu:"):
      theirs += shlex.split(text[5:])
    elif text.startswith("ours:"):
      ours.append(text[5:].strip())
    elif text == "time:":
      timed = len(lines)
    elif text and not text.startswith("#"):
      m = DIFFERS.search(text)
      if "#" in text and not m and "differs" in text:
        sys.exit(f"{path}:{number}: write \"# differs [MASK|irq]: reason\"")
      command = " ".join(text.split("#")[0].split())
      mask = 0 if not m or m.group(1) == "irq" else int(m.group(1) or "0xffffffffffffffff", 16)
      lines.append(Line(number, command, expand(command, f"{path}:{number}"), mask,
                        bool(m) and m.group(1) == "irq", m.group(2) if m else None))
  if not lines:
    sys.exit(f"{path}: nothing to do")
  return theirs, ours, lines, len(lines) if timed is None else timed, files


def ask(p, command):
  """One command's answer, as (what kind, value, changes of interrupt inputs); None: it has ended."""
  irqs = []
  try:
    p.stdin.write(command + "\n")
    p.stdin.flush()
  except BrokenPipeError:
    return None
  for line in p.stdout:
    words = line.split()
    if words and words[0] == "IRQ":
      irqs.append(" ".join(words[1:]))
    elif words and words[0] in ("OK", "FAIL"):
      return words[0], int(words[1], 0) if words[0] == "OK" and len(words) > 1 else None, irqs
  return None


def ask_until(p, command):
  m = UNTIL.match(command)
  if not m:
    return ask(p, command)
  irqs, mask, want = [], int(m.group(2), 0), int(m.group(3), 0)
  while (answer := ask(p, m.group(1))) is not None:
    irqs += answer[2]
    if answer[1] is None or answer[1] & mask == want:
      return answer[0], answer[1], irqs
    time.sleep(0.001)
  return None


def answers(name, argv, commands, files):
  """Each command's answer."""
  found = []
  make_files(files)
  with tempfile.TemporaryFile("w+") as err:
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True)
    timer = threading.Timer(TIMEOUT, p.kill)
    timer.start()
    try:
      for command in commands:
        answer = ask_until(p, command)
        if answer is None:
          err.seek(0)
          sys.exit(f"{name} answered {len(found)} of {len(commands)} commands, not \"{command}\"\n{err.read()[-2000:]}")
        found.append((answer[0], answer[1], sorted(answer[2])))
    finally:
      timer.cancel()
      p.kill()
      p.wait()
  return found


def shown(answer):
  kind, value, irqs = answer
  text = kind if value is None else f"{value:#x}"
  return text + (" [" + ", ".join(irqs) + "]" if irqs else "")


def judge(line, a, b):
  """What is wrong with one pair of answers; None: nothing."""
  if a[0] == "FAIL" or b[0] == "FAIL":
    return "a command failed"
  wrong = (a[1] or 0) ^ (b[1] or 0)
  if wrong & ~line.mask:
    return "differs"
  if a[2] != b[2] and not line.irq:
    return "interrupts differ"
  # An explanation that explains nothing would hide the next difference.
  if line.reason and wrong == 0 and a[2] == b[2]:
    return f"no longer differs ({line.reason})"
  return None


def main():
  poke, path = sys.argv[1:3]
  with tempfile.TemporaryDirectory() as folder:
    compare(poke, path, folder)


def compare(poke, path, folder):
  theirs, ours, lines, timeless, files = parse(path, folder)
  if shutil.which(QEMU[0]) is None:
    print(f"{QEMU[0]} is not installed")
    sys.exit(77)
  if has_time():
    theirs += ["-accel", "qtest"]
  else:
    theirs += ["-accel", "tcg"]
    if timeless < len(lines):
      print(f"{len(lines) - timeless} accesses after \"time:\" left out: this QEMU has no clock_step")
    lines = lines[:timeless]
  commands = [c for line in lines for c in line.commands]
  them = answers("QEMU", QEMU + theirs, ["irq_intercept_in ioapic"] + commands, files)[1:]
  us = answers("poke", [poke] + ours, commands, files)
  at = bad = allowed = 0
  for line in lines:
    for _ in line.commands[:-1]:
      at += 1
    a, b = them[at], us[at]
    at += 1
    problem = judge(line, a, b)
    allowed += line.reason is not None and problem is None
    if "--show" in sys.argv[3:]:
      print(f"{line.number:4} {line.text:36} qemu {shown(a):24} ours {shown(b)}")
    if problem:
      bad += 1
      print(f"{path}:{line.number}: {line.text}: {problem}: QEMU {shown(a)}, ours {shown(b)}")
  print(f"{len(lines)} accesses, {allowed} explained differences, {bad} others")
  sys.exit(1 if bad else 0)


if __name__ == "__main__":
  main()
