#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one fuzz target for a number of inputs, from its seed corpus. "planted" must be found."""
import os, re, subprocess, sys, tempfile

program, device, corpus, runs = sys.argv[1:5]
seeds = os.path.join(corpus, device)
with tempfile.TemporaryDirectory() as work:
  grown = os.path.join(work, "corpus")
  os.mkdir(grown)
  command = [program, f"--device={device}", f"-runs={runs}", "-seed=1", "-max_len=2048",
             # The entropic schedule costs more than it finds in a run as short as this.
             "-entropic=0", "-rss_limit_mb=2048", "-timeout=25", "-print_final_stats=1",
             f"-artifact_prefix={work}/", grown]
  if os.path.isdir(seeds):
    command.append(seeds)
  # Undefined behaviour ends the run as memory errors do; libFuzzer then keeps the input.
  environment = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
  r = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
  out = r.stderr + r.stdout
  if device == "planted":
    if r.returncode == 0 or "heap-buffer-overflow" not in out:
      sys.exit("the planted bug was not found:\n" + out[-2000:])
    print("the planted bug was found")
    sys.exit(0)
  if r.returncode != 0:
    for f in os.listdir(work):
      if f.startswith(("crash-", "leak-", "oom-", "timeout-", "slow-unit-")):
        print(f, open(os.path.join(work, f), "rb").read().hex())
    sys.exit(out[-6000:])
  m = re.search(r"stat::number_of_executed_units:\s*(\d+)", out)
  done = int(m.group(1)) if m else 0
  print(f"{device}: {done} inputs")
  if done < int(runs):
    sys.exit(f"only {done} of {runs} inputs were run")
