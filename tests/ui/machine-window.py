#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine window's menus, its closing, and the ends of a guest: power-off and crash."""
import json, os, re, sys

sys.path.insert(0, os.path.dirname(__file__))
from desktop import BUILD, Desktop, expect, main, until, VITRINE

GUEST = os.path.join(BUILD, "tests/guest/guest.elf")


class Guest:
  """The test guest in a window, its first serial port in a file."""

  def __init__(self, desktop, words, name="guest", window=True):
    self.desktop, self.name = desktop, name
    self.path = desktop.path(name + ".serial")
    desktop.vitrine("create", name, "--memory", "64", "--kernel", GUEST, "--append", words)
    self.process = desktop.spawn(VITRINE, "run", name, "--serial", "file:" + self.path, log=name)
    if window:
      desktop.wait_window(f"^{name}$")

  def serial(self):
    if not os.path.exists(self.path):
      return ""
    with open(self.path, encoding="latin-1") as f:
      return f.read().replace("\r", "")

  def wait(self, text, count=1, seconds=60):
    until(lambda: self.serial().count(text) >= count, seconds, f"{count} × {text!r} on the serial port")

  def wait_end(self, code=0, seconds=30):
    until(lambda: self.process.poll() is not None, seconds, "the end of the process")
    expect(self.process.returncode == code, f"the exit status was {self.process.returncode}")
    expect(self.desktop.find_window(f"^{self.name}$") is None, "the window is still there")


def send_keys():
  """What the menu sends arrives in the guest, pressed and released, and the window goes on."""
  with Desktop() as d:
    guest = Guest(d, "watch")
    guest.wait("GUEST")
    d.choose("Send keys", "Ctrl+Alt+Delete")
    guest.wait("KEY 1d\nKEY 38\nKEY e0\nKEY 53\nKEY e0\nKEY d3\nKEY b8\nKEY 9d\n")
    d.choose("Send keys", "Virtual Terminals", "Ctrl+Alt+F2")
    guest.wait("KEY 1d\nKEY 38\nKEY 3c\nKEY bc\nKEY b8\nKEY 9d\n")
    expect(d.find("Guest screen").has("focused"), "the guest's screen has the focus again")
    d.key("a")
    guest.wait("KEY 1e\nKEY 9e\n")


def reset_by_keys():
  """Ctrl+Alt+Delete from the menu restarts a machine that is in its firmware."""
  with Desktop() as d:
    d.vitrine("create", "bios", "--memory", "64")
    # Its menu waits for some seconds: without, the firmware may be through again before anybody looks.
    d.configure("bios", boot_menu=True)
    d.spawn(VITRINE, "run", "bios", log="bios")
    d.wait_window("^bios$")
    text = lambda: d.vitrine("text", "bios", check=False).stdout
    until(lambda: "No bootable device" in text(), 60, "SeaBIOS's last word")
    d.choose("Send keys", "Ctrl+Alt+Delete")
    until(lambda: "Press ESC for boot menu" in text() and "No bootable device" not in text(), 30, "the restart")
    until(lambda: "No bootable device" in text(), 60, "SeaBIOS's last word again")


def engine():
  """The window tells what runs the guest: in the title, and in a tooltip how and why."""
  with Desktop() as d:
    for chosen, title, how in (("translate", "In software", "The guest's code is translated"),
                               ("kvm", "KVM", "^KVM ")):
      d.vitrine("create", chosen, "--memory", "64", "--kernel", GUEST, "--append", "watch")
      d.spawn(VITRINE, "run", chosen, "--cpu-engine", chosen, log=chosen)
      window = d.wait_window(f"^{chosen}$")
      label = d.wait(title, "label", within=d.wait(chosen, "frame"))
      status = json.loads(d.vitrine("status", chosen, "--json"))
      expect(re.search(how, status["cpu-detail"]), f"not {status['cpu-detail']}")
      bar = label.parent()
      while bar.get("Accessible", "Description") == "":
        bar = bar.parent()
      expect(bar.get("Accessible", "Description") == status["cpu-detail"], "the tooltip is the description")
      listed = json.loads(d.vitrine("list", "--json"))
      expect([m["cpu-engine"] for m in listed if m["name"] == chosen] == [chosen], "the list has it")
      d.choose("Power", "Pause", within=d.wait(chosen, "frame"))
      d.wait("Paused", "label", within=d.wait(chosen, "frame"))
      d.vitrine("stop", "--force", chosen)
      d.wait_no_window(f"^{chosen}$")


def screenshot():
  """A screenshot goes to the user's pictures, under the machine's name and the time."""
  with Desktop() as d:
    os.mkdir(d.path("Bilder"))
    d.write("config/user-dirs.dirs", 'XDG_PICTURES_DIR="$HOME/Bilder"\n')
    guest = Guest(d, "watch")
    guest.wait("GUEST")
    d.choose("View and devices", "Take Screenshot…")
    d.wait("Save Screenshot")
    d.press("Save")
    d.wait_gone("Save Screenshot")
    names = until(lambda: os.listdir(d.path("Bilder")), 20, "the picture")
    expect(re.fullmatch(r"guest \d{4}-\d\d-\d\d \d\d-\d\d-\d\d\.png", names[0]), f"not {names}")
    with open(os.path.join(d.path("Bilder"), names[0]), "rb") as f:
      expect(f.read(8) == b"\x89PNG\r\n\x1a\n", "a PNG")


def power_menu():
  with Desktop() as d:
    guest = Guest(d, "watch")
    guest.wait("GUEST")
    d.choose("Power", "Pause")
    d.wait("The machine is paused", "label")
    d.wait_state("guest", "paused")
    d.choose("Power")
    d.wait("Reset")
    expect(d.find("Pause", "push button") is None, "a paused machine is not offered a pause")
    expect(not d.find("Shut Down").has("sensitive"), "a paused guest can't shut down")
    d.key("Escape")
    d.wait_gone("Reset")
    d.choose("Power", "Resume")
    d.wait_gone("The machine is paused", "label")
    d.wait_state("guest", "running")
    # The same by the buttons beside the menu and on the picture.
    d.press("Pause")
    d.press("Resume", within=d.wait("The machine is paused").parent())
    d.wait_state("guest", "running")
    d.wait_gone("The machine is paused", "label")
    d.choose("Power", "Reset")
    guest.wait("GUEST", 2)
    d.choose("Power", "Force Off")
    d.press("Cancel", within=d.wait(re.compile(""), "alert"))
    d.wait_gone(re.compile(""), "alert")
    expect(d.state("guest") == "running", "a cancelled question ends nothing")
    d.choose("Power", "Shut Down")
    guest.wait("BUTTON")
    guest.wait_end()


def close():
  """Closing asks; the answers do what they say, and a guest's power-off answers too."""
  with Desktop() as d:
    guest = Guest(d, "watch")
    guest.wait("GUEST")
    ask = lambda: (d.press("Close", within=d.wait("guest", "frame")),
                   d.wait("The machine is still on.", "label"))
    ask()
    d.press("Cancel")
    d.wait_gone("The machine is still on.", "label")
    expect(d.find_window("^guest$"), "the window stays")
    ask()
    d.press("Keep Running")
    d.wait_no_window("^guest$")
    expect(d.state("guest") == "running", "it runs on without its window")
    d.spawn(VITRINE, log="library")
    d.choose("Menu of “guest”", "Show Window")
    d.wait_window("^guest$")
    d.wait("Guest screen")
    ask()
    d.press("Shut Down")
    guest.wait_end()
    guest = Guest(d, "watch", "forced")
    guest.wait("GUEST")
    d.press("Close", within=d.wait("forced", "frame"))
    d.press("Force Off")
    guest.wait_end()
    # The guest ends while its user is asked: there is nothing left to ask.
    guest = Guest(d, "watch", "late")
    guest.wait("GUEST")
    d.press("Close", within=d.wait("late", "frame"))
    d.wait("The machine is still on.", "label")
    d.vitrine("stop", "late", "--timeout", "0")
    guest.wait_end()


def power_off():
  with Desktop() as d:
    # It may be gone before anybody has seen its window.
    Guest(d, "poweroff", window=False).wait_end()


def crash(words, cause):
  with Desktop() as d:
    d.vitrine("create", "guest", "--memory", "64", "--kernel", GUEST, "--append", words)
    process = d.spawn(VITRINE, "run", "guest", log="guest")
    bar = d.wait(cause, "label", 60)
    d.wait("Crashed", "label")
    details = d.find("Details")
    expect(details is not None, "there are details")
    d.click_widget(details, at_start=True)
    registers = until(lambda: next((w for w in d.widgets() if w.role == "text" and w.has("showing")), None),
                      20, "the details")
    expect("rip" in registers.text().lower(), f"the details have the registers: {registers.text()}")
    expect(registers.extents()[3] > 60, "the details are tall enough to be read")
    # Still a window: menus work, keys do no harm, the picture can be saved.
    d.key("a")
    d.choose("View and devices")
    expect(d.wait("Take Screenshot…").has("sensitive"), "the last picture can be saved")
    d.key("Escape")
    d.wait_gone("Take Screenshot…")
    expect(d.find("Resume", "push button") is None, "a crashed guest is not offered to go on")
    count = bar.name
    for way in ("header", "bar"):
      restart = [w for w in d.widgets() if w.role == "push button" and w.name == "Restart" and w.has("showing")]
      expect(len(restart) == 2, f"two ways to restart, and they are {[str(w) for w in restart]}")
      at = [w.extents() for w in restart]
      widget = restart[at.index((min if way == "header" else max) (at, key=lambda e: e[1]))]
      d.click_widget(widget)
      until(lambda: ends(d) >= (2 if way == "header" else 3), 60, f"a restart from the {way}")
      d.wait(cause, "label", 60)
    expect(bar.name == count, "the same cause is told in the same words")
    d.press("Close", within=d.wait("guest", "frame"))
    d.wait("The machine is still on.", "label")
    d.press("Force Off")
    until(lambda: process.poll() is not None, 30, "the end of the process")
    expect(process.returncode == 0, f"its user has seen the crash and ended it: {process.returncode}")


def ends(d):
  """How often the process has told of a crash."""
  return sum(len(re.findall("^vitrine: ", text, re.M)) for _, text in d.logs())


def emulation_failure():
  """An instruction that has to be emulated, on whatever host, and cannot be."""
  crash("not-emulated", re.compile("maskmovdqu|fwait"))


def triple_fault():
  """A guest that faults itself into a reset goes on, and its user is told why it started again."""
  with Desktop() as d:
    guest = Guest(d, "triple-fault")
    d.wait(re.compile("reset after a triple fault of processor 0"), "label", 60)
    guest.wait("GUEST", 2)
    expect(d.find("Restart", "push button") is None, "a guest that runs needs no restart")
    d.press("Close", within=d.wait("guest", "frame"))
    d.press("Force Off")
    guest.wait_end()


main(engine, screenshot, triple_fault, send_keys, reset_by_keys, power_menu, close, power_off, emulation_failure)
