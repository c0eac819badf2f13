#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine window: a GRUB rescue CD with keys typed at it, the mouse in a guest of our own, and the
guest's picture pixel for pixel in every size."""
import os, re, sys

sys.path.insert(0, os.path.dirname(__file__))
from desktop import Desktop, expect, until
from machine import main
from media import rescue_iso
from PIL import Image
from screenmachine import GUEST, ScreenMachine


def close(a, b, tolerance):
  return all(abs(x - y) <= tolerance for x, y in zip(a, b))


def keys():
  with Desktop() as d:
    m = ScreenMachine(d, "grub", "--iso", rescue_iso(d.folder), "--memory", "256").open()
    m.wait_text("grub>", 240)
    m.wait_shown()
    # A window that has just come has the keyboard, without a click.
    m.type_seen("grub> ", "echo one")
    d.key("Return")
    m.wait_text(r"(?m)^one$")
    m.wait_shown()
    # Shift and Ctrl with another key, and the keys of the extended codes.
    d.key("Up")
    m.wait_text(r"(?m)^one\n+grub> echo one$")
    d.key("ctrl+a")
    d.key("Delete")
    m.wait_text("(?m)^grub> cho one$")
    d.key("shift+e")
    m.wait_text("(?m)^grub> Echo one$")
    d.key("ctrl+u", "ctrl+k")
    m.wait_text(r"(?m)^one\n+grub>$")
    # With the keyboard captured they arrive no less.
    m.point()
    d.run("xdotool", "click", "1")
    d.wait(re.compile(r"Ctrl\+Alt"), "label")
    m.type_seen("grub> ", "echo two")
    d.key("Return")
    m.wait_text(r"(?m)^two$")
    d.run("xdotool", "keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
    d.wait_gone(re.compile(r"Ctrl\+Alt"), "label")
    m.wait_shown()


def packets(text):
  """(buttons, dx, dy, dz) of each that the guest has told; its dy points up."""
  return [(int(p[0], 16) & 7, *map(lambda v: int(v, 16), p[1:]))
          for p in re.findall(r"^M (..) (.\w\w) (.\w\w) (.\w\w)$", text, re.M)]


def moved(m, after):
  found = packets(m.serial()[after:])
  return sum(p[1] for p in found), sum(p[2] for p in found)


def mouse():
  with Desktop() as d:
    m = ScreenMachine(d, "mouse", "--kernel", GUEST, "--append", "input").open()
    m.wait_serial("READY", 60)
    x, y = m.point()
    # Before a click the guest sees nothing of the pointer, and not of that click either.
    d.run("xdotool", "mousemove_relative", "--", "-20", "10")
    d.run("xdotool", "click", "1")
    d.wait(re.compile(r"Ctrl\+Alt"), "label")
    # The keyboard's way is in order behind the mouse's, so its byte is an end to wait for.
    d.key("a")
    m.wait_serial("K 9e\n")
    expect(not packets(m.serial()), "nothing of the mouse arrives before it is captured")
    after = len(m.serial())
    d.run("xdotool", "mousemove_relative", "--", "30", "-12")
    m.until(lambda: moved(m, after) == (30, 12), 20, "a motion of 30 to the right and 12 up")
    # Further than the screen is wide: the pointer is held in the middle.
    after = len(m.serial())
    for n in range(1, 21):
      d.run("xdotool", "mousemove_relative", "--", "100", "0")
      m.until(lambda: moved(m, after) == (100 * n, 0), 20, f"{100 * n} to the right in all")
    left, top, right, bottom = m.place()
    px, py = m.pointer()
    expect(left <= px < right and top <= py < bottom, "the captured pointer stays over the picture")
    for button, bit in ((1, 1), (3, 2), (2, 4)):
      after = len(m.serial())
      d.run("xdotool", "mousedown", str(button))
      m.until(lambda: [p[0] for p in packets(m.serial()[after:])] == [bit], 20, f"button {button} down")
      d.run("xdotool", "mouseup", str(button))
      m.until(lambda: [p[0] for p in packets(m.serial()[after:])] == [bit, 0], 20, f"button {button} up")
    for button, dz in ((4, -1), (5, 1)):
      after = len(m.serial())
      d.run("xdotool", "click", str(button))
      m.until(lambda: [p[3] for p in packets(m.serial()[after:])] == [dz], 20, f"wheel by {dz}")
    # Ctrl+Alt lets go; the guest has seen both keys go up.
    after = len(m.serial())
    d.run("xdotool", "keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
    d.wait_gone(re.compile(r"Ctrl\+Alt"), "label")
    m.wait_serial("K b8\n", after=after)
    m.wait_serial("K 9d\n", after=after)
    after = len(m.serial())
    d.run("xdotool", "mousemove", "5", "5")
    until(lambda: m.pointer() == (5, 5), 10, "the freed pointer in the corner")
    m.point(0.4, 0.4)
    d.key("b")
    m.wait_serial("K b0\n", after=after)
    expect(not packets(m.serial()[after:]), "a freed pointer is not the guest's")
    lost_focus(d, m)
    d.focus(m.window)
    m.point()
    d.key("Escape")
    m.wait_serial("PASS input")


def lost_focus(d, m):
  """What is down when the focus goes to another window, or when the machine stands still, comes up in the
  guest: nothing sticks."""
  d.spawn(os.environ["VITRINE"], log="library")
  library = d.wait_window("Vitrine")
  d.focus(m.window)
  m.point(0.1, 0.1)
  after = len(m.serial())
  d.run("xdotool", "keydown", "shift", "keydown", "x")
  m.wait_serial("K 2a\n", after=after)
  m.wait_serial("K 2d\n", after=after)
  d.run("xdotool", "mousemove", "5", "5")
  d.focus(library)
  m.wait_serial("K aa\n", after=after)
  m.wait_serial("K ad\n", after=after)
  d.run("xdotool", "keyup", "x", "keyup", "shift")
  # Keys typed now are the other window's.
  after = len(m.serial())
  d.run("xdotool", "mousemove", "5", "5")
  d.key("q")
  d.focus(m.window)
  d.key("w")
  m.wait_serial("K 91\n", after=after)
  expect("K 10\n" not in m.serial()[after:], "a key typed in another window is not the guest's")
  m.point(0.1, 0.1)
  d.run("xdotool", "click", "1")
  d.wait(re.compile(r"Ctrl\+Alt"), "label")
  after = len(m.serial())
  d.run("xdotool", "keydown", "ctrl", "mousedown", "3")
  m.wait_serial("K 1d\n", after=after)
  m.until(lambda: [p[0] for p in packets(m.serial()[after:])] == [2], 20, "the right button down")
  d.vitrine("pause", m.name)
  d.wait_gone(re.compile(r"Ctrl\+Alt"), "label")
  d.vitrine("resume", m.name)
  m.wait_serial("K 9d\n", after=after)
  m.until(lambda: [p[0] for p in packets(m.serial()[after:])] == [2, 0], 20, "the right button up")
  d.run("xdotool", "keyup", "ctrl", "mouseup", "3")


def sizes(scale):
  """The picture in the window, in other modes, paused, in full screen and in its original size."""
  with Desktop(size="1700x1200", scale=scale) as d:
    m = ScreenMachine(d, "sizes", "--kernel", GUEST, "--append", "vga hang").open()
    m.wait_serial("LOOK text", 60)
    taken(m, 720, 400)
    paused(d, m)
    # The window follows another mode.
    d.key("space")
    m.wait_serial("LOOK vbe")
    taken(m, 640, 480)
    choose_scale(d, "Original Size")
    m.wait_shown(1)
    choose_scale(d, "Scale to Window")
    m.wait_shown(scale)
    # Who has given it a size of his own keeps it.
    g = d.geometry(m.window)
    size = g["WIDTH"] + 200, g["HEIGHT"] + 100
    d.run("xdotool", "windowsize", str(m.window), *map(str, size))
    until(lambda: (d.geometry(m.window)["WIDTH"], d.geometry(m.window)["HEIGHT"]) == size, 20,
          "a larger window")
    for mode in ("planar", "chained"):
      d.key("space")
      m.wait_serial("LOOK " + mode)
    until(lambda: m.screenshot().size == (640, 400), 20, "640x400")
    until(lambda: close_to(m, m.shown()), 20, "640x400 as large as the window allows")
    g = d.geometry(m.window)
    expect((g["WIDTH"], g["HEIGHT"]) == size, f"the window keeps its size: {g}")
    d.key("space")
    m.wait_serial("PASS vga")
    full_screen(d, m)


def choose_scale(d, item):
  d.choose("View and devices", item)
  d.key("Escape")
  d.wait_gone(item)


def taken(m, width, height):
  """The window has the picture's size, on a dense display as many times as large."""
  scale = m.desktop.scale
  until(lambda: m.screenshot().size == (width, height), 20, f"{width}x{height}")
  until(lambda: m.shown().size == (width * scale, height * scale), 20,
        f"a view of {width}x{height}, {scale} times as large")
  m.wait_shown(scale)


def paused(d, m):
  d.vitrine("pause", m.name)
  d.wait_state(m.name, "paused")
  bright = brightest(m.screenshot())
  def dark():
    view = m.shown()
    top = view.crop((0, 0, view.width, view.height // 4))
    return close(brightest(top), tuple(v // 2 for v in bright), 3)
  expect(max(bright) > 100, "there is something to see")
  until(dark, 20, "a picture half as bright")
  d.wait("The machine is paused", "label")
  d.vitrine("resume", m.name)
  m.wait_shown(d.scale)
  d.wait_gone("The machine is paused", "label")


def brightest(picture):
  return tuple(high for low, high in picture.getextrema())


def close_to(m, view):
  """Whether the view has the guest's picture, smoothly scaled, in its middle."""
  guest = m.screenshot()
  factor = min(view.width / guest.width, view.height / guest.height)
  want = guest.resize((round(guest.width * factor), round(guest.height * factor)))
  left, top = (view.width - want.width) // 2, (view.height - want.height) // 2
  return alike(view.crop((left, top, left + want.width, top + want.height)), want)


def full_screen(d, m):
  before = d.geometry(m.window)
  d.press("Full screen")
  width, height = map(int, d.run("xdotool", "getdisplaygeometry").split())
  until(lambda: m.place() == (0, 0, width, height), 20, "a view as large as the screen")
  d.wait("Leave full screen")
  m.point(0.5, 0.6)
  d.wait_gone("Leave full screen")
  until(lambda: close_to(m, m.shown()), 10, "the picture scaled to the whole screen")
  # The pointer at the very edge brings the bar, wherever it comes from.
  d.run("xdotool", "mousemove", str(width // 2), "0")
  d.wait("Leave full screen")
  m.point(0.5, 0.6)
  d.wait_gone("Leave full screen")
  # Captured, it can't get there: the bar tells how to free it.
  d.run("xdotool", "click", "1")
  bar = d.wait(re.compile(r"Ctrl\+Alt"), "label")
  expect(bar.extents()[1] < 100, "the bar at the top says it")
  d.run("xdotool", "keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
  d.wait_gone(re.compile(r"Ctrl\+Alt"), "label")
  d.run("xdotool", "mousemove", str(width // 2), "0")
  d.press("Leave full screen")
  until(lambda: d.geometry(m.window) == before, 20, "the window as it was")
  until(lambda: close_to(m, m.shown()), 10, "the picture scaled to the window")


def alike(a, b):
  """The same but for how pixels are mixed in between: coarse averages."""
  a, b = (list(picture.resize((64, 48), Image.BOX).convert("L").getdata()) for picture in (a, b))
  return max(b) > 5 and sum(abs(x - y) for x, y in zip(a, b)) / len(a) < max(b) / 10


def sizes_plain():
  sizes(1)


def sizes_dense():
  sizes(2)


main(keys, mouse, sizes_plain, sizes_dense)
