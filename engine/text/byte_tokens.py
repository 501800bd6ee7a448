"""ByT5's tokens: the bytes of a text (Xue et al. 2022, arXiv 2105.13626)."""

from __future__ import annotations

from collections.abc import Sequence

SPECIALS = 3
"""Padding, end and unknown come before the 256 bytes."""


class ByteTokens:
    """See `engine.text.tokens.ReadableTokenizer`."""

    def numbers(self, text: str) -> list[int]:
        """A number for each byte of the text in UTF-8."""
        return [SPECIALS + byte for byte in text.encode("utf-8", "replace")]

    def text(self, numbers: Sequence[int]) -> str:
        """The text of token numbers; those that are no bytes are left out."""
        values = (number - SPECIALS for number in numbers)
        return bytes(value for value in values if 0 <= value < 256).decode("utf-8", "replace")
