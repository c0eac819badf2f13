#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample machine of `./dev run`, Debian's graphical installer: in its window, by keyboard and mouse."""
import os, subprocess, sys

sys.path.insert(0, os.path.dirname(__file__))
from desktop import BUILD, Desktop, VITRINE, expect, main
from installer import Settled, selection
from screenmachine import ScreenMachine

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
NAME = "Debian installer"


class Sample(ScreenMachine):
  def __init__(self, desktop, images):
    self.desktop, self.name = desktop, NAME
    self.process = desktop.spawn(os.path.join(TESTS, "../data/run-sample"), VITRINE, images, log="sample")
    self.window = desktop.wait_window(f"^{NAME}$")


def installer():
  images = subprocess.run(["/usr/bin/python3", os.path.join(TESTS, "guests/make"), "installer"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
  with Desktop(size="1600x1100") as d:
    m = Sample(d, images)
    d.wait_window("^Vitrine$")
    look = lambda: selection(m.shown())
    english = m.until(Settled(look), 300, "the list of languages")
    d.focus(m.window)
    m.point()
    d.run("xdotool", "click", "1")
    d.key("Down")
    m.until(lambda: (look() or english)[1] > english[1] + 10, 60, "the line below")
    d.key("Up")
    m.until(lambda: look() == english, 60, "the line again")
    # The pointer is in the middle of the guest's screen, and its first click shows on which line.
    d.run("xdotool", "click", "1")
    m.until(lambda: look() not in (None, english), 60, "the line below the pointer")
    middle = m.until(Settled(look), 60, "the line below the pointer at rest")
    d.run("xdotool", "mousemove_relative", "--", "0", "100")
    d.run("xdotool", "click", "1")
    m.until(lambda: (look() or middle)[1] > middle[1] + 60, 60, "a line further down")
    d.wait_state(NAME, "running")


main(installer)
