"""A decoded frame in the modes that nodes and viewers need.

`rgb`, `rgba` and `alpha` read as the incumbent's nodes do, so that a workflow gives the same
pictures; `visible` is for display.
"""

from __future__ import annotations

from PIL import Image

_GREY_16 = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_MOST_16 = 65535


def rgb(frame: Image.Image) -> Image.Image:
    """A frame as `RGB`.

    Grey of 16 bits and of floating point is not scaled: values above 255 are white.
    """
    if frame.mode in ("P", "PA"):
        frame = frame.convert("RGBA")  # colours first, whatever marks transparency
    return _eight_bits(frame).convert("RGB")


def rgba(frame: Image.Image) -> Image.Image:
    """A frame as `RGBA`; a colour that the file calls transparent is."""
    return _eight_bits(frame).convert("RGBA")


def alpha(frame: Image.Image) -> Image.Image | None:
    """How opaque a frame is, as `L`; None where it has neither a channel `A` nor a palette with it.

    A single colour that the file calls transparent does not count outside a palette. The channel
    `A` of a LAB picture does, though it is a colour.
    """
    if "A" in frame.getbands():
        return frame.getchannel("A")
    if frame.mode == "P" and "transparency" in frame.info:
        return frame.convert("RGBA").getchannel("A")
    return None


def visible(frame: Image.Image) -> Image.Image:
    """A frame as `RGB` or, where the file says what is transparent, `RGBA`, as browsers show it.

    Grey of more than 8 bits keeps its shades; floating point runs from 0 to 1.
    """
    if frame.mode == "F":
        return _grey(frame, 255.0).convert("RGB")
    if frame.mode == "I" or frame.mode in _GREY_16:
        return _grey(frame.convert("F"), 255.0 / _MOST_16).convert("RGB")
    return _separate(frame).convert("RGBA" if frame.has_transparency_data else "RGB")


def is_deep_grey(frame: Image.Image) -> bool:
    """Whether `rgb` leaves little of it: grey of 16 bits, or of floating point."""
    return frame.mode == "F" or frame.mode in _GREY_16


def _eight_bits(frame: Image.Image) -> Image.Image:
    """Whole numbers of 32 bits hold 16, by the habit of old readers, and are scaled down."""
    if frame.mode == "I":
        return _grey(frame.convert("F"), 1 / 255)
    return _separate(frame)


def _separate(frame: Image.Image) -> Image.Image:
    """Grey multiplied by its alpha as grey and alpha, which Pillow can convert further."""
    return frame.convert("LA") if frame.mode == "La" else frame


def _grey(frame: Image.Image, factor: float) -> Image.Image:
    """Floating point times a factor, cut off below 0 and above 255, as `L`."""
    return frame.point(lambda value: value * factor + 0.0).convert("L")
