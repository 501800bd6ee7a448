"""Texts of a training set changed one by one: the category `dataset/text`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text

Line = Annotated[str, Text(multiline=False)]
_text_node = partial(node, category="dataset/text", output_names=("texts",), experimental=True)


@_text_node("AddTextPrefix", display="Add Text Prefix")
def add_prefix(texts: Line, prefix: Line = "") -> str:
    """Each text with a beginning put before it."""
    return prefix + texts


@_text_node("AddTextSuffix", display="Add Text Suffix")
def add_suffix(texts: Line, suffix: Line = "") -> str:
    """Each text with an end put behind it."""
    return texts + suffix


@_text_node("ReplaceText", display="Replace Text")
def replace_text(texts: Line, find: Line = "", replace: Line = "") -> str:
    """Each text with every `find` in it replaced; without `find` it stays as it is."""
    return texts.replace(find, replace) if find else texts


@_text_node("StripWhitespace", display="Strip Whitespace")
def strip_whitespace(texts: Line) -> str:
    """Each text without the blanks at its ends."""
    return texts.strip()


@_text_node("TextToLowercase", display="Text to Lowercase")
def to_lowercase(texts: Line) -> str:
    """Each text in small letters."""
    return texts.lower()


@_text_node("TextToUppercase", display="Text to Uppercase")
def to_uppercase(texts: Line) -> str:
    """Each text in capital letters."""
    return texts.upper()


@_text_node("TruncateText", display="Truncate Text")
def truncate_text(texts: Line, max_length: Annotated[int, Range(1, 10000)] = 77) -> str:
    """At most that many characters of each text."""
    return texts[:max_length]


@_text_node("MergeTextLists", display="Merge Text Lists", input_is_list=True)
def merge_texts(texts: Sequence[Line]) -> list[str]:
    """Texts that come in several lists as one list."""
    return list(texts)
