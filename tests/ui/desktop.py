# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop for one test: an X server, a window manager, and a session bus with its accessibility
registry, all of the test's own. Windows are found and used by xdotool, as a user's hands would.

Everything waits for what it sees, with a deadline.
"""
import os, re, shutil, subprocess, sys, tempfile, time

from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "boot"))
from machine import Failure, PATIENCE, expect

# The toolkit's own complaints are failures of ours.
COMPLAINT = re.compile(r"^.*\b(?:WARNING|CRITICAL|ERROR) \*\*.*$", re.M)

SETTINGS = """[Settings]
gtk-font-name=Cantarell 11
gtk-enable-animations=0
gtk-cursor-blink=0
"""

# The windows have decorations of their own, and every key is theirs or the guest's.
OPENBOX = """<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew></focus>
  <placement><policy>Smart</policy><center>yes</center></placement>
  <desktops><number>1</number><popupTime>0</popupTime></desktops>
  <keyboard/>
  <mouse>
    <context name="Client">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
    </context>
  </mouse>
</openbox_config>
"""


def until(condition, seconds, what):
  end = time.monotonic() + seconds * PATIENCE
  while True:
    value = condition()
    if value:
      return value
    if time.monotonic() > end:
      raise Failure(f"{what}: did not come within {seconds:g} s")
    time.sleep(0.1)


class Desktop:
  def __init__(self, size="1280x900", scale=1):
    self.folder = tempfile.mkdtemp(prefix="vitrine-ui-")
    self.processes = []
    for sub in ("config/gtk-3.0", "config/openbox", "run", "cache", "data", "machines"):
      os.makedirs(os.path.join(self.folder, sub), 0o700)
    self.write("config/gtk-3.0/settings.ini", SETTINGS)
    self.write("config/openbox/rc.xml", OPENBOX)
    # No settings, portal or bus of the computer's own reach the windows.
    self.env = {k: v for k, v in os.environ.items()
                if not re.match(r"(XDG_|GTK_|GDK_|DBUS_|DISPLAY$|WAYLAND)", k)}
    self.env.update(LC_ALL="C.UTF-8", GDK_BACKEND="x11", HOME=self.folder,
                    VITRINE_HOME=self.path("machines"), XDG_CONFIG_HOME=self.path("config"),
                    XDG_RUNTIME_DIR=self.path("run"), XDG_CACHE_HOME=self.path("cache"),
                    XDG_DATA_HOME=self.path("data"))
    if scale != 1:
      self.env["GDK_SCALE"] = str(scale)
    try:
      self.env["DISPLAY"] = ":" + self.spawn_told(
        "Xvfb", "-displayfd", "{fd}", "-screen", "0", size + "x24", "-nolisten", "tcp", "-noreset")
      self.env["DBUS_SESSION_BUS_ADDRESS"] = self.spawn_told(
        "dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address={fd}")
      self.spawn("openbox", "--sm-disable", log="openbox")
      until(lambda: "window id" in self.run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK", check=False),
            20, "the window manager")
    except BaseException:
      self.close()
      raise

  def __enter__(self):
    return self

  def __exit__(self, kind, value, trace):
    if kind is not None:
      self.explain()
    self.close()

  # Processes -----------------------------------------------------------------------------------

  def path(self, name):
    return os.path.join(self.folder, name)

  def write(self, name, text):
    with open(self.path(name), "w", encoding="utf-8") as f:
      f.write(text)

  def spawn(self, *command, log, **options):
    out = open(self.path(log + ".log"), "w+", encoding="utf-8", errors="replace")
    process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                               stderr=subprocess.STDOUT, **options)
    process.log = out.name
    self.processes.append(process)
    return process

  def spawn_told(self, *command):
    """Starts a server that tells on a pipe where it listens."""
    r, w = os.pipe()
    self.spawn(*[c.format(fd=w) for c in command], log=command[0], pass_fds=[w])
    os.close(w)
    with os.fdopen(r) as pipe:
      told = pipe.readline().strip()
    if not told:
      raise Failure(f"{command[0]} did not start")
    return told

  def close(self):
    stuck = []
    for process in reversed(self.processes):
      if process.poll() is None:
        process.terminate()
        try:
          process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
          process.kill()
          process.wait()
          stuck.append(process.args[0])
    shutil.rmtree(self.folder, ignore_errors=True)
    if stuck:
      raise Failure(f"did not end on SIGTERM: {stuck}")

  def read(self, process):
    with open(process.log, encoding="utf-8", errors="replace") as f:
      return f.read()

  def check_quiet(self, process):
    """The windows complained about nothing."""
    found = COMPLAINT.findall(self.read(process))
    expect(not found, "on standard error: " + "\n".join(found))

  def run(self, *command, check=True, timeout=30):
    r = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=timeout * PATIENCE)
    if check and r.returncode != 0:
      raise Failure(f"{' '.join(command)}: exit {r.returncode}: {r.stderr.strip()}")
    return r.stdout.strip()

  def explain(self):
    for process in self.processes:
      text = self.read(process).strip()
      if text and process.args[0] != "Xvfb":
        print(f"--- {process.args[0]} ---\n{text}", file=sys.stderr)

  # What is seen --------------------------------------------------------------------------------

  def photograph(self, path, window="root"):
    """A window alone, or the whole screen with what pops up over it."""
    self.run("import", "-silent", "-window", str(window), path)
    return path

  def pixels(self, window="root"):
    with Image.open(self.photograph(self.path("look.png"), window)) as picture:
      return picture.convert("RGB")

  def find_window(self, title):
    ids = self.run("xdotool", "search", "--onlyvisible", "--name", title, check=False).split()
    return int(ids[-1]) if ids else None

  def wait_window(self, title, seconds=30):
    return until(lambda: self.find_window(title), seconds, f"window {title!r}")

  def wait_no_window(self, title, seconds=30):
    until(lambda: not self.find_window(title), seconds, f"the end of window {title!r}")

  def geometry(self, window):
    out = self.run("xdotool", "getwindowgeometry", "--shell", str(window))
    return {k: int(v) for k, v in (line.split("=") for line in out.splitlines())}

  # What is done --------------------------------------------------------------------------------

  def click(self, window, x, y, button=1):
    """At a point of a window."""
    g = self.geometry(window)
    self.run("xdotool", "mousemove", str(int(g["X"] + x)), str(int(g["Y"] + y)), "click", str(button))

  def focus(self, window):
    self.run("xdotool", "windowactivate", "--sync", str(window))

  def key(self, *chords, delay=60):
    self.run("xdotool", "key", "--delay", str(delay), *chords)

  def type(self, text, delay=60):
    """@delay: milliseconds; a BIOS keeps 15 keys, and a slow guest reads them late."""
    self.run("xdotool", "type", "--delay", str(delay), text, timeout=60)
