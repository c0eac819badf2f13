#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's rescue CD in the machine's window and in remote-viewer over TLS at the same time: the same
picture in both, keys from both, and what goes wrong at one is not the other's trouble."""
import json, signal

from desktop import COMPLAINT, VITRINE, Desktop, Image, expect, main, until
from media import rescue_iso

PASSWORD = "correct horse"


class Both(Desktop):
  """A desktop with one machine, viewed remotely as its owner would: machine.json says so, and a .vv file
  tells remote-viewer."""

  def __init__(self):
    super().__init__(size="1700x1200")
    try:
      self.vitrine("create", "grub", "--memory", "128", "--iso",
                   rescue_iso(self.folder, "terminal_output console\nterminal_input console\n"))
      path = self.path("machines/grub.vitrine/machine.json")
      with open(path, encoding="utf-8") as f:
        config = json.load(f)
      config["remote"].update(enabled=True, tls=True, password=PASSWORD)
      with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
      self.machine = self.spawn(VITRINE, "run", "grub", log="machine")
      self.window = self.wait_window("grub")
      self.wait_text("grub>", 240)
      self.choose("View and devices", "Original Size")
      # A choice leaves the menu open.
      self.key("Escape")
      self.wait_gone("Original Size")
      self.place(self.window, 0, 0)
    except BaseException:
      self.explain()
      self.close()
      raise

  def check_quiet(self, process=None):
    """The SPICE libraries complain of what this test does on purpose."""
    found = [line for line in COMPLAINT.findall(self.read(self.machine)) if "Spice-" not in line]
    expect(not found, "on standard error: " + "\n".join(found))

  def wait_text(self, text, seconds=60):
    until(lambda: text in self.vitrine("text", "grub", check=False).stdout, seconds,
          f"screen text {text!r}")

  def place(self, window, x, y):
    """Beside the other one, and the pointer out of the way: it's in photographs."""
    self.run("xdotool", "windowmove", "--sync", str(window), str(x), str(y), "mousemove", "1699", "1199")

  def connect(self, password, x, y):
    """(process, window) of a remote-viewer."""
    status = json.loads(self.vitrine("status", "grub", "--json"))
    certificate = self.path("machines/grub.vitrine/server-cert.pem")
    subject = self.run("openssl", "x509", "-in", certificate, "-noout", "-subject").replace(" ", "")
    with open(certificate, encoding="ascii") as f:
      ca = f.read().replace("\n", "\\n")
    name = f"viewer{len(self.processes)}"
    self.write(name + ".vv", "[virt-viewer]\ntype=spice\nhost=127.0.0.1\n"
               f"tls-port={status['spice-tls-port']}\nca={ca}\n"
               f"host-subject={subject.removeprefix('subject=')}\n"
               f"password={password}\ntitle={name}\n")
    process = self.spawn("remote-viewer", self.path(name + ".vv"), log=name)
    window = self.wait_window(name)
    self.place(window, x, y)
    return process, window

  def shows(self, window):
    """Whether a window shows the machine's picture of now, pixel for pixel, wherever in it."""
    self.vitrine("screenshot", "grub", self.path("guest.png"))
    with Image.open(self.path("guest.png")) as picture:
      return contains(self.pixels(window), picture.convert("RGB"))

  def wait_both(self, viewer):
    for window in (self.window, viewer):
      until(lambda: self.shows(window), 30, f"the guest's picture in window {self.title(window)!r}")

  def title(self, window):
    return self.run("xdotool", "getwindowname", str(window))

  def type_echo(self, window, word):
    """At GRUB's prompt, key by key: each is waited for on the guest's screen, since a slow guest reads
    late what a BIOS keeps fifteen of."""
    self.focus(window)
    typed = ""
    for letter in "echo " + word:
      self.key("space" if letter == " " else letter)
      typed += letter
      self.wait_text("grub> " + typed.rstrip())
    self.key("Return")
    self.wait_text("\n" + word + "\n")


def contains(whole, part):
  """Whether @part is somewhere in @whole: both RGB pictures."""
  columns, rows = whole.size
  width, height = part.size
  if width > columns or height > rows:
    return False
  lines = [part.crop((0, y, width, y + 1)).tobytes() for y in range(height)]
  best = max(range(height), key=lambda y: len(set(lines[y])) * len(lines[y].strip(b"\0")))
  for y in range(best, rows - (height - 1 - best)):
    line = whole.crop((0, y, columns, y + 1)).tobytes()
    at = line.find(lines[best])
    while at >= 0:
      x, top = at // 3, y - best
      if at % 3 == 0 and whole.crop((x, top, x + width, top + height)).tobytes() == b"".join(lines):
        return True
      at = line.find(lines[best], at + 1)
  return False


def beside():
  with Both() as desktop:
    viewer, window = desktop.connect(PASSWORD, 860, 0)
    desktop.wait_both(window)

    desktop.type_echo(desktop.window, "local")
    desktop.wait_both(window)
    # Its pointer is in relative mode until the guest has a tablet: the keys need no click.
    desktop.type_echo(window, "remote")
    desktop.wait_both(window)

    # A wrong password: asked again, nothing seen, and the one who is there stays.
    intruder, dialog = wrong_password(desktop)
    expect(not desktop.shows(dialog), "who is refused sees nothing")
    intruder.send_signal(signal.SIGTERM)
    intruder.wait(60)
    desktop.type_echo(window, "again")
    desktop.wait_both(window)

    # A stopped viewer: the local window goes on, key by key.
    viewer.send_signal(signal.SIGSTOP)
    try:
      desktop.type_echo(desktop.window, "on")
      until(lambda: desktop.shows(desktop.window), 30, "the picture beside a stopped viewer")
    finally:
      viewer.send_signal(signal.SIGCONT)
    # It catches up; or, where the server has not heard of it for half a minute, it's gone, and may come back.
    until(lambda: viewer.poll() is not None or desktop.shows(window), 60, "the picture, or the viewer's end")
    if viewer.poll() is not None:
      viewer, window = desktop.connect(PASSWORD, 860, 0)
      desktop.wait_both(window)
    desktop.type_echo(window, "back")
    desktop.wait_both(window)
    viewer.send_signal(signal.SIGTERM)
    viewer.wait(60)
    desktop.type_echo(desktop.window, "end")


def wrong_password(desktop):
  intruder, _ = desktop.connect("battery staple", 860, 600)
  dialog = desktop.wait_window("Authentication required")
  return intruder, dialog


main(beside)
