"""The functions of `comfy.sd1_clip` that work on the text of prompts alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.text.prompt_syntax import EMPHASIS

_HIDDEN = (("\\)", "\0\1"), ("\\(", "\0\2"))


def escape_important(text: str) -> str:
    r"""Hide parentheses behind a backslash, `\(` and `\)`, from `token_weights`."""
    for written, hidden in _HIDDEN:
        text = text.replace(written, hidden)
    return text


def unescape_important(text: str) -> str:
    """The parentheses hidden by `escape_important`, without their backslashes."""
    for written, hidden in _HIDDEN:
        text = text.replace(hidden, written[1])
    return text


def parse_parentheses(string: str) -> list[str]:
    """Cut a text into its outermost parenthesised groups and what is between them.

    Groups contain their parentheses. What follows a parenthesis that is never closed is one item.
    """
    found: list[str] = []
    item, depth = "", 0
    for letter in string:
        if letter == "(":
            if depth == 0 and item:
                found.append(item)
                item = ""
            item += letter
            depth += 1
        elif letter == ")":
            depth -= 1
            item += letter
            if depth == 0:
                found.append(item)
                item = ""
        else:
            item += letter
    if item:
        found.append(item)
    return found


def token_weights(string: str, current_weight: float) -> list[tuple[str, float]]:
    """`(text, weight)` spans of a prompt, parentheses and numbers taken out.

    A number sets the weight; parentheses without one multiply it by 1.1.
    """
    found: list[tuple[str, float]] = []
    waiting = [(string, current_weight, False)]
    while waiting:
        text, weight, is_plain = waiting.pop()
        if is_plain:
            found.append((text, weight))
            continue
        for item in reversed(parse_parentheses(text)):
            is_group = len(item) >= 2 and item[0] == "(" and item[-1] == ")"
            inner = _weighted(item[1:-1], weight * EMPHASIS) if is_group else (item, weight)
            waiting.append((*inner, not is_group))
    return found


def _weighted(text: str, usual: float) -> tuple[str, float]:
    """The text of a group and its weight, `usual` without a number after the last colon."""
    before, colon, number = text.rpartition(":")
    if colon and before:
        try:
            return before, float(number)
        except ValueError:
            pass
    return text, usual


def gen_empty_tokens(special_tokens: Mapping[str, Any], length: int) -> list[Any]:
    """The chunk of an empty prompt.

    Args:
        special_tokens: `start`, `end` and `pad`; absent or None where there is no such token.
        length: of the chunk.
    """
    ends = (special_tokens.get(name) for name in ("start", "end"))
    found = [token for token in ends if token is not None]
    return found + [special_tokens.get("pad")] * (length - len(found))
