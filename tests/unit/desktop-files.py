#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a computer is told of the program (desktop entry, metainfo, manual), and that every icon that a window
names is there: an icon theme's, or the program's own."""
import glob, os, re, subprocess, sys, unittest
import xml.etree.ElementTree as ET

ROOT = os.path.abspath(sys.argv.pop(1))
DATA = os.path.join(ROOT, "data")
APP_ID = "org.vitrine.Vitrine"
THEME = "/usr/share/icons/Adwaita"


def read(*path):
  with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
    return f.read()


class Appearance(unittest.TestCase):
  def run_quiet(self, *command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout + done.stderr

  def test_desktop_entry(self):
    said = self.run_quiet("desktop-file-validate", os.path.join(DATA, APP_ID + ".desktop"))
    self.assertEqual(said.strip(), "")

  def test_metainfo(self):
    self.run_quiet("appstreamcli", "validate", "--no-net", os.path.join(DATA, APP_ID + ".metainfo.xml"))

  def test_manual(self):
    self.run_quiet("mandoc", "-T", "lint", "-W", "warning", os.path.join(DATA, "vitrine.1"))

  def test_names_agree(self):
    entry = dict(re.findall(r"^([A-Za-z]+)=(.*)$", read("data", APP_ID + ".desktop"), re.M))
    tree = ET.parse(os.path.join(DATA, APP_ID + ".metainfo.xml")).getroot()
    self.assertEqual(tree.findtext("id"), APP_ID)
    self.assertEqual(tree.findtext("launchable"), APP_ID + ".desktop")
    self.assertEqual(tree.findtext("summary"), entry["Comment"])
    self.assertEqual(tree.findtext("name"), entry["Name"])
    self.assertEqual(entry["Icon"], APP_ID)
    self.assertEqual(entry["StartupWMClass"], APP_ID)
    self.assertIn(f'"{APP_ID}"', read("ui", "app", "app.c"))

  def test_own_icons(self):
    for name in (APP_ID, APP_ID + "-symbolic"):
      root = ET.parse(os.path.join(DATA, "icons", name + ".svg")).getroot()
      self.assertTrue(root.tag.endswith("}svg"))

  def test_icons_exist(self):
    sources = "".join(read(os.path.relpath(path, ROOT))
                      for path in glob.glob(os.path.join(ROOT, "ui/app/*.[cu]*")))
    named = set(re.findall(r'"icon-name">([^<]+)<', sources))
    named |= set(re.findall(r'"([a-z]+(?:-[a-z]+)*-symbolic)"', sources))
    self.assertGreater(len(named), 8)
    there = {os.path.splitext(os.path.basename(p))[0]
             for p in glob.glob(os.path.join(THEME, "**"), recursive=True)}
    own = {os.path.splitext(name)[0] for name in os.listdir(os.path.join(DATA, "icons"))}
    # The theme's file may say that it is a symbolic icon by one more suffix.
    there |= {name[:-len(".symbolic")] for name in there if name.endswith(".symbolic")}
    self.assertEqual(sorted(named - there - own), [])


if __name__ == "__main__":
  unittest.main(verbosity=2)
