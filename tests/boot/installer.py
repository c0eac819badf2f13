# SPDX-License-Identifier: GPL-3.0-or-later
"""What of Debian's graphical installer can be told from its picture: the selected line."""
from PIL import Image, ImageChops

SELECTED = (0x29, 0x85, 0x7e)
HEADER = 100  # Lines of the picture with colours like it.
SIZES = ((1280, 800), (800, 600))


def selection(picture):
  """Where @picture, an RGB image, has the colour of a selected line, or None."""
  if picture.size not in SIZES:
    return None
  bands = [band.point([255 if abs(v - want) <= 8 else 0 for v in range(256)])
           for band, want in zip(picture.crop((0, HEADER, *picture.size)).split(), SELECTED)]
  box = ImageChops.multiply(ImageChops.multiply(bands[0], bands[1]), bands[2]).getbbox()
  return box if box and box[2] - box[0] > 400 and box[3] - box[1] < 40 else None


class Settled:
  """The selection that @look gives, once it is where it was at the last ten looks: the list is scrolled while it is
  laid out."""

  def __init__(self, look):
    self.look, self.seen = look, []

  def __call__(self):
    self.seen.append(self.look())
    return self.seen[-1] if self.seen[-1] and self.seen[-10:] == 10 * self.seen[-1:] else None
