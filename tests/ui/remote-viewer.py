#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A GRUB rescue CD in the machine's own window and in remote-viewer over TLS at the same time."""
import os, re, signal, subprocess, sys

sys.path.insert(0, os.path.dirname(__file__))
from desktop import Desktop, expect, until
from machine import main
from media import rescue_iso
from PIL import Image, ImageChops
from screenmachine import ScreenMachine, differs

PASSWORD = "a word of its own"
# Beside each other on the screen.
SIZE = "1700x900"


def serve(d):
  """The machine, with a port of its own for viewers who know the password."""
  m = ScreenMachine(d, "grub", "--iso", rescue_iso(d.folder), "--memory", "256")
  d.configure("grub", remote=dict(enabled=True, tls=True, address="127.0.0.1", port=0, password=PASSWORD))
  m.open()
  m.port = m.until(lambda: re.search(r"tls-port=(\d+)", d.read(m.process)), 60, "the port for viewers")[1]
  return m


def view(d, m, name, password):
  """A viewer with all that it needs in one file, certificate included; it deletes the file."""
  with open(os.path.join(m.folder, "server-cert.pem"), encoding="ascii") as f:
    ca = f.read().replace("\n", "\\n")
  subject = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253,sep_comma_plus",
                            "-in", os.path.join(m.folder, "server-cert.pem")],
                           capture_output=True, text=True, check=True).stdout.strip()
  # From the outermost inwards, as the certificate has it.
  subject = ",".join(reversed(subject.removeprefix("subject=").strip().split(",")))
  d.write(name + ".vv", f"""[virt-viewer]
type=spice
title={name}
host=127.0.0.1
tls-port={m.port}
ca={ca}
host-subject={subject}
password={password}
secure-channels=main;display;inputs;cursor
delete-this-file=1
""")
  return d.spawn("remote-viewer", d.path(name + ".vv"), log=name)


def move(d, window, x):
  d.run("xdotool", "windowmove", str(window), str(x), "60")


def shows(d, window, m):
  """Whether the window shows the guest's picture, pixel for pixel, wherever in it."""
  g = d.geometry(window)
  picture = d.pixels().crop((g["X"], g["Y"], g["X"] + g["WIDTH"], g["Y"] + g["HEIGHT"]))
  guest = m.screenshot()
  box = guest.getbbox()
  # The text without the cursor's line, which may blink.
  guest = guest.crop((0, 0, guest.width, box[3] - 4))
  first = next(iter(lit(guest)))
  for at in lit(picture):
    left, top = at[0] - first[0], at[1] - first[1]
    part = picture.crop((left, top, left + guest.width, top + guest.height))
    if left >= 0 and top >= 0 and not differs(part, guest):
      return True
  return False


def lit(picture):
  """The points that have the text's colour, from the top; enough of them to find where it begins."""
  mask = ImageChops.difference(picture, Image.new("RGB", picture.size, (168, 168, 168))).convert("L")
  data, width, n = mask.tobytes(), picture.width, 0
  for i, v in enumerate(data):
    if v < 4:
      yield i % width, i // width
      n += 1
      if n > 500:
        return



def beside():
  with Desktop(size=SIZE) as d:
    d.expected.append("reds_handle_ticket: Invalid password")
    m = serve(d)
    move(d, m.window, 20)
    m.wait_text("grub>", 240)
    refused = view(d, m, "refused", "another word")
    # It asks for the right one instead of showing anything.
    d.wait_window("Authentication|Password|Error", 30)
    window = d.find_window("^refused")
    expect(window is None or not shows(d, window, m), "who is refused sees nothing of the screen")
    refused.send_signal(signal.SIGTERM)
    refused.wait(20)
    viewer = view(d, m, "viewer", PASSWORD)
    there = d.wait_window("^viewer", 30)
    move(d, there, 860)
    until(lambda: shows(d, there, m), 30, "GRUB's screen in remote-viewer")
    m.wait_shown()
    # From either side, and each sees what the other has typed.
    m.focus()
    m.point(0.9, 0.9)
    m.type_seen("grub> ", "echo here")
    g = d.geometry(there)
    d.focus(there)
    d.run("xdotool", "mousemove", str(g["X"] + g["WIDTH"] // 2), str(g["Y"] + g["HEIGHT"] // 2))
    m.type_seen("grub> echo here", " there")
    until(lambda: shows(d, there, m), 30, "both words in remote-viewer")
    m.wait_shown()
    # A viewer that is stopped keeps nobody waiting, and catches up. (After 30 s the server would send it
    # away.)
    m.focus()
    m.point(0.9, 0.9)
    viewer.send_signal(signal.SIGSTOP)
    try:
      m.type_seen("grub> echo here there", " on")
      m.wait_shown()
      d.key("Return")
      m.wait_text("(?m)^here there on$")
      m.wait_shown()
    finally:
      viewer.send_signal(signal.SIGCONT)
    until(lambda: viewer.poll() is not None or shows(d, there, m), 30, "remote-viewer to catch up")
    if viewer.poll() is not None:
      # On a busy computer the typing took longer than that.
      expect("has been unresponsive" in d.read(m.process), "a viewer is not sent away for nothing")
      d.expected.append("has been unresponsive")
      viewer = view(d, m, "viewer again", PASSWORD)
      there = d.wait_window("^viewer again", 30)
      move(d, there, 860)
      until(lambda: shows(d, there, m), 30, "remote-viewer to come back")
    # It goes; the machine goes on.
    viewer.send_signal(signal.SIGTERM)
    viewer.wait(20)
    m.type_seen("grub> ", "echo alone")
    m.wait_shown()


main(beside)
