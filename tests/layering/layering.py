#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrows one way: refuses an #include that points against the layers.

  ui -> public headers   display, devices -> engine/include, public   engine -> nothing above it
A device gets lines and memory, never the machine: only boards and their catalogue see more.
"""
import os, re, sys

ROOT = sys.argv[1]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
BOARDS = {"devices/q35.c", "devices/q35.h", "devices/catalogue.c"}


def headers(*folders):
  return {os.path.relpath(os.path.join(base, f), ROOT)
          for folder in folders
          for base, _, files in os.walk(os.path.join(ROOT, folder))
          for f in files if f.endswith(".h")}


def main():
  everything = headers("engine", "devices", "display", "ui")
  if not everything:
    sys.exit("layering: no headers found below " + ROOT)
  may = {
    "engine": ("engine/",),
    "devices": ("engine/include/", "engine/public/", "devices/"),
    "display": ("engine/include/", "engine/public/", "display/"),
    "ui": ("engine/public/", "display/public/", "ui/"),
  }
  bad, seen = [], 0
  for layer, allowed in may.items():
    for base, _, files in os.walk(os.path.join(ROOT, layer)):
      for f in sorted(files):
        if not f.endswith((".c", ".h")):
          continue
        path = os.path.relpath(os.path.join(base, f), ROOT)
        with open(os.path.join(ROOT, path), encoding="utf-8") as source:
          lines = source.readlines()
        for number, line in enumerate(lines, 1):
          m = INCLUDE.match(line)
          if not m:
            continue
          seen += 1
          name = m.group(1)
          beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
          fits = [h for h in everything if h == beside or h.endswith("/" + name)]
          if not any(h.startswith(allowed) for h in fits):
            if fits or layer != "ui":
              bad.append(f"{path}:{number}: {layer} may not include {name}")
          if layer == "devices" and name in ("vt-board.h", "vitrine-config.h", "vitrine-machine.h") \
              and path not in BOARDS:
            bad.append(f"{path}:{number}: only a board may include {name}")
  # The check is itself checked: a tree without includes would pass anything.
  if seen == 0:
    bad.append("no #include was read")
  for line in bad:
    print(line, file=sys.stderr)
  sys.exit(1 if bad else 0)


main()
