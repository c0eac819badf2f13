#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles an ASL source into a C array: asl2c.py CC IASL SOURCE.asl OUT.c SYMBOL

The source goes through the C preprocessor first, because iasl's own has no macros with arguments.
Anything that iasl has to say (errors, warnings, remarks) fails the build.
"""
import os, re, subprocess, sys, tempfile

*cc, iasl, source, out, symbol = sys.argv[1:]

with tempfile.TemporaryDirectory() as folder:
  plain = os.path.join(folder, "table.asl")
  subprocess.run([*cc, "-E", "-P", "-undef", "-x", "c", "-o", plain, source], check=True)
  run = subprocess.run([iasl, "-we", "-p", os.path.join(folder, "table"), plain],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
  clean = re.search(r"\b0 Errors, 0 Warnings, 0 Remarks\b", run.stdout)
  if run.returncode != 0 or not clean:
    sys.exit(f"{source}: iasl is not content:\n{run.stdout}")
  code = open(os.path.join(folder, "table.aml"), "rb").read()

with open(out, "w", encoding="ascii") as f:
  f.write("#include <stddef.h>\n#include <stdint.h>\n\n")
  f.write(f"extern const uint8_t {symbol}[];\nextern const size_t {symbol}_size;\n")
  f.write(f"const uint8_t {symbol}[] = {{\n")
  for at in range(0, len(code), 16):
    f.write("  " + "".join(f"{b}, " for b in code[at:at + 16]).rstrip() + "\n")
  f.write(f"}};\nconst size_t {symbol}_size = sizeof {symbol};\n")
