# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with its window on a test's desktop: what the guest shows, what the window shows of it, and
keys and mouse by xdotool.
"""
import os, re

from desktop import BUILD, VITRINE, expect, until
from PIL import Image, ImageChops

GUEST = os.path.join(BUILD, "tests/guest/guest.elf")
VIEW = "Guest screen"
# What xdotool calls the keys of characters that have no name of their own.
KEYS = {" ": "space", "-": "minus", "/": "slash", "=": "equal", "$": "dollar", "_": "underscore"}


def differs(a, b):
  return a.size != b.size or ImageChops.difference(a, b).getbbox() is not None


class ScreenMachine:
  def __init__(self, desktop, name, *options, run=()):
    self.desktop, self.name = desktop, name
    desktop.vitrine("create", name, *options)
    self.folder = desktop.path(f"machines/{name}.vitrine")
    self.serial_path = desktop.path(name + ".serial")
    self.run = run

  def open(self):
    self.process = self.desktop.spawn(VITRINE, "run", self.name, "--serial", "file:" + self.serial_path,
                                      *self.run, log=self.name)
    self.window = self.desktop.wait_window(f"^{self.name}$")
    return self

  # What the guest says -------------------------------------------------------------------------

  def text(self):
    r = self.desktop.vitrine("text", self.name, check=False)
    return r.stdout if r.returncode == 0 else ""

  def wait_text(self, pattern, seconds=30):
    return self.until(lambda: re.search(pattern, self.text()), seconds, f"screen text {pattern!r}")

  def serial(self):
    try:
      with open(self.serial_path, encoding="latin-1") as f:
        return f.read().replace("\r", "")
    except OSError:
      return ""

  def wait_serial(self, pattern, seconds=30, after=0):
    return self.until(lambda: re.search(pattern, self.serial()[after:]), seconds, f"serial {pattern!r}")

  def until(self, condition, seconds, what):
    def alive():
      value = condition()
      expect(value or self.process.poll() is None, f"{what}: the machine has ended")
      return value
    try:
      return until(alive, seconds, what)
    except Exception:
      import sys
      print(f"--- {self.name}: screen ---\n{self.text()}\n--- serial ---\n{self.serial()[-2000:]}",
            file=sys.stderr)
      raise

  # What is shown -------------------------------------------------------------------------------

  def screenshot(self):
    path = self.desktop.path("screenshot.png")
    self.desktop.vitrine("screenshot", self.name, path)
    with Image.open(path) as picture:
      return picture.convert("RGB")

  def place(self):
    """Of the view on the screen, in pixels: (left, top, right, bottom)."""
    x, y, width, height = self.desktop.wait(VIEW).extents()
    return tuple(int(v * self.desktop.scale) for v in (x, y, x + width, y + height))

  def shown(self):
    """What of the desktop the view covers."""
    return self.desktop.pixels().crop(self.place())

  def expected(self, guest, size, factor):
    """@guest's picture in the middle of a black view, each pixel @factor times @factor."""
    picture = Image.new("RGB", size)
    large = guest.resize((guest.width * factor, guest.height * factor), Image.NEAREST)
    picture.paste(large, ((size[0] - large.width) // 2, (size[1] - large.height) // 2))
    return picture

  def wait_shown(self, factor=1, seconds=20):
    """Until the view shows the guest's picture, pixel for pixel; a cursor may blink between looks."""
    last = []
    def same():
      view, guest = self.shown(), self.screenshot()
      want = self.expected(guest, view.size, factor)
      last[:] = [view, want]
      return not differs(view, want)
    try:
      until(same, seconds, f"the guest's picture in the window, {factor} times as large")
    except Exception:
      for picture, what in zip(last, ("shown", "expected")):
        picture.save(os.path.join(BUILD, "meson-logs", f"failed-{self.name}-{what}.png"))
      raise

  # What is done --------------------------------------------------------------------------------

  def focus(self):
    self.desktop.focus(self.window)

  def point(self, x=0.5, y=0.5):
    """Moves the pointer to a part of the view; the place on the screen."""
    left, top, right, bottom = self.place()
    at = int(left + (right - left) * x), int(top + (bottom - top) * y)
    self.desktop.run("xdotool", "mousemove", *map(str, at))
    return at

  def pointer(self):
    out = self.desktop.run("xdotool", "getmouselocation", "--shell")
    return tuple(int(re.search(rf"^{axis}=(\d+)$", out, re.M)[1]) for axis in "XY")

  def type_seen(self, prompt, text):
    """Key by key, each when the guest has shown the one before: a BIOS keeps 15 keys, and a slow guest
    reads them late."""
    for i, character in enumerate(text):
      self.desktop.key(KEYS.get(character, character))
      if character != " ":
        self.wait_text("(?m)^" + re.escape(prompt + text[:i + 1]) + "$")
