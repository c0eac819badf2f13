# SPDX-License-Identifier: GPL-3.0-or-later
"""The same works done natively, by Vitrine's translator and by QEMU's TCG, as a table of medians."""
import json, math, re, statistics, sys

WHO = ("native", "vitrine", "tcg")
LINE = re.compile(r"^WORK (\S+) (\d+) ([0-9a-f+]+)\r?$", re.M)


class Table:
  def __init__(self):
    self.runs = {who: [] for who in WHO}

  def add(self, who, run):
    """@run has seconds {name: seconds}, sums {name: checksum}, which are the same for all, and its text."""
    self.runs[who].append(run)
    first = next(runs[0] for runs in self.runs.values() if runs)
    if run.sums != first.sums:
      sys.exit(f"bench: {who} has other results:\n{run.text[-2000:]}\nthan\n{first.text[-2000:]}")

  def rows(self):
    rows = []
    for name in self.runs["tcg"][0].seconds:
      row = {"name": name}
      for who, runs in self.runs.items():
        if name in runs[0].seconds:
          row[who] = statistics.median(run.seconds[name] for run in runs)
      rows.append(row)
    return rows

  def print(self, as_json):
    rows, ratios = self.rows(), []
    if as_json:
      print(json.dumps(rows, indent=2))
      return
    print("| what | native, s | Vitrine, s | TCG, s | Vitrine / native | TCG / Vitrine |\n| - | - | - | - | - | - |")
    for row in rows:
      ratios.append(row["tcg"] / row["vitrine"])
      native = f"{row['native']:.3f}" if "native" in row else "–"
      times = f"{row['vitrine'] / row['native']:.2f}" if "native" in row else "–"
      print(f"| {row['name']} | {native} | {row['vitrine']:.3f} | {row['tcg']:.3f} | {times} | {ratios[-1]:.2f} |")
    print(f"\nGeometric mean of TCG / Vitrine: {math.exp(statistics.mean(map(math.log, ratios))):.2f}")
