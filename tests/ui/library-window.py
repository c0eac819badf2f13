#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library window: from an empty library by keyboard to a machine that runs, what its row offers in
each state, and what becomes of a machine whose process dies."""
import json, os, re, signal, sys

sys.path.insert(0, os.path.dirname(__file__))
from desktop import BUILD, Desktop, VITRINE, expect, main, until

GUEST = os.path.join(BUILD, "tests/guest/guest.elf")
ISO = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"


def library(d):
  process = d.spawn(VITRINE, log="library")
  d.wait_window("^Vitrine$")
  return process


def row(d, name):
  return d.wait(name, "list item")


def wait_row(d, name, state, seconds=60):
  d.wait(state, "label", seconds, row(d, name))


def config(d, name):
  with open(d.path(f"machines/{name}.vitrine/machine.json"), encoding="utf-8") as f:
    return json.load(f)


def keyboard():
  """Not one click: an empty library, its button, the dialog with its complaints, a machine that runs."""
  with Desktop() as d:
    library(d)
    d.wait("Create a Machine", "push button")
    d.focus(d.find_window("^Vitrine$"))
    d.key("alt+c")
    d.wait("New Machine", "dialog")
    expect(not d.find("Cancel").has("focused"), "Return would not cancel")
    # What can't be a name is said under the name, and nothing else that was entered is lost.
    d.key("alt+n", "ctrl+a")
    d.type("a/b")
    d.wait(re.compile("can't be a machine's name"), "label")
    d.key("alt+m", "ctrl+a")
    d.type("99999999")
    d.key("Tab")
    d.wait(re.compile("^This computer has .* of memory"), "label")
    d.key("alt+m", "ctrl+a")
    d.type("96")
    d.key("Tab")
    d.wait_gone(re.compile("^This computer has .* of memory"), "label")
    d.key("alt+p", "ctrl+a")
    d.type("200")
    d.key("Tab")
    d.wait(re.compile("^This computer has .* processors?; more"), "label")
    d.key("alt+p", "ctrl+a")
    d.type("2")
    d.key("alt+k", "ctrl+a")
    d.type("60000")
    d.key("Tab")
    d.wait(re.compile("can grow beyond"), "label")
    d.key("alt+k", "ctrl+a")
    d.type("3")
    d.key("Return")
    until(lambda: d.find("Name", "text").has("focused"), 10, "the focus on what is wrong")
    expect(d.find("Name", "text").text() == "a/b", "what was entered stays")
    # The medium, by the path as a person with a keyboard gives it.
    d.key("alt+d")
    until(lambda: d.find("(None)").has("focused"), 10, "the focus on the medium")
    d.key("space")
    d.write("page.iso", "<html>404</html>")
    d.enter_file("Choose a Disc Image", d.path("page.iso"))
    d.wait(re.compile("page.iso” is not a disc image"), "label")
    d.key("alt+d", "space")
    d.enter_file("Choose a Disc Image", ISO)
    d.wait_gone(re.compile("page.iso” is not a disc image"), "label")
    expect(d.find("Name", "text").text() == "a/b", "the name was the user's own")
    d.key("alt+n", "ctrl+a")
    d.type("mine")
    d.wait_gone(re.compile("can't be a machine's name"), "label")
    d.key("Return")
    d.wait_gone("New Machine", "dialog")
    # Making it starts it, and its window opens.
    d.wait_window("^mine$", 60)
    wait_row(d, "mine", "Running")
    made = config(d, "mine")
    expect((made["memory"], made["cpus"]) == (96, 2), f"as entered: {made}")
    expect(made["cdroms"] == [{"path": ISO}], f"the medium: {made['cdroms']}")
    expect(os.path.getsize(d.path("machines/mine.vitrine/disk0.img")) == 3 << 30, "the disk's size")
    # A second one of that name is refused where it is entered.
    d.focus(d.find_window("^Vitrine$"))
    d.key("alt+n")
    d.wait("New Machine", "dialog")
    d.key("alt+n", "ctrl+a")
    d.type("mine")
    d.wait("There is a machine “mine” already; choose another name.", "label")
    d.key("Escape")
    d.wait_gone("New Machine", "dialog")
    expect(os.listdir(d.path("machines")) == ["mine.vitrine"], "nothing half made is left")


def states():
  """The row follows the machine, and its menu has what the state allows, no more."""
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64", "--kernel", GUEST, "--append", "watch")
    library(d)

    def offered(*items):
      d.press("Menu of “guest”")
      d.wait(items[0])
      menu = d.find(items[0]).parent()
      have = [w.name for w in menu.walk() if w.role == "push button" and w.has("showing")]
      expect(have == list(items), f"the menu offers {have}")
      d.key("Escape")
      d.wait_gone(items[0], "push button") if items[0] != "Start" else None

    wait_row(d, "guest", "Off")
    offered("Start", "Delete…")
    d.press("Start “guest”")
    d.wait_window("^guest$", 60)
    wait_row(d, "guest", "Running")
    expect(d.find("Start “guest”") is None, "a running machine has no start button")
    offered("Show Window", "Pause", "Shut Down", "Reset", "Force Off…")
    d.choose("Menu of “guest”", "Pause")
    wait_row(d, "guest", "Paused")
    offered("Show Window", "Resume", "Reset", "Force Off…")
    d.choose("Menu of “guest”", "Resume")
    wait_row(d, "guest", "Running")
    # A second start is refused, in one line; the open window is presented instead.
    for command in ("run", "start"):
      r = d.vitrine(command, "guest", check=False)
      expect(r.returncode == 4 and r.stderr.count("\n") == 1, f"exit 4, one line: {r}")
    library_window, window = d.find_window("^Vitrine$"), d.find_window("^guest$")
    d.focus(library_window)
    d.choose("Menu of “guest”", "Show Window")
    until(lambda: d.run("xdotool", "getactivewindow") == str(window), 20, "the window in front")
    d.focus(library_window)
    d.choose("Menu of “guest”", "Reset")
    wait_row(d, "guest", "Running")
    d.choose("Menu of “guest”", "Force Off…")
    d.press("Cancel")
    d.wait_gone("Cancel")
    expect(d.state("guest") == "running", "a cancelled question ends nothing")
    d.choose("Menu of “guest”", "Force Off…")
    d.press("Force Off")
    wait_row(d, "guest", "Off")
    d.wait_no_window("^guest$")
    d.press("Start “guest”")
    d.wait_window("^guest$", 60)
    wait_row(d, "guest", "Running")
    d.focus(library_window)
    d.choose("Menu of “guest”", "Shut Down")
    wait_row(d, "guest", "Off")
    # Deleting asks, and a machine of that name is gone only then.
    for answer in ("Cancel", "Delete"):
      d.choose("Menu of “guest”", "Delete…")
      d.press(answer)
      d.wait_gone("Cancel")
      expect(os.path.isdir(d.path("machines/guest.vitrine")) == (answer == "Cancel"), answer)
    d.wait("Create a Machine")


def killed():
  """A killed process shows as crashed, its log can be read, and it starts again; a hung one is ended."""
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64", "--kernel", GUEST, "--append", "watch")
    library(d)
    d.press("Start “guest”")
    wait_row(d, "guest", "Running")
    pid = lambda: json.loads(d.vitrine("status", "guest", "--json"))["pid"]
    os.kill(pid(), signal.SIGKILL)
    wait_row(d, "guest", "Crashed")
    expect("log" in row(d, "guest").get("Accessible", "Description"), "the row tells where to look")
    with open(d.path("machines/guest.vitrine/log.txt"), "a", encoding="utf-8") as f:
      f.write("its last words\n")
    d.choose("Menu of “guest”", "Show Log")
    expect("its last words" in d.wait("Log of “guest”", "text").text(), "the log is shown")
    d.key("Escape")
    d.wait_gone("Log of “guest”")
    d.press("Start “guest”")
    wait_row(d, "guest", "Running")
    hung = pid()
    os.kill(hung, signal.SIGSTOP)
    wait_row(d, "guest", "Does not respond")
    d.focus(d.find_window("^Vitrine$"))
    try:
      d.choose("Menu of “guest”", "Force Off…")
      d.press("Force Off")
      wait_row(d, "guest", "Crashed")
    finally:
      try:
        os.kill(hung, signal.SIGKILL)
      except ProcessLookupError:
        pass


def guest_crash():
  """A guest's crash in a process that lives is told with its cause, and its window can be shown."""
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64", "--kernel", GUEST, "--append", "not-emulated")
    library(d)
    d.press("Start “guest”")
    wait_row(d, "guest", "Crashed")
    expect(re.search("maskmovdqu|fwait", row(d, "guest").get("Accessible", "Description")), "the row tells the cause")
    d.focus(d.find_window("^Vitrine$"))
    d.choose("Menu of “guest”", "Show Window")
    until(lambda: d.run("xdotool", "getactivewindow") == str(d.find_window("^guest$")), 20,
          "the window in front")
    d.focus(d.find_window("^Vitrine$"))
    d.choose("Menu of “guest”", "Force Off…")
    d.press("Force Off")
    wait_row(d, "guest", "Off")


def headless():
  """A machine that was started without a window gets one from the library."""
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64", "--kernel", GUEST, "--append", "watch")
    d.vitrine("start", "guest", "--headless")
    library(d)
    wait_row(d, "guest", "Running")
    expect(d.find_window("^guest$") is None, "headless is without a window")
    d.choose("Menu of “guest”", "Show Window")
    d.wait_window("^guest$")
    d.wait("Guest screen")


def second():
  """A second start of the program presents the library that is open."""
  with Desktop() as d:
    library(d)
    second = d.spawn(VITRINE, log="second")
    until(lambda: second.poll() is not None, 30, "the second process's end")
    expect(second.returncode == 0, "it ends well")
    ids = d.run("xdotool", "search", "--onlyvisible", "--name", "^Vitrine$").split()
    expect(len(ids) == 1, f"one window: {ids}")


def looks():
  """Long names and sentences, a dark theme, a screen with twice the pixels: all is inside its window,
  and nothing that a name contains is taken for markup."""
  names = ["R&D <b>lab", "Donaudampfschifffahrtsgesellschaftskapitänsversuchsrechner Nummer zwölf"]
  with Desktop(size="2560x1800", scale=2, dark=True) as d:
    for name in names:
      d.vitrine("create", name, "--memory", "64")
    d.vitrine("create", "broken")
    d.write("machines/broken.vitrine/machine.json", '{ "name": "broken", "memory": "lots" }')
    library(d)
    d.wait(re.compile("KVM"), "label")
    frame = d.find("Vitrine", "frame")
    d.wait("Invalid", "label")
    x, y, width, height = frame.extents()
    for widget in frame.walk():
      if widget.role in ("label", "push button", "toggle button", "list item") and widget.has("showing"):
        wx, wy, ww, wh = widget.extents()
        expect(wx >= x and wy >= y and wx + ww <= x + width and wy + wh <= y + height,
               f"{widget} is inside the window: {widget.extents()} in {frame.extents()}")
    d.choose(f"Menu of “{names[1]}”")
    d.wait("Delete…")
    if os.environ.get("VITRINE_LOOK"):
      d.photograph(os.environ["VITRINE_LOOK"])
    d.press("Delete…")
    d.wait("Cancel")
    if os.environ.get("VITRINE_LOOK"):
      d.photograph(os.environ["VITRINE_LOOK"] + "-2.png")
    d.press("Cancel")


main(looks, keyboard, states, killed, guest_crash, headless, second)
