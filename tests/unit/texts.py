#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""po/POTFILES.in names the files that have texts for translators, and no others."""
import os, re, sys

ROOT = sys.argv[1]
MARKED = {".c": re.compile(r'\b(_|N_|C_|ngettext) ?\("'), ".ui": re.compile('translatable="yes"')}

found = set()
for layer in ("engine", "devices", "display", "ui"):
  for folder, _, files in os.walk(os.path.join(ROOT, layer)):
    for name in files:
      path = os.path.join(folder, name)
      marked = MARKED.get(os.path.splitext(name)[1])
      if marked and marked.search(open(path, encoding="utf-8").read()):
        found.add(os.path.relpath(path, ROOT))
with open(os.path.join(ROOT, "po/POTFILES.in"), encoding="utf-8") as f:
  listed = {line.strip() for line in f if not line.startswith("#")}
for path in sorted(found - listed):
  print(f"po/POTFILES.in lacks {path}")
for path in sorted(listed - found):
  print(f"po/POTFILES.in names {path}, which has no texts")
sys.exit(found != listed or not found)
