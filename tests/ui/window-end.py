#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine ends while something of its window is open: a menu, a file chooser, a question. The window
and its process end as ever, and say nothing on standard error."""
import os, re, sys, time

sys.path.insert(0, os.path.dirname(__file__))
from desktop import Desktop, VITRINE, expect, main, until

ISO = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"


def run_and_end(*openings):
  with Desktop() as d:
    d.vitrine("create", "m", "--memory", "64", "--iso", ISO)
    for opening in openings:
      process = d.spawn(VITRINE, "run", "m", log=opening.__name__)
      d.wait("Guest screen")
      opening(d)
      d.vitrine("stop", "--force", "m")
      until(lambda: process.poll() is not None, 30, f"the end with {opening.__name__} open")
      # Negative: it crashed, or hung and was killed.
      expect(process.returncode == 0, f"{opening.__name__}: exit {process.returncode}")
      d.check_quiet(process)


def view_menu(d):
  # It stays open.
  d.choose("View and devices", "Original Size")


def power_menu(d):
  d.choose("Power")
  d.wait("Reset")


def keys_submenu(d):
  d.choose("Send keys", "Virtual Terminals")
  d.wait("Ctrl+Alt+F2")


def full_screen_menu(d):
  d.press("Full screen")
  d.wait("Leave full screen")
  d.choose("Send keys")
  d.wait("Alt+Tab")


def window_menu(d):
  x, y, width, height = d.wait("m", "label").extents()
  d.run("xdotool", "mousemove", str(x + width // 2), str(y + height // 2), "click", "3")
  d.wait("Minimize", "menu item")


def insert_disc(d):
  d.choose("View and devices", "Insert Disc…")
  d.wait("Insert Disc", "file chooser")


def screenshot(d):
  d.choose("View and devices", "Take Screenshot…")
  d.wait("Save Screenshot", "file chooser")


def new_folder(d):
  screenshot(d)
  d.press("Create Folder")
  d.wait("Folder Name")


def replace_file(d):
  path = d.path("taken.png")
  d.write("taken.png", "")
  screenshot(d)
  d.key("ctrl+a")
  d.type(path, delay=20)
  until(lambda: any(w.text() == path for w in d.find_all(re.compile(""), "text")), 20, "the path")
  # The first click may only close the list of completions.
  until(lambda: d.find("Replace") or (d.press("Save"), time.sleep(0.5)) is None, 20,
        "the question whether to replace the file")


def force_off(d):
  d.choose("Power", "Force Off")
  d.wait("Force the machine off?", "label")


def menus():
  run_and_end(view_menu, power_menu, keys_submenu, full_screen_menu, window_menu)


def dialogs():
  run_and_end(insert_disc, screenshot, new_folder, replace_file, force_off)


main(menus, dialogs)
