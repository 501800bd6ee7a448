"""Values of fields for trying nodes: what a user would enter, told by the field's name."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from try_packs_files import SIDE, XL, picture

POINTS = '[{"x": 8, "y": 8}, {"x": 32, "y": 40}, {"x": 56, "y": 16}]'
SCHEDULE = '"0": "a boat",\n"2": "a ship"'
QUICK: Mapping[str, Any] = {
    "steps": 2, "width": SIDE, "height": SIDE, "batch_size": 1, "text": "a boat", "tile_size": SIDE,
}  # fmt: skip
"""Values under such names that make a run short."""


@dataclass(frozen=True)
class Kit:
    """How the inputs of one attempt are made.

    Attributes:
        optional: fill the optional sockets, too.
        family: of the model: "sd1" or "xl".
        batch: how many pictures, masks and latents.
        moving: latents are those of a video.
        wildcard: what an input of any type gets: a type.
        text: what texts without a default, and linked texts, are; None: told by the name.
        pick: which of several choices, and of several nodes that make an input, is taken.
        unlisted: links that a node does not list, as a pack's page adds them: "output" (two of
            the type of its output) or a type; "fields" are some fields of a node without inputs.
        large: pictures and masks have 512 pixels a side.
    """

    optional: bool = False
    family: str = "sd1"
    batch: int = 1
    moving: bool = False
    wildcard: str = "INT"
    text: str | None = None
    pick: int = 0
    unlisted: str = ""
    large: bool = False


KITS = (
    Kit(),
    Kit(optional=True),
    Kit(optional=True, batch=4, wildcard="IMAGE"),
    Kit(optional=True, family="xl", wildcard="STRING"),
    Kit(family="xl", text="1", wildcard="LIST"),
    Kit(batch=4, text="1", wildcard="MASK"),
    Kit(optional=True, text=POINTS, wildcard="LATENT", pick=1),
    Kit(moving=True, text='{"a": 1, "b": 2}', wildcard="DICT"),
    Kit(moving=True, optional=True, text=SCHEDULE, wildcard="STRING"),
    Kit(optional=True, batch=4, text="1, 0.5, 2", wildcard="MODEL", pick=2, unlisted="fields"),
    Kit(text="a = 1 + 1", wildcard="FLOAT", pick=1),
    Kit(optional=True, large=True),
    Kit(unlisted="output"),
    Kit(unlisted="FLOATS", batch=4, wildcard="SIGMAS"),
    Kit(optional=True, text="0-2", wildcard="CONDITIONING", unlisted="CONDITIONING"),
)
"""The attempts, the plainest first."""


def _base64_picture() -> str:
    written = io.BytesIO()
    picture().save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


_PATH = r"path|^file$"
# What a text is by words in its name; `{input}` is the folder of inputs.
_NAMED = (
    (r"base64|b64", "{base64}"),
    (r"video.*(path|file)|^video$", "{input}/video.mp4"),
    (r"audio.*(path|file)|^audio(_file)?$", "{input}/sound.wav"),
    (r"json.*(path|file)", "{input}/example.json"),
    (r"csv.*(path|file)|^csv", "{input}/example.csv"),
    (r"(image|img|picture|png).*path|^image$", "{input}/example.png"),
    (r"(text|txt|prompt).*(path|file)|^text_file", "{input}/example.txt"),
    (r"(dir|folder|directory)", "{input}/pictures"),
    (r"file_?name|prefix|suffix|save", "tried"),
    (_PATH, "{input}/example.png"),
    (r"coord|point|track|spline|curve|keyframe.*json", POINTS),
    (r"json", '{"a": 1, "b": 2}'),
    (r"dict", "{'a': 1, 'b': 2}"),
    (r"expression|formula|equation|math|expr", "1 + 2"),
    (r"colou?r|hex|rgb", "#336699"),
    (r"url|address|host", "http://127.0.0.1:9/none"),
    (r"ratio|dimension|resolution", "64x64"),
    (r"regex|pattern", "a"),
    (r"delimiter|separator", ","),
    (r"index|indices|idx|number|float|int$|seed|value$|start|end", "0"),
    (r"sigmas|weights|values|sequence|list|strengths", "1, 0.5, 0.25"),
    (r"key|name|label|title|tag", "name"),
)


def text_of(name: str, options: Mapping[str, Any], kit: Kit, inputs: str) -> str:
    """A text for a field of that name.

    Args:
        name: of the input.
        options: of the input, with the author's default; a path among the examples is replaced.
        kit: of this attempt.
        inputs: the folder of inputs.
    """
    default = options.get("default")
    said = default if isinstance(default, str) else ""
    shown = " ".join((name, str(options.get("placeholder", "")), *options))
    is_path = bool(re.search(r"path|directory|folder|^(video|audio|image|file)$", shown.lower()))
    if said and not is_path:
        return said
    if kit.text is not None and not is_path:
        return kit.text
    for words, found in _NAMED:
        if re.search(words, name.lower()):
            if found == "{base64}":
                return _base64_picture()
            if words == _PATH and kit.pick % 2:
                return f"{inputs}/pictures"
            return found.replace("{input}", inputs)
    return "a boat"


def number_of(name: str, kind: str, options: Mapping[str, Any], kit: Kit) -> Any:
    """A number for that field, within its range: the default, or a size where 0 is none."""
    plain = 1 if kind == "INT" else 1.0
    found = options.get("default", plain)
    low, high = options.get("min"), options.get("max")
    if isinstance(found, list | dict | str) or found is None:
        found = plain
    if name in QUICK and kind == "INT" and not isinstance(QUICK[name], str):
        found = QUICK[name]
    elif not found and re.search(r"width|height|^size|_size$|resolution|length", name):
        found = SIDE
    elif not found and re.search(r"scale|factor|ratio|count|amount|strength|steps|loops", name):
        found = plain
    if kit.pick and found == 0 and not re.search(r"seed|index|start|x$|y$|offset", name):
        found = plain
    if isinstance(low, int | float):
        found = max(found, low)
    if isinstance(high, int | float):
        found = min(found, high)
    return found


_FILES = (
    (r"ckpt|checkpoint|^model", {"sd1": "calotype-demo.safetensors", "xl": f"{XL}.safetensors"}),
    (r"image|mask|picture", {"": "example.png"}),
    (r"video", {"": "video.mp4"}),
    (r"audio|sound", {"": "sound.wav"}),
    (r"lut", {"": "example.cube"}),
    (r"dir|folder", {"": "pictures"}),
)


def choice_of(name: str, choices: list[Any], options: Mapping[str, Any], kit: Kit) -> Any:
    """One of the choices: the author's default, or the file that the name asks for."""
    default = options.get("default")
    found = default if default in choices else choices[min(kit.pick, len(choices) - 1)]
    for words, files in _FILES:
        wanted = files.get(kit.family, files.get(""))
        if wanted in choices and re.search(words, name.lower()):
            found = wanted
            break
    return [found] if options.get("multi_select") else found
