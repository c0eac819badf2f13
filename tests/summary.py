#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds up meson's test logs and closes with the line `N passed, N failed`."""
import json, sys

passed = failed = skipped = 0
for log in sys.argv[1:]:
  try:
    with open(log, encoding="utf-8") as f:
      lines = f.read().splitlines()
  except OSError as e:
    print(f"summary: {log}: {e.strerror}: its tests did not run")
    failed += 1
    continue
  for line in lines:
    test = json.loads(line)
    if test["result"] in ("OK", "EXPECTEDFAIL"):
      passed += 1
    elif test["result"] == "SKIP":
      skipped += 1
      print("skipped:", test["name"])
    else:
      failed += 1
      print("failed:", test["name"], test["result"])
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed or not passed else 0)
