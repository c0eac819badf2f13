#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ids of all device classes: the order of devices/catalogue.c, the names from the sources."""
import os, re, sys

root = os.path.join(sys.argv[1], "devices")
catalogue = open(os.path.join(root, "catalogue.c"), encoding="utf-8").read()
wanted = re.findall(r"&(vt_\w+_class)\b", catalogue)
ids = {}
for base, _, files in os.walk(root):
  for f in files:
    if f.endswith(".c"):
      text = open(os.path.join(base, f), encoding="utf-8").read()
      for name, body in re.findall(r"VtDeviceClass (vt_\w+_class) = \{(.*?)\n\};", text, re.S):
        m = re.search(r'\.id = "([^"]+)"', body)
        if m:
          ids[name] = m.group(1)
missing = [w for w in wanted if w not in ids]
if missing:
  sys.exit("list-devices: no id found for " + ", ".join(missing))
print("\n".join(ids[w] for w in wanted))
