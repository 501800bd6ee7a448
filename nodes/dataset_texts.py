"""Nodes for the texts of a training set, one by one: the category `dataset/text`."""

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
    """Add a prefix to each text."""
    return prefix + texts


@_text_node("AddTextSuffix", display="Add Text Suffix")
def add_suffix(texts: Line, suffix: Line = "") -> str:
    """Add a suffix to each text."""
    return texts + suffix


@_text_node("ReplaceText", display="Replace Text")
def replace_text(texts: Line, find: Line = "", replace: Line = "") -> str:
    """Replace every `find` in each text; an empty `find` changes nothing."""
    return texts.replace(find, replace) if find else texts


@_text_node("StripWhitespace", display="Strip Whitespace")
def strip_whitespace(texts: Line) -> str:
    """Remove whitespace at both ends of each text."""
    return texts.strip()


@_text_node("TextToLowercase", display="Text to Lowercase")
def to_lowercase(texts: Line) -> str:
    """Convert each text to lower case."""
    return texts.lower()


@_text_node("TextToUppercase", display="Text to Uppercase")
def to_uppercase(texts: Line) -> str:
    """Convert each text to upper case."""
    return texts.upper()


@_text_node("TruncateText", display="Truncate Text")
def truncate_text(texts: Line, max_length: Annotated[int, Range(1, 10000)] = 77) -> str:
    """Cut each text to at most that many characters."""
    return texts[:max_length]


@_text_node("MergeTextLists", display="Merge Text Lists", input_is_list=True)
def merge_texts(texts: Sequence[Line]) -> list[str]:
    """Join several lists of texts."""
    return list(texts)
