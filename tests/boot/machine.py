# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine under test: made, run and looked at through the program's own commands.

Everything waits for what it reads (screen text, serial lines, an exit) with a deadline, never for a
time. The library is a temporary folder, so nothing of the user's is touched.
"""
import json, os, re, shutil, subprocess, sys, tempfile, time

VITRINE = os.environ["VITRINE"]
BUILD = os.environ.get("VITRINE_BUILD", ".")
# Deadlines are for a machine that does nothing else; one that emulates KVM and is busy besides takes
# longer, and a deadline costs nothing where the event comes.
PATIENCE = float(os.environ.get("VITRINE_PATIENCE", "4"))
# Which CPU engine the machines run on; empty: the program's own choice.
ENGINE = os.environ.get("VITRINE_CPU_ENGINE", "")


class Failure(Exception):
  pass


def configure(folder, **settings):
  """Changes top-level keys of machine.json as a person with an editor would."""
  path = os.path.join(folder, "machine.json")
  with open(path, encoding="utf-8") as f:
    config = json.load(f)
  config.update({key.replace("_", "-"): value for key, value in settings.items()})
  with open(path, "w", encoding="utf-8") as f:
    json.dump(config, f)


class Machine:
  def __init__(self, *options, name="test", serial=None, run=()):
    self.home = tempfile.mkdtemp(prefix="vitrine-boot-")
    self.name = name
    self.env = dict(os.environ, VITRINE_HOME=self.home, LC_ALL="C.UTF-8",
                    XDG_RUNTIME_DIR=os.path.join(self.home, "run"))
    os.mkdir(self.env["XDG_RUNTIME_DIR"], 0o700)
    self.process = None
    self.run_options = list(run) + (["--cpu-engine", ENGINE] if ENGINE else [])
    self.serial_path = os.path.join(self.home, "serial.log")
    self.log = open(os.path.join(self.home, "process.log"), "w+", encoding="utf-8", errors="replace")
    self.vitrine("create", name, *options)
    self.configure(kernel_irqchip=os.environ.get("VITRINE_KERNEL_IRQCHIP", "auto"), debug_exit=True)

  def __enter__(self):
    return self

  def __exit__(self, kind, value, trace):
    if kind is not None:
      self.explain()
    self.stop()
    shutil.rmtree(self.home, ignore_errors=True)

  def explain(self):
    """What a person would want to see of a failed test."""
    for what, text in (("process", self.messages()), ("serial", self.serial()), ("screen", self.text())):
      if text.strip():
        print(f"--- {what} ---\n{text.rstrip()}", file=sys.stderr)

  def folder(self):
    return os.path.join(self.home, self.name + ".vitrine")

  def configure(self, **settings):
    configure(self.folder(), **settings)

  def vitrine(self, *arguments, check=True, timeout=60):
    r = subprocess.run([VITRINE, *arguments], env=self.env, capture_output=True, text=True,
                       errors="replace", timeout=timeout * PATIENCE)
    if check and r.returncode != 0:
      raise Failure(f"vitrine {' '.join(arguments)}: exit {r.returncode}: {r.stderr.strip()}")
    return r if not check else r.stdout

  def start(self, *options, interactive=False, preexec_fn=None):
    """Runs headless, the first serial port into a file; @interactive: and from send()."""
    serial = "stdio" if interactive else "file:" + self.serial_path
    with open(self.serial_path, "wb") as out:
      self.process = subprocess.Popen(
        [VITRINE, "run", self.name, "--headless", "--serial", serial, *self.run_options, *options],
        env=self.env, stdin=subprocess.PIPE if interactive else subprocess.DEVNULL,
        stdout=out if interactive else self.log, stderr=self.log, preexec_fn=preexec_fn)
    self.until(lambda: self.process.poll() is not None or self.state() != "off", 30, "the start")

  def state(self):
    r = self.vitrine("status", self.name, "--json", check=False)
    return json.loads(r.stdout)["state"] if r.returncode == 0 and r.stdout else "off"

  def status(self):
    return json.loads(self.vitrine("status", self.name, "--json"))

  def messages(self):
    self.log.flush()
    return open(self.log.name, encoding="utf-8", errors="replace").read()

  def serial(self):
    try:
      return open(self.serial_path, "rb").read().decode("latin-1")
    except OSError:
      return ""

  def send(self, text):
    """Types at a serial port that is interactive."""
    self.process.stdin.write(text.encode())
    self.process.stdin.flush()

  def text(self):
    if self.process is None or self.process.poll() is not None:
      return ""
    r = self.vitrine("text", self.name, check=False)
    return r.stdout if r.returncode == 0 else ""

  def until(self, condition, seconds, what, alive=False):
    end = time.monotonic() + seconds * PATIENCE
    while True:
      value = condition()
      if value:
        return value
      if alive and self.process.poll() is not None:
        value = condition()
        if value:
          return value
        raise Failure(f"{what}: the machine ended with {self.process.returncode}")
      if time.monotonic() > end:
        raise Failure(f"{what}: did not come within {seconds:g} s")
      time.sleep(0.1)

  def wait_text(self, pattern, seconds):
    return self.until(lambda: re.search(pattern, self.text()), seconds, f"screen text {pattern!r}", True)

  def wait_serial(self, pattern, seconds):
    return self.until(lambda: re.search(pattern, self.serial()), seconds, f"serial {pattern!r}", True)

  def wait_message(self, pattern, seconds):
    return self.until(lambda: re.search(pattern, self.messages()), seconds, f"message {pattern!r}")

  def wait_state(self, state, seconds):
    return self.until(lambda: self.state() == state, seconds, f"state {state}")

  def wait_exit(self, seconds):
    try:
      return self.process.wait(seconds * PATIENCE)
    except subprocess.TimeoutExpired:
      raise Failure(f"the machine did not end within {seconds:g} s") from None

  def type(self, text, delay=None):
    """@delay: milliseconds between events; a BIOS keeps 15 keys, and a slow guest reads them late."""
    self.vitrine("type", *(["--delay", str(delay)] if delay else []), self.name, text, timeout=240)

  def key(self, *chords):
    self.vitrine("key", self.name, *chords)

  def click(self, x, y):
    self.vitrine("click", self.name, str(x), str(y))

  def screenshot(self, path=None):
    path = path or os.path.join(self.home, "shot.png")
    self.vitrine("screenshot", self.name, path)
    return path

  def stop(self):
    if self.process is not None and self.process.poll() is None:
      self.process.terminate()
      try:
        self.process.wait(20 * PATIENCE)
      except subprocess.TimeoutExpired:
        self.process.kill()
        self.process.wait()
        raise Failure("the process did not end on SIGTERM") from None


def expect(condition, what):
  if not condition:
    raise Failure(what)


def main(*cases):
  """Runs the named case, or all."""
  wanted = sys.argv[1:]
  for case in cases:
    if wanted and case.__name__ not in wanted:
      continue
    begin = time.monotonic()
    case()
    print(f"{case.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
