#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers of the SPICE server that break the protocol's rules, written down to the byte.

usage: spice-hostile.py spice-serve

Starts spice-serve, which prints its port and what the guest's devices get. After each peer
the server must still take an ordinary one. What the library has to say of it all goes to the trace.
"""
import hashlib, os, queue, random, socket, struct, subprocess, sys, tempfile, threading, time

DEADLINE = 30
MAIN, DISPLAY, INPUTS, CURSOR = 1, 2, 3, 4
COMMON_CAPS = 1 << 0 | 1 << 1 | 1 << 3  # Authentication is chosen; SPICE; short headers.


class Closed(Exception):
  pass


def oaep(message, modulus, exponent, size):
  """RSA-OAEP with SHA-1 (RFC 8017, 7.1.1)."""
  def mask(seed, length):
    out = b""
    for i in range((length + 19) // 20):
      out += hashlib.sha1(seed + struct.pack(">I", i)).digest()
    return out[:length]

  block = hashlib.sha1(b"").digest()
  block += bytes(size - len(message) - 2 * 20 - 2) + b"\1" + message
  seed = os.urandom(20)
  masked = bytes(a ^ b for a, b in zip(block, mask(seed, len(block))))
  seed = bytes(a ^ b for a, b in zip(seed, mask(masked, 20)))
  number = int.from_bytes(b"\0" + seed + masked, "big")
  return pow(number, exponent, modulus).to_bytes(size, "big")


class Channel:
  """One connection. Short headers: type (16 bits), size (32 bits)."""

  def __init__(self, port, kind, session=0, password=b"", channel_caps=()):
    self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
    caps = struct.pack("<I", COMMON_CAPS) + b"".join(struct.pack("<I", c) for c in channel_caps)
    body = struct.pack("<IBBIII", session, kind, 0, 1, len(channel_caps), 18) + caps
    self.send_raw(b"REDQ" + struct.pack("<III", 2, 2, len(body)) + body)
    size = struct.unpack("<4sIII", self.receive(16))[3]
    reply = self.receive(size)
    error, = struct.unpack("<I", reply[:4])
    if error:
      raise Closed(f"link error {error}")
    key = reply[4:4 + 162]
    modulus = int.from_bytes(key[29:157], "big")
    self.send_raw(struct.pack("<I", 1))
    self.send_raw(oaep(password + b"\0", modulus, 65537, 128))
    result, = struct.unpack("<I", self.receive(4))
    if result:
      raise Closed(f"refused: {result}")

  def send_raw(self, data):
    try:
      self.socket.sendall(data)
    except OSError as e:
      raise Closed(str(e))

  def receive(self, n):
    data = b""
    while len(data) < n:
      try:
        more = self.socket.recv(n - len(data))
      except OSError as e:
        raise Closed(str(e))
      if not more:
        raise Closed("end")
      data += more
    return data

  def send(self, kind, body=b""):
    self.send_raw(struct.pack("<HI", kind, len(body)) + body)

  def message(self):
    kind, size = struct.unpack("<HI", self.receive(6))
    return kind, self.receive(size)

  def expect(self, kind):
    while True:
      got, body = self.message()
      if got == kind:
        return body

  def close(self):
    self.socket.close()


class Viewer:
  """The channels of an ordinary viewer."""

  def __init__(self, port, kinds=(DISPLAY, INPUTS, CURSOR)):
    self.main = Channel(port, MAIN, channel_caps=(0,))
    self.session, = struct.unpack("<I", self.main.expect(103)[:4])
    self.main.send(104)
    self.channels = {k: Channel(port, k, self.session, channel_caps=(0,)) for k in kinds}
    if DISPLAY in self.channels:
      # Cache sizes of the viewer, without which nothing is drawn.
      self.channels[DISPLAY].send(101, struct.pack("<BqBi", 1, 1 << 20, 1, 1 << 20))

  def close(self):
    for c in (self.main, *self.channels.values()):
      c.close()


class Server:
  def __init__(self, program, trace=None):
    self.errors = tempfile.TemporaryFile("w+")
    env = {k: v for k, v in os.environ.items() if k != "VITRINE_TRACE"}
    self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=self.errors, text=True, bufsize=1,
                                    env=dict(env, VITRINE_TRACE=trace) if trace else env)
    self.lines = queue.Queue()
    self.hints = [] # Other sizes that the machine was asked for.
    threading.Thread(target=self.read, daemon=True).start()
    self.port = int(self.wait("port ").split()[1])

  def read(self):
    for line in self.process.stdout:
      if line.startswith("hint "):
        self.hints.append(line.strip())
      self.lines.put(line.strip())
    self.lines.put(None)

  def wait(self, start):
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
      try:
        line = self.lines.get(timeout=1)
      except queue.Empty:
        continue
      if line is None:
        raise SystemExit(f"not ok - the server died, status {self.process.wait()}")
      if line.startswith(start):
        return line
    raise SystemExit(f"not ok - waited in vain for “{start}”")

  def alive(self):
    """An ordinary viewer gets a picture and its keys arrive."""
    until = time.monotonic() + DEADLINE
    while True:
      try:
        viewer = Viewer(self.port)
        viewer.channels[DISPLAY].expect(304)  # A drawn copy …
        viewer.channels[INPUTS].send(101, struct.pack("<I", 0x1e))
        viewer.channels[INPUTS].send(102, struct.pack("<I", 0x9e))
        self.wait("k30-")
        viewer.close()
        return
      except Closed as e:
        if self.process.poll() is not None or time.monotonic() > until:
          raise SystemExit(f"not ok - no viewer gets in any more: {e}, {self.process.poll()}")

  def end(self):
    self.process.stdin.close()
    if self.process.wait(DEADLINE) != 0:
      raise SystemExit(f"not ok - the server ended with {self.process.returncode}")
    self.errors.seek(0)
    return self.errors.read().splitlines()


def tolerate(func, *args):
  """What a peer may see of the server's refusal is that it is gone."""
  try:
    return func(*args)
  except Closed:
    return None


def link_nonsense(server):
  good = struct.pack("<IBBIII", 0, MAIN, 0, 1, 0, 18) + struct.pack("<I", COMMON_CAPS)
  cases = [
    b"", b"R", b"REDQ", b"XXXX" + bytes(12),
    b"REDQ" + struct.pack("<III", 2, 2, 0),
    b"REDQ" + struct.pack("<III", 2, 2, 0xffffffff),
    b"REDQ" + struct.pack("<III", 2, 2, 4096) + bytes(4096),
    b"REDQ" + struct.pack("<III", 99, 2, len(good)) + good,
    b"REDQ" + struct.pack("<III", 2, 2, 18) + struct.pack("<IBBIII", 0, MAIN, 0, 0xffffffff, 0, 18),
    b"REDQ" + struct.pack("<III", 2, 2, 18) + struct.pack("<IBBIII", 0, MAIN, 0, 1, 1, 0xfffffffe),
    b"REDQ" + struct.pack("<III", 2, 2, 18) + struct.pack("<IBBIII", 0, MAIN, 0, 0x40000000, 0, 18),
    b"REDQ" + struct.pack("<III", 2, 2, len(good)) + good,
    b"REDQ" + struct.pack("<III", 2, 2, len(good)) + good + struct.pack("<I", 99) + bytes(128),
    b"REDQ" + struct.pack("<III", 2, 2, len(good)) + good + struct.pack("<I", 1) + b"\xff" * 128,
    b"\x16\x03\x01\x02\x00\x01" + bytes(512),
  ]
  for case in cases:
    s = socket.create_connection(("127.0.0.1", server.port), DEADLINE)
    try:
      s.sendall(case)
      s.shutdown(socket.SHUT_WR)
      while s.recv(4096):
        pass
    except OSError:
      pass
    s.close()


def channel_nonsense(server):
  """Channels that don't exist, of sessions that don't."""
  for kind in (0, 5, 6, 8, 9, 11, 77, 255):
    tolerate(Channel, server.port, kind)
  viewer = Viewer(server.port, ())
  for kind in (0, 5, 6, 7, 8, 9, 10, 11, 255):
    tolerate(Channel, server.port, kind, viewer.session)
    tolerate(Channel, server.port, kind, viewer.session ^ 1)
  for _ in range(3):  # The same channel more than once.
    for kind in (DISPLAY, INPUTS, CURSOR):
      tolerate(Channel, server.port, kind, viewer.session)
  viewer.close()


def input_nonsense(server):
  viewer = Viewer(server.port)
  inputs = viewer.channels[INPUTS]
  for code in (0, 0xffffffff, 0xe0e0e0e0, 0xe1e1e1e1, 0xe0, 0xe1, 0x80808080, 0x7f, 0xff, 0x2ae0):
    inputs.send(101, struct.pack("<I", code))
    inputs.send(102, struct.pack("<I", code))
  inputs.send(104, bytes(range(256)))
  inputs.send(103, struct.pack("<H", 0xffff))
  for state in (0, 0xffff):
    inputs.send(111, struct.pack("<iiH", -0x80000000, 0x7fffffff, state))
    # A position although there is no tablet.
    inputs.send(112, struct.pack("<IIHB", 0xffffffff, 0xffffffff, state, 255))
    for button in (0, 1, 5, 7, 255):
      inputs.send(113, struct.pack("<BH", button, state))
      inputs.send(114, struct.pack("<BH", button, state))
  viewer.main.send(105, struct.pack("<H", 2))  # Asks for the tablet's mode.
  viewer.main.send(105, struct.pack("<H", 0xffff))
  inputs.send(112, struct.pack("<IIHB", 1, 1, 0, 0))
  viewer.close()


def monitors(config, sizes=None):
  """A monitors configuration in the agent's framing."""
  message = struct.pack("<IIQI", 1, 2, 0, len(config) if sizes is None else sizes) + config
  return message


def agent_nonsense(server):
  """There is no agent to talk to: nothing of it comes to the machine, another size for the screen neither."""
  def one(count, flags, *monitor):
    return struct.pack("<II", count, flags) + b"".join(struct.pack("<IIIii", *m) for m in monitor)

  cases = [
    monitors(b""), monitors(b"\1"), monitors(one(0, 0)), monitors(one(1, 0)), monitors(one(0xffffffff, 0)),
    monitors(one(1, 1, (600, 800, 32, 0, 0))),                   # Says that sizes in mm follow.
    monitors(one(1000, 0, (600, 800, 32, 0, 0))),
    monitors(one(1, 0, (0xffffffff, 0xffffffff, 32, 0, 0))),
    monitors(one(1, 0, (0, 0, 0, 0, 0))),
    monitors(one(1, 0, (600, 800, 32, 0, 0)), 0xffffffff),       # A length that is not there.
    monitors(one(1, 0, (600, 800, 32, 0, 0)), 4),
  ]
  for case in cases:
    viewer = Viewer(server.port, ())
    tolerate(viewer.main.send, 106, struct.pack("<I", 0xffffffff))
    tolerate(viewer.main.send, 107, case)
    tolerate(viewer.main.send, 107, bytes(2048))
    tolerate(viewer.main.send, 108, struct.pack("<I", 0xffffffff))
    viewer.close()
  server.alive()
  if server.hints:
    raise SystemExit(f"not ok - the machine was asked for another size: {server.hints}")


def departures(server):
  """A display channel that goes at once, amid its first message, after it; and one that says nothing,
  for which the library waits 30 s."""
  init = struct.pack("<HI", 101, 14) + struct.pack("<BqBi", 1, 1 << 20, 1, 1 << 20)
  for part in (b"", init[:1], init[:6], init[:19], init, init * 2, init + b"\4\0\0\0\0\0"):
    viewer = Viewer(server.port, ())
    display = Channel(server.port, DISPLAY, viewer.session, channel_caps=(0,))
    display.send_raw(part)
    display.close()
    viewer.close()
  # The main channel first, while the library makes the display channel: nothing of it may be left over.
  for _ in range(20):
    viewer = Viewer(server.port, ())
    display = Channel(server.port, DISPLAY, viewer.session, channel_caps=(0,))
    display.send_raw(init)
    viewer.close()
    tolerate(display.expect, 0xffff)
    display.close()
  before = time.monotonic()
  viewer = Viewer(server.port, ())
  display = Channel(server.port, DISPLAY, viewer.session, channel_caps=(0,))
  server.alive()
  if time.monotonic() - before > 15:
    raise SystemExit("not ok - a silent display channel keeps others out")
  display.close()
  viewer.close()


def message_nonsense(server):
  """Every kind of message, empty, short and long, on every channel."""
  chance = random.Random(1)
  for kind in (MAIN, DISPLAY, INPUTS, CURSOR):
    for body in (b"", bytes(3), chance.randbytes(64)):
      numbers = list(range(0, 12)) + list(range(100, 122)) + [0xffff]
      while numbers:
        # Those that end the connection are found one after another, the rest share one.
        viewer = None
        try:
          viewer = Viewer(server.port, () if kind == MAIN else (kind,))
          channel = viewer.main if kind == MAIN else viewer.channels[kind]
          for _ in range(6):
            if numbers:
              channel.send(numbers.pop(), body)
        except Closed:
          pass
        finally:
          if viewer:
            viewer.close()
  for size in (0xffffffff, 0x7fffffff, 1 << 20):
    viewer = Viewer(server.port)
    for channel in (viewer.main, *viewer.channels.values()):
      tolerate(channel.send_raw, struct.pack("<HI", 101, size) + bytes(100))
    viewer.close()


def main():
  server = Server(sys.argv[1])
  tests = [link_nonsense, channel_nonsense, input_nonsense, agent_nonsense, departures, message_nonsense]
  print(f"1..{len(tests) + 2}", flush=True)
  server.alive()
  for i, test in enumerate(tests):
    before = time.monotonic()
    test(server)
    server.alive()
    print(f"ok {i + 1} {test.__name__} # {time.monotonic() - before:.1f} s", flush=True)
  said = server.end()
  print(f"{'not ' if said else ''}ok {len(tests) + 1} a user is told nothing of it {said[:3] if said else ''}")
  server = Server(sys.argv[1], trace="spice")
  link_nonsense(server)
  said = server.end()
  traced = said and all(line.startswith("spice: ") for line in said)
  print(f"{'' if traced else 'not '}ok {len(tests) + 2} the trace has it {'' if traced else said[:3]}")


main()
