# SPDX-License-Identifier: GPL-3.0-or-later
"""What a screen reader would be told of the windows on a test's desktop: buttons, menus, rows and
entries by role and name, and where they are.

It speaks AT-SPI over the desktop's own accessibility bus and keeps nothing between two questions, so
that what it says is what is there now.
"""
import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib

PREFIX = "org.a11y.atspi."
ROOT = "/org/a11y/atspi/accessible/root"
LABELLED_BY = 2
STATES = dict(active=1, checked=4, enabled=8, expanded=10, focused=12, sensitive=24, showing=25,
              visible=30)
# A program that hangs is passed over, and asked again by whoever waits.
TIMEOUT_MS = 4000


class Gone(Exception):
  """The widget, or its program, is no more."""


class Bus:
  def __init__(self, session_address):
    session = self.connect(session_address)
    answer = session.call_sync("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", None,
                               None, Gio.DBusCallFlags.NONE, TIMEOUT_MS, None)
    session.close_sync(None)
    self.bus = self.connect(answer.unpack()[0])

  @staticmethod
  def connect(address):
    flags = Gio.DBusConnectionFlags
    connection = Gio.DBusConnection.new_for_address_sync(
      address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
    connection.set_exit_on_close(False)
    return connection

  def call(self, where, interface, method, arguments=None):
    try:
      return self.bus.call_sync(*where, interface, method, arguments, None, Gio.DBusCallFlags.NONE,
                                TIMEOUT_MS, None).unpack()
    except GLib.Error as error:
      raise Gone(error.message) from None

  def programs(self):
    children = self.call((PREFIX + "Registry", ROOT), PREFIX + "Accessible", "GetChildren")[0]
    return [Widget(self, tuple(child)) for child in children]

  def close(self):
    try:
      self.bus.close_sync(None)
    except GLib.Error:
      pass


class Widget:
  """One accessible object. Roles are AT-SPI's: "push button", "menu item", "list item", "text"."""

  def __init__(self, bus, where):
    self.bus, self.where = bus, where

  def call(self, interface, method, arguments=None):
    return self.bus.call(self.where, PREFIX + interface, method, arguments)

  def get(self, interface, name):
    return self.bus.call(self.where, "org.freedesktop.DBus.Properties", "Get",
                         GLib.Variant("(ss)", (PREFIX + interface, name)))[0]

  @property
  def name(self):
    """Its own, or that of the label beside it."""
    own = self.get("Accessible", "Name")
    if own and self.role != "text":
      return own
    for kind, targets in self.call("Accessible", "GetRelationSet")[0]:
      if kind == LABELLED_BY:
        return Widget(self.bus, tuple(targets[0])).get("Accessible", "Name")
    return own

  @property
  def role(self):
    return self.call("Accessible", "GetRoleName")[0]

  def has(self, *states):
    low, high = self.call("Accessible", "GetState")[0]
    bits = low | high << 32
    return all(bits >> STATES[state] & 1 for state in states)

  def children(self):
    return [Widget(self.bus, tuple(child)) for child in self.call("Accessible", "GetChildren")[0]
            if child[1] != "/org/a11y/atspi/null"]

  def parent(self):
    return Widget(self.bus, tuple(self.get("Accessible", "Parent")))

  def walk(self):
    yield self
    try:
      for child in self.children():
        yield from child.walk()
    except Gone:
      pass

  def text(self):
    return self.call("Text", "GetText", GLib.Variant("(ii)", (0, -1)))[0]

  def value(self):
    return self.get("Value", "CurrentValue")

  def extents(self):
    """(x, y, width, height) on the screen, in the toolkit's units."""
    return self.call("Component", "GetExtents", GLib.Variant("(u)", (0,)))[0]

  def __str__(self):
    try:
      states = " ".join(s for s in ("focused", "checked") if self.has(s))
      dull = "" if self.has("sensitive") else " insensitive"
      return f"{self.role} {self.name!r}{' ' + states if states else ''}{dull}"
    except Gone:
      return "gone"

  def tree(self, depth=0):
    """What is shown, as lines for a person."""
    try:
      if depth and not self.has("showing"):
        return ""
      text = "  " * depth + str(self)
      if self.role in ("text", "spin button"):
        text += f" {self.text()!r}"
      return text + "\n" + "".join(child.tree(depth + 1) for child in self.children())
    except Gone:
      return ""
