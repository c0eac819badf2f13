#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs while a guest's vectors are in the units: no instruction of its objects names a vector register, and what
translated code calls calls nothing that is in other objects. Argument: the library of these objects."""
import os, re, subprocess, sys

# What translated code calls, and the counter behind RDTSC.
ROOT = re.compile(r"(vt_)?quick_(?!find$)\w+|vt_soft_counter(_cb)?")
# The compiler's own, of general registers alone.
HELPER = re.compile(r"__(u?div|u?mod)ti3|__stack_chk_fail")
VECTOR = re.compile(r"%([xyz]mm|mm[0-7]|st\b|k[0-7]\b)")
FUNCTION = re.compile(r"[0-9a-f]+ <([\w.]+)>:")
# A direct call or jump, within the section or by the relocation on the next line.
DIRECT = re.compile(r"\s(?:call|jmp|j\w+)\s+[0-9a-f]+ <([\w.]+)[+>]")
RELOCATION = re.compile(r"R_X86_64_PLT32\s+([\w.]+)")


def main():
  folder = sys.argv[1] + ".p"
  objects = sorted(os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".o"))
  wrong, calls = [], {}
  for o in objects:
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", o], check=True, capture_output=True, text=True).stdout
    function = None
    for line in text.splitlines():
      if m := FUNCTION.match(line):
        function = m[1]
        # Static functions may share a name: what any of them calls.
        calls.setdefault(function, set())
      elif m := RELOCATION.search(line) or DIRECT.search(line):
        calls[function].add(m[1])
      if VECTOR.search(line):
        wrong.append(f"{os.path.basename(o)}: {function}: {line.strip()}")
  reached, queue = set(), [f for f in calls if ROOT.fullmatch(f)]
  if len(queue) < 10:
    wrong.append(f"only {queue} of what is meant is there")
  while queue:
    f = queue.pop()
    if f in reached:
      continue
    reached.add(f)
    for g in calls[f]:
      if g in calls:
        queue.append(g)
      elif not HELPER.fullmatch(g):
        wrong.append(f"{f} calls {g}")
  print(f"# {len(reached)} functions")
  print("".join(f"# {w}\n" for w in wrong) + "1..1\n" + ("not ok 1" if wrong else "ok 1") + " - general registers alone")
  sys.exit(bool(wrong))


main()
