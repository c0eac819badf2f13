#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line from outside: arguments, files, exit codes, JSON, processes.

The program given has a machine without an engine behind it (fake-machine.c), so this runs anywhere.
"""
import glob, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time, unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
MANUAL = sys.argv.pop(1)
OK, FAILED, USAGE, NOT_FOUND, STATE, DENIED, INVALID, NO_SPACE, CRASH = range(9)


class Cli(unittest.TestCase):
  def setUp(self):
    self.root = tempfile.mkdtemp(prefix="vt-")
    self.home = os.path.join(self.root, "home")
    self.runtime = os.path.join(self.root, "run")
    os.mkdir(self.runtime, 0o700)
    self.env = {k: v for k, v in os.environ.items()
                if k not in ("DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE")}
    self.env.update(VITRINE_HOME=self.home, XDG_RUNTIME_DIR=self.runtime, LC_ALL="C.UTF-8",
                    VITRINE_FAKE_LOG=os.path.join(self.root, "log"))

  def tearDown(self):
    for entry in os.listdir(self.home) if os.path.isdir(self.home) else []:
      subprocess.run([PROGRAM, "stop", "--force", entry[:-len(".vitrine")]], env=self.env,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    shutil.rmtree(self.root)

  def cli(self, *args, code=OK, input="", cwd=None):
    """Runs the program and returns its output; on an error its one line."""
    done = subprocess.run([PROGRAM, *args], env=self.env, input=input, capture_output=True,
                          text=True, timeout=60, cwd=cwd or self.root)
    self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
    if code in (OK, CRASH):
      return done.stdout
    self.assertRegex(done.stderr, r"\Avitrine: [^\n]+\n\Z")
    return done.stderr

  def file(self, name, text="x"):
    path = os.path.join(self.root, name)
    with open(path, "w") as f:
      f.write(text)
    return path

  def folder(self, name):
    return os.path.join(self.home, name + ".vitrine")

  def config(self, name):
    with open(os.path.join(self.folder(name), "machine.json")) as f:
      return json.load(f)

  def change(self, name, **keys):
    config = self.config(name)
    config.update(keys)
    with open(os.path.join(self.folder(name), "machine.json"), "w") as f:
      json.dump(config, f)

  def state(self, name):
    return json.loads(self.cli("status", "--json", name))["state"]

  def wait_state(self, name, wanted):
    deadline = time.monotonic() + 30
    while (state := self.state(name)) != wanted:
      self.assertLess(time.monotonic(), deadline, f"{name} is {state}, not {wanted}")

  # Help and usage.

  def test_help(self):
    text = self.cli("--help")
    for command in ("create list show start stop pause resume reset delete run screenshot type key "
                    "click serial medium doctor").split():
      self.assertIn(f"\n  {command} ", text)
      help = self.cli(command, "--help")
      self.assertIn(f"vitrine {command}", help)
      self.assertIn("--help", help)
    self.assertRegex(self.cli("--version"), r"\Avitrine \d+\.\d+")

  def test_manual(self):
    """Every command, option and key is in the manual, and the manual has none that isn't there."""
    with open(MANUAL) as f:
      manual = f.read()
    listed = re.search(r"Commands:\n((?:  .*\n)+)", self.cli("--help")).group(1)
    commands = re.findall(r"^  (\S+)", listed, re.M)
    self.assertGreater(len(commands), 10)
    options = {"help", "version"}
    for command in commands:
      self.assertTrue(re.search(rf"Cm {command}( Ar NAME| Op|\n)", manual), command)
      options.update(re.findall(r"--([a-z-]+)", self.cli(command, "--help").split("Options:")[1]))
    self.assertEqual(options, set(re.findall(r"Fl -([a-z-]+)", manual)))
    keys = set()
    for path in glob.glob(os.path.join(os.path.dirname(MANUAL), "../engine/config/*.c")):
      with open(path) as f:
        keys.update(re.findall(r'PROP_[A-Z_]+,\s*"([a-z-]+)"', f.read()))
    self.assertGreater(len(keys), 20)
    listed = re.search(r"\.Sh THE CONFIGURATION\n(.*?)\n\.Sh", manual, re.S).group(1)
    items = " ".join(re.findall(r"\.It (.*)", listed))
    self.assertEqual(keys, set(re.findall(r"Cm ([a-z-]+)", items)))

  def test_usage(self):
    self.cli("nonsense", code=USAGE)
    self.cli("create", code=USAGE)
    self.cli("create", "a", "b", code=USAGE)
    self.cli("create", "a", "--nonsense", code=USAGE)
    self.cli("list", "a", code=USAGE)
    self.cli("run", "a", "--spice-port", "70000", code=USAGE)
    self.cli("run", "a", "--spice-port", "x", code=USAGE)
    self.cli("run", "a", "--cpu-engine", "hvf", code=USAGE)
    self.cli("run", "a", "--serial", "file:", code=USAGE)
    self.cli("click", "a", "1", "-1", code=USAGE)
    self.cli("click", "a", "1", "1", "--button", "fourth", code=USAGE)
    done = subprocess.run([PROGRAM], env=self.env, capture_output=True, timeout=60)
    self.assertEqual(done.returncode, USAGE)

  def test_locale(self):
    """Quotes, dashes and names are whole in the C locale, and in one that is not installed."""
    for variables in ({"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LANG": "xx_XX.UTF-8"}, {}):
      for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        self.env.pop(name, None)
      self.env.update(variables)
      name = "é " + next(iter(variables.values()), "none")
      self.cli("create", name)
      self.assertIn(name, self.cli("list"))
      self.assertIn(f"“{name}”", self.cli("create", name, code=STATE))
      self.assertIn("[OPTION…]", self.cli("--help"))

  # Create, list, show, delete.

  def test_create(self):
    iso, kernel = self.file("a.iso"), self.file("vmlinuz")
    self.cli("create", "Debian 12", "--iso", "a.iso", "--disk", "1.5G", "--disk", iso, "--memory",
             "2G", "--cpus", "3", "--kernel", kernel, "--append", "console=ttyS0")
    config = self.config("Debian 12")
    self.assertEqual(config["name"], "Debian 12")
    self.assertEqual(config["memory"], 2048)
    self.assertEqual(config["cpus"], 3)
    self.assertEqual(config["cdroms"], [{"path": iso}])
    self.assertEqual([d["path"] for d in config["disks"]], ["disk0.img", iso])
    self.assertEqual(config["append"], "console=ttyS0")
    image = os.stat(os.path.join(self.folder("Debian 12"), "disk0.img"))
    self.assertEqual(image.st_size, 3 << 29)
    self.assertLess(image.st_blocks * 512, 1 << 20)
    self.assertEqual(os.stat(self.folder("Debian 12")).st_mode & 0o777, 0o700)
    self.assertEqual(os.listdir(self.home), ["Debian 12.vitrine"])
    self.cli("create", "Debian 12", code=STATE)

  def test_create_bad(self):
    bad = [
      (INVALID, ["", "a/b", ".a", "..", "x" * 300, "a\nb"]),
    ]
    for code, names in bad:
      for name in names:
        self.cli("create", name, code=code)
    self.cli("create", "--", "-a", code=INVALID)
    for options, code in [
        (["--iso", "missing.iso"], NOT_FOUND), (["--iso", "/"], INVALID),
        (["--disk", "missing.img"], NOT_FOUND), (["--disk", "20"], USAGE), (["--disk", "1"], USAGE),
        (["--memory", "0"], USAGE), (["--memory", "1"], USAGE), (["--memory", "x"], USAGE),
        (["--memory", "99999999999"], USAGE), (["--memory", "-5"], USAGE),
        (["--cpus", "0"], USAGE), (["--cpus", "256"], USAGE), (["--cpus", "two"], USAGE),
        (["--initrd", self.file("i")], USAGE), (["--append", "x"], USAGE),
        (["--firmware", "missing.bin"], NOT_FOUND), (["--kernel", "missing"], NOT_FOUND),
        (["--display", "cirrus"], USAGE), (["--disk", "1G"] * 7, USAGE),
        (["--disk", "8000P"], None),
    ]:
      with self.subTest(options=options):
        if code is None:
          done = subprocess.run([PROGRAM, "create", "a", *options], env=self.env,
                                capture_output=True, timeout=60)
          self.assertNotEqual(done.returncode, OK)
        else:
          self.cli("create", "a", *options, code=code)
    self.assertEqual(os.listdir(self.home) if os.path.isdir(self.home) else [], [])

  def test_unreadable(self):
    if os.geteuid() == 0:
      self.skipTest("root reads everything")
    iso = self.file("a.iso")
    os.chmod(iso, 0)
    self.cli("create", "a", "--iso", iso, code=DENIED)

  def test_list_and_show(self):
    self.assertEqual(self.cli("list"), "")
    self.assertEqual(json.loads(self.cli("list", "--json")), [])
    self.cli("create", "b")
    self.cli("create", "Été")
    self.cli("create", "broken")
    with open(os.path.join(self.folder("broken"), "machine.json"), "w") as f:
      f.write('{ "name": "broken",\n "memory": "lots" }')
    machines = {m["name"]: m for m in json.loads(self.cli("list", "--json"))}
    self.assertEqual(sorted(machines), ["b", "broken", "Été"])
    self.assertEqual(machines["b"]["state"], "off")
    self.assertEqual(machines["b"]["memory"], 1024)
    self.assertEqual(machines["broken"]["state"], "invalid")
    self.assertIn("machine.json:2: memory:", machines["broken"]["error"])
    self.assertIn("broken", self.cli("list"))
    line = self.cli("show", "broken", code=INVALID)
    self.assertIn("machine.json:2: memory: It must be a whole number, not a text.", line)
    self.cli("start", "broken", code=INVALID)
    shown = json.loads(self.cli("show", "--json", "b"))
    self.assertEqual(shown["config"]["uuid"], self.config("b")["uuid"])
    self.assertNotIn("password", shown["config"]["remote"])
    self.assertIn("off", self.cli("show", "b"))
    self.cli("show", "missing", code=NOT_FOUND)
    self.cli("show", "../b", code=INVALID)

  def test_unknown_keys_survive(self):
    self.cli("create", "a")
    self.change("a", future={"x": [1, None]})
    self.cli("medium", "a", self.file("b.iso"))
    self.assertEqual(self.config("a")["future"], {"x": [1, None]})
    self.assertEqual(self.config("a")["cdroms"][0]["path"], os.path.join(self.root, "b.iso"))

  def test_delete(self):
    image = self.file("outside.img")
    self.cli("create", "a", "--disk", image, "--disk", "1M")
    self.cli("delete", "a", code=USAGE)
    self.assertTrue(os.path.isdir(self.folder("a")))
    self.assertIn(image, self.cli("delete", "--yes", "a"))
    self.assertEqual(os.listdir(self.home), [])
    self.assertTrue(os.path.exists(image))
    self.cli("delete", "--yes", "a", code=NOT_FOUND)

  def test_delete_asks(self):
    self.cli("create", "a")
    for answer, code in (("no\n", FAILED), ("", FAILED), ("yes\n", OK)):
      parent, child = os.openpty()
      process = subprocess.Popen([PROGRAM, "delete", "a"], env=self.env, stdin=child,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
      os.close(child)
      os.write(parent, answer.encode() or b"\4")
      self.assertEqual(process.wait(30), code)
      os.close(parent)
    self.assertEqual(os.listdir(self.home), [])

  def test_medium_while_off(self):
    iso = self.file("b.iso")
    self.cli("create", "a")
    self.assertIn("cd0  empty", self.cli("medium", "a"))
    self.cli("medium", "a", "cd0", iso)
    self.assertIn(iso, self.cli("medium", "a"))
    self.cli("medium", "a", "--eject")
    self.assertEqual(self.config("a")["cdroms"], [{}])
    self.cli("medium", "a", "cd5", iso, code=NOT_FOUND)
    self.cli("medium", "a", "missing.iso", code=NOT_FOUND)
    self.cli("medium", "a", "/", code=INVALID)
    self.cli("medium", "a", "cd0", iso, "--eject", code=USAGE)

  # A machine that runs.

  def test_not_running(self):
    self.cli("create", "a")
    for args in (["stop"], ["pause"], ["resume"], ["reset"], ["serial"]):
      self.cli(*args, "a", code=STATE)
    self.cli("type", "a", "x", code=STATE)
    self.cli("key", "a", "F1", code=STATE)
    self.cli("screenshot", "a", "x.png", code=STATE)
    self.cli("click", "a", "1", "1", code=STATE)
    self.cli("start", "missing", code=NOT_FOUND)
    self.assertEqual(self.state("a"), "off")

  def test_life(self):
    self.cli("create", "a")
    self.cli("start", "--headless", "a")
    self.assertEqual(self.state("a"), "running")
    self.assertEqual(json.loads(self.cli("list", "--json"))[0]["state"], "running")
    status = json.loads(self.cli("status", "--json", "a"))
    self.assertEqual(status["cpu-engine"], "kvm")
    self.assertEqual(len(status["serials"]), 1)
    self.assertIn("running", self.cli("status", "a"))
    self.cli("start", "--headless", "a", code=STATE)
    self.cli("run", "--headless", "a", code=STATE)
    self.cli("delete", "--yes", "a", code=STATE)
    self.cli("pause", "a")
    self.assertEqual(self.state("a"), "paused")
    self.cli("pause", "a", code=STATE)
    self.cli("resume", "a")
    self.cli("reset", "a")
    self.cli("type", "a", "ls", "--enter", "--delay", "1")
    self.cli("type", "a", "-", "--delay", "1", input="x")
    self.cli("type", "a", "é", code=INVALID)
    self.cli("key", "a", "ctrl+alt+delete", "F1")
    self.cli("key", "a", "nokey", code=INVALID)
    self.cli("click", "a", "5", "6", "--button", "right")
    self.assertEqual(self.cli("text", "a"), "grub> \n")
    self.cli("text", "a", "--screen", "-1", code=USAGE)
    self.cli("screenshot", "a", "shot.png")
    self.assertTrue(os.path.exists(os.path.join(self.root, "shot.png")))
    self.cli("screenshot", "a", "/nonexistent/x.png", code=DENIED)
    self.cli("medium", "a", self.file("c.iso"))
    self.cli("stop", "a")
    self.assertEqual(self.state("a"), "off")
    with open(self.env["VITRINE_FAKE_LOG"]) as f:
      log = f.read()
    self.assertIn("reset\nkey 38 down\nkey 38 up\nkey 31 down\nkey 31 up\nkey 28 down\nkey 28 up\n"
                  "key 45 down\nkey 45 up\n", log)
    self.assertIn("position 5 6\nbutton 3 down\nbutton 3 up\n", log)
    self.assertIn("c.iso 0\n", log)
    self.assertEqual(os.listdir(os.path.join(self.runtime, "vitrine")), [])
    self.cli("start", "--headless", "a")
    self.cli("stop", "--force", "a")
    self.assertEqual(self.state("a"), "off")

  def test_graphics(self):
    self.cli("create", "a")
    self.change("a", description="graphics")
    self.cli("text", "a", code=STATE)
    self.cli("start", "--headless", "a")
    self.assertIn("graphics", self.cli("text", "a", code=STATE))

  def test_start_fails(self):
    self.cli("create", "a")
    self.change("a", description="fail")
    self.assertIn("look under the table", self.cli("start", "--headless", "a", code=NOT_FOUND))
    self.assertIn("look under the table", self.cli("run", "--headless", "a", code=NOT_FOUND))
    self.assertEqual(self.state("a"), "off")

  def test_port_in_use(self):
    self.cli("create", "a")
    self.assertIn("Port 1", self.cli("run", "--headless", "--spice-port", "1", "a", code=STATE))
    self.change("a", remote={"enabled": True, "port": 1})
    self.assertIn("Port 1", self.cli("start", "--headless", "a", code=STATE))
    self.assertEqual(self.state("a"), "off")

  def test_deaf_guest(self):
    self.cli("create", "a")
    self.change("a", description="deaf")
    self.cli("start", "--headless", "a")
    self.assertIn("--force", self.cli("stop", "--timeout", "1", "a", code=STATE))
    self.assertEqual(self.state("a"), "running")
    self.cli("stop", "--force", "a")
    self.assertEqual(self.state("a"), "off")

  def test_killed(self):
    self.cli("create", "a")
    self.cli("start", "--headless", "a")
    os.kill(json.loads(self.cli("status", "--json", "a"))["pid"], signal.SIGKILL)
    self.wait_state("a", "crashed")
    self.cli("pause", "a", code=STATE)
    self.cli("stop", "a", code=STATE)
    self.cli("start", "--headless", "a")
    self.assertEqual(self.state("a"), "running")

  def test_hung(self):
    self.cli("create", "a")
    self.cli("start", "--headless", "a")
    pid = json.loads(self.cli("status", "--json", "a"))["pid"]
    os.kill(pid, signal.SIGSTOP)
    self.assertEqual(self.state("a"), "unresponsive")
    self.assertIn("--force", self.cli("pause", "a", code=STATE))
    done = subprocess.run([PROGRAM, "stop", "--force", "a"], env=self.env, capture_output=True,
                          text=True, timeout=60)
    self.assertEqual(done.returncode, OK, done.stderr)
    self.assertIn("killed", done.stderr)
    self.assertEqual(self.state("a"), "crashed")

  def test_run_ends(self):
    self.cli("create", "a")
    self.change("a", description="exit 7")
    done = subprocess.run([PROGRAM, "run", "--headless", "a"], env=self.env, timeout=60)
    self.assertEqual(done.returncode, 7)
    self.change("a", description="crash")
    done = subprocess.run([PROGRAM, "run", "--headless", "a"], env=self.env, timeout=60,
                          capture_output=True, text=True)
    self.assertEqual(done.returncode, CRASH)
    self.assertIn("no guest should", done.stderr)
    self.assertEqual(self.state("a"), "off")
    self.cli("start", "--headless", "a")
    self.wait_state("a", "crashed")
    self.assertIn("no guest should", self.cli("status", "a"))
    self.cli("stop", "--force", "a")
    self.assertEqual(self.state("a"), "off")

  def run_until(self, name, *options):
    process = subprocess.Popen([PROGRAM, "run", "--headless", *options, name], env=self.env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    self.wait_state(name, "running")
    return process

  def test_signals(self):
    self.cli("create", "a")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
      process = self.run_until("a")
      process.send_signal(number)
      process.communicate(timeout=30)
      self.assertEqual(process.returncode, OK)
      self.assertEqual(self.state("a"), "off")
    self.change("a", description="deaf")
    process = self.run_until("a")
    process.send_signal(signal.SIGINT)
    self.assertIn("Ctrl+C again", process.stderr.readline())
    self.assertEqual(self.state("a"), "running")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    self.assertEqual(process.returncode, OK)

  def test_spice_port(self):
    self.cli("create", "a")
    process = self.run_until("a", "--spice-port", "5931")
    self.assertIn("spice://127.0.0.1:5931", process.stdout.readline())
    self.assertEqual(json.loads(self.cli("status", "--json", "a"))["spice-port"], 5931)
    process.terminate()
    process.communicate(timeout=30)

  def test_serial(self):
    self.cli("create", "a")
    self.cli("start", "--headless", "a")
    path = json.loads(self.cli("status", "--json", "a"))["serials"][0]
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def guest():
      peer = server.accept()[0]
      data = peer.recv(100)
      peer.sendall(data.upper())
      peer.close()

    thread = threading.Thread(target=guest)
    thread.start()
    self.assertEqual(self.cli("serial", "a", input="hello"), "HELLO")
    thread.join()
    server.close()
    self.cli("serial", "a", "--port", "3", code=NOT_FOUND)
    os.unlink(path)
    self.cli("serial", "a", code=DENIED)

  def test_serial_escape(self):
    self.cli("create", "a")
    self.cli("start", "--headless", "a")
    path = json.loads(self.cli("status", "--json", "a"))["serials"][0]
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    parent, child = os.openpty()
    process = subprocess.Popen([PROGRAM, "serial", "a"], env=self.env, stdin=child,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    peer = server.accept()[0]
    peer.sendall(b"login: ")
    self.assertEqual(process.stdout.read(7), b"login: ")
    os.write(parent, b"root\x03\x1dlost")
    self.assertEqual(peer.recv(100), b"root\x03")
    process.communicate(timeout=30)
    self.assertEqual(process.returncode, OK)
    for fd in (parent, child):
      os.close(fd)
    peer.close()
    server.close()

  def test_full_disk(self):
    """What can't be written is told, and nothing that was there is lost."""
    self.cli("create", "a")
    before = self.config("a")
    done = subprocess.run(["sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh", PROGRAM,
                           "medium", "a", self.file("b.iso")], env=self.env, capture_output=True,
                          text=True, timeout=60)
    self.assertNotEqual(done.returncode, OK)
    self.assertEqual(self.config("a"), before)
    self.assertEqual(os.listdir(self.folder("a")), ["machine.json"])

  def test_home_unwritable(self):
    self.env["VITRINE_HOME"] = "/proc/nothing"
    self.assertNotEqual(subprocess.run([PROGRAM, "create", "a"], env=self.env, timeout=60,
                                       stderr=subprocess.DEVNULL).returncode, OK)

  def test_sample(self):
    """`./dev run` without a display: where the machine can't start, the reason and nothing else. It's
    Debian's installer where that is there."""
    sample = os.path.join(os.path.dirname(MANUAL), "run-sample")
    images = self.file("images")
    os.unlink(images)
    for name in "GRUB rescue", "Debian installer":
      self.cli("create", name)
      self.change(name, description="fail")
      done = subprocess.run([sample, PROGRAM, images], env=self.env, capture_output=True, text=True,
                            timeout=60)
      self.assertEqual(done.stdout, "")
      self.assertRegex(done.stderr, r"\Avitrine: [^\n]+\n\Z")
      self.assertNotEqual(done.returncode, OK)
      self.assertEqual([m["name"] for m in json.loads(self.cli("list", "--json"))], [name])
      self.cli("delete", "--yes", name)
      os.makedirs(images, exist_ok=True)
      for file in "linux", "initrd.gz":
        open(os.path.join(images, file), "w").close()

  def test_doctor(self):
    done = subprocess.run([PROGRAM, "doctor", "--json"], env=self.env, capture_output=True,
                          text=True, timeout=60)
    self.assertIn(done.returncode, (OK, DENIED))
    report = json.loads(done.stdout)
    self.assertEqual(report["healthy"], done.returncode == OK)
    checks = {c["id"]: c for c in report["checks"]}
    self.assertLessEqual({"kvm", "engine", "bios", "vga-bios", "memory", "space", "display", "render"},
                         set(checks))
    for check in checks.values():
      self.assertTrue(check["sentence"])
      if check["status"] == "problem":
        self.assertTrue(check["remedy"])
    self.assertIn(report["kvm"]["status"],
                  ("usable", "emulated", "forbidden", "busy", "absent", "broken"))
    speeds = report["instructions-per-second"]
    engine = report["cpu-engine"]
    self.assertGreater(speeds["processor"], speeds["translate"] / 2)
    self.assertIn(f"{speeds[engine] / 1e6:.0f} million", checks["engine"]["sentence"])
    self.assertIn({"kvm": "KVM", "translate": "software"}[engine], checks["engine"]["sentence"])
    self.assertEqual(engine, "kvm" if "instead" not in checks["kvm"]["sentence"] else "translate")
    self.assertEqual(checks["display"]["status"], "info")
    self.assertEqual(subprocess.run([PROGRAM, "has-display"], env=self.env).returncode, FAILED)
    text = subprocess.run([PROGRAM, "doctor"], env=self.env, capture_output=True, text=True,
                          timeout=60).stdout
    self.assertIn(checks["bios"]["sentence"], text)


if __name__ == "__main__":
  unittest.main(verbosity=2)
