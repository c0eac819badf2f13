# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop for one test: an X server, a window manager, and a session bus with its accessibility
registry, all of the test's own. Windows are found and used by xdotool, as a user's hands would;
what is in them is found by what it is called (accessible.py).

Everything waits for what it sees, with a deadline.
"""
import glob, json, os, re, shutil, subprocess, sys, tempfile, time

from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "boot"))
import accessible
from accessible import Gone
from machine import BUILD, Failure, PATIENCE, VITRINE, configure, expect, main

# The toolkit's own complaints are failures of ours, and so are the sanitizers'.
COMPLAINT = re.compile(r"^.*(?:\b(?:WARNING|CRITICAL|ERROR) \*\*|Sanitizer: |: runtime error: ).*$", re.M)

# Programs on the desktop that are not ours.
GUESTS = ("remote-viewer",)

SETTINGS = """[Settings]
gtk-font-name=Cantarell 11
gtk-enable-animations=0
gtk-cursor-blink=0
"""

# The windows have decorations of their own, and every key but one is theirs or the guest's.
OPENBOX = """<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew></focus>
  <placement><policy>Smart</policy><center>yes</center></placement>
  <desktops><number>1</number><popupTime>0</popupTime></desktops>
  <keyboard><keybind key="W-F4"><action name="Close"/></keybind></keyboard>
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
  def __init__(self, size="1280x900", scale=1, theme="Adwaita", dark=False, env=None):
    self.folder = tempfile.mkdtemp(prefix="vitrine-ui-")
    self.processes = []
    self.scale = scale
    self.expected = [] # Patterns of complaints that a test means to cause.
    self.bus = None
    for sub in ("config/gtk-3.0", "config/openbox", "run", "cache", "data", "machines"):
      os.makedirs(os.path.join(self.folder, sub), 0o700)
    self.write("config/gtk-3.0/settings.ini", SETTINGS + f"gtk-theme-name={theme}\n"
               f"gtk-application-prefer-dark-theme={int(dark)}\n")
    self.write("config/openbox/rc.xml", OPENBOX)
    # No settings, portal or bus of the computer's own reach the windows.
    self.env = {k: v for k, v in os.environ.items()
                if not re.match(r"(XDG_|GTK_|GDK_|DBUS_|DISPLAY$|WAYLAND)", k)}
    self.env.update(LC_ALL="C.UTF-8", GDK_BACKEND="x11", HOME=self.folder,
                    VITRINE_HOME=self.path("machines"), XDG_CONFIG_HOME=self.path("config"),
                    XDG_RUNTIME_DIR=self.path("run"), XDG_CACHE_HOME=self.path("cache"),
                    XDG_DATA_HOME=self.path("data"))
    # What is used after its end is seen to be.
    self.env.update(G_SLICE="always-malloc", MALLOC_PERTURB_="85")
    if scale != 1:
      self.env["GDK_SCALE"] = str(scale)
    self.env.update(env or {})
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
    else:
      try:
        self.stop_machines()
        self.check_quiet()
      except BaseException:
        self.explain()
        self.close()
        raise
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

  def stop_machines(self):
    """Those that have a process of their own, which the library window or a command started."""
    for folder in glob.glob(self.path("machines/*.vitrine")):
      name = os.path.basename(folder)[:-len(".vitrine")]
      if os.path.getsize(folder + "/lock") if os.path.exists(folder + "/lock") else 0:
        self.vitrine("stop", "--force", name, check=False)

  def close(self):
    stuck = []
    if self.bus is not None:
      self.bus.close()
    self.stop_machines()
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

  def logs(self):
    """(what it is of, its text) for every program: the test's own, and the machines'."""
    for process in self.processes:
      yield os.path.basename(process.args[0]), self.read(process)
    for path in sorted(glob.glob(self.path("machines/*/log*.txt"))):
      with open(path, encoding="utf-8", errors="replace") as f:
        yield path[len(self.folder) + 1:], f.read()

  def check_quiet(self, process=None):
    """The windows complained about nothing."""
    texts = [self.read(process)] if process else [text for name, text in self.logs() if name not in GUESTS]
    found = [line for text in texts for line in COMPLAINT.findall(text)
             if not any(re.search(pattern, line) for pattern in self.expected)]
    expect(not found, "on standard error: " + "\n".join(found))

  def run(self, *command, check=True, timeout=30):
    r = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=timeout * PATIENCE)
    if check and r.returncode != 0:
      raise Failure(f"{' '.join(command)}: exit {r.returncode}: {r.stderr.strip()}")
    return r.stdout.strip()

  def vitrine(self, *arguments, check=True, timeout=60):
    """The program as a command; its output, or the whole result where it may fail."""
    r = subprocess.run([VITRINE, *arguments], env=self.env, capture_output=True, text=True,
                       errors="replace", timeout=timeout * PATIENCE)
    if check and r.returncode != 0:
      raise Failure(f"vitrine {' '.join(arguments)}: exit {r.returncode}: {r.stderr.strip()}")
    return r.stdout if check else r

  def configure(self, name, **settings):
    configure(self.path(f"machines/{name}.vitrine"), **settings)

  def state(self, name):
    r = self.vitrine("status", name, "--json", check=False)
    return json.loads(r.stdout)["state"] if r.returncode == 0 else None

  def wait_state(self, name, state, seconds=30):
    until(lambda: self.state(name) == state, seconds, f"state {state!r} of {name!r}")

  def explain(self):
    """What a person would want to see of a failed test: logs, what the windows say, a picture."""
    for name, text in self.logs():
      if text.strip() and name not in ("Xvfb", "dbus-daemon"):
        print(f"--- {name} ---\n{text.strip()}", file=sys.stderr)
    try:
      print(f"--- windows ---\n{self.tree()}", file=sys.stderr)
      shots = os.path.join(BUILD, "meson-logs")
      path = os.path.join(shots if os.path.isdir(shots) else tempfile.gettempdir(),
                          f"failed-{os.path.splitext(os.path.basename(sys.argv[0]))[0]}-{os.getpid()}.png")
      print(f"--- screen ---\n{self.photograph(path)}", file=sys.stderr)
    except Exception as error:
      print(f"--- no picture: {error} ---", file=sys.stderr)

  # What is seen --------------------------------------------------------------------------------

  def photograph(self, path, window="root"):
    """A window alone, or the whole screen with what pops up over it."""
    self.run("import", "-silent", "-window", str(window), path)
    return path

  def pixels(self, window="root"):
    with Image.open(self.photograph(self.path("look.png"), window)) as picture:
      return picture.convert("RGB")

  def find_window(self, title):
    def search():
      r = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", title], env=self.env,
                         capture_output=True, text=True, timeout=30 * PATIENCE)
      # A window that goes while xdotool looks through them ends it, whatever it has found.
      return r if "X Error" not in r.stderr else None
    ids = until(search, 20, "a look through the windows").stdout.split()
    return int(ids[-1]) if ids else None

  def wait_window(self, title, seconds=30):
    return until(lambda: self.find_window(title), seconds, f"window {title!r}")

  def wait_no_window(self, title, seconds=30):
    until(lambda: not self.find_window(title), seconds, f"the end of window {title!r}")

  def geometry(self, window):
    out = self.run("xdotool", "getwindowgeometry", "--shell", str(window))
    return {k: int(v) for k, v in (line.split("=") for line in out.splitlines())}

  # What is in the windows ----------------------------------------------------------------------

  def widgets(self):
    if self.bus is None:
      self.bus = accessible.Bus(self.env["DBUS_SESSION_BUS_ADDRESS"])
    for program in self.bus.programs():
      yield from program.walk()

  def tree(self):
    self.bus = self.bus or accessible.Bus(self.env["DBUS_SESSION_BUS_ADDRESS"])
    return "".join(program.tree() for program in self.bus.programs())

  def find_all(self, name, role=None, within=None):
    """The widgets that are shown now. @name: the whole of it, or a pattern."""
    for widget in within.walk() if within else self.widgets():
      try:
        if role is not None and widget.role != role:
          continue
        own = widget.name
        if (own == name if isinstance(name, str) else name.search(own)) and widget.has("showing"):
          yield widget
      except Gone:
        continue

  def find(self, name, role=None, within=None):
    return next(self.find_all(name, role, within), None)

  def wait(self, name, role=None, seconds=30, within=None):
    return until(lambda: self.find(name, role, within), seconds, f"{role or 'widget'} {name!r}")

  def wait_gone(self, name, role=None, seconds=30):
    until(lambda: not self.find(name, role), seconds, f"the end of {role or 'widget'} {name!r}")

  def press(self, name, role=None, seconds=30, within=None, last=False):
    """Clicks on a widget once it is there and can be clicked on."""
    def ready():
      found = list(self.find_all(name, role, within))
      widget = found[-1 if last else 0] if found else None
      try:
        return widget if widget and widget.has("sensitive") else None
      except Gone:
        return None
    widget = until(ready, seconds, f"{role or 'widget'} {name!r} to click on")
    self.click_widget(widget)
    return widget

  def click_widget(self, widget, at_start=False):
    """In its middle, or on its first letter where only its text can be clicked on."""
    # It may still be moving to its place.
    x, y, width, height = until(lambda: self.rest(widget), 10, f"{widget} to come to rest")
    self.run("xdotool", "mousemove", str(int((x + (20 if at_start else width / 2)) * self.scale)),
             str(int((y + height / 2) * self.scale)), "click", "1")

  def enter_file(self, title, path):
    """In a file chooser that has opened: a person types the path, and Return until it is taken."""
    self.wait(title)
    # GTK's own complaint when our look through the windows, as a screen reader's, comes upon a part of the
    # chooser that has just ended: the bridge asks on, and GTK doesn't look whether there is a widget.
    self.expected.append("gtk_container_forall: assertion 'GTK_IS_CONTAINER")
    self.type(path, delay=20)
    until(lambda: any(w.text() == path for w in self.find_all(re.compile(""), "text")), 20, f"{path!r} in {title!r}")
    def gone():
      self.key("Return")
      time.sleep(0.5)
      return not self.find(title)
    until(gone, 20, f"the end of {title!r}")

  @staticmethod
  def rest(widget):
    before = widget.extents()
    time.sleep(0.05)
    return before if before[2] > 0 and before == widget.extents() else None

  def choose(self, menu, *items, within=None):
    """Opens the menu of a button and chooses an item, by way of submenus."""
    window = self.press(menu, within=within)
    while window.role not in ("frame", "dialog", "alert"):
      window = window.parent()
    for item in items:
      # What pops up over a window comes after all that is in it.
      self.press(item, within=window, last=True)

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
