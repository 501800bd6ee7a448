"""Byte-pair encoding by ranks, as tiktoken does it: the tokenizers of Qwen and of Mistral (Tekken).

A vocabulary is an ordered list of byte strings. A word is its bytes; of all neighbours that are
together in the vocabulary, those of the lowest rank are joined first (Sennrich et al. 2016).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import heappop, heappush

import regex

from engine.errors import WeightsError

QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LONGEST_SEARCH = 10.0
"""Seconds after which a pattern from a file is given up."""


class RankedBytes:
    """A tokenizer, see `engine.text.tokens.TextTokenizer`."""

    def __init__(
        self,
        ranks: Mapping[bytes, int],
        words: str,
        specials: Mapping[str, int],
        *,
        first: int = 0,
        composed: bool = False,
    ) -> None:
        """A tokenizer.

        Args:
            ranks: of the byte strings; all 256 single bytes are among them.
            words: a regular expression that splits a text into words.
            specials: tokens that stand for themselves wherever they are written, and their numbers.
            first: the number of the byte string of rank 0.
            composed: whether texts are normalised to NFC first.

        Raises:
            WeightsError: `words` is no regular expression.
        """
        self._ranks, self._specials, self._first = ranks, specials, first
        self._composed = composed
        try:
            self._words = regex.compile(words)
        except regex.error as error:
            raise WeightsError(f"a tokenizer whose pattern cannot be read: {error}") from error
        longest_first = sorted(specials, key=len, reverse=True)
        either = "|".join(map(regex.escape, longest_first))
        self._special = regex.compile(f"({either})") if either else None
        self._joined = lru_cache(maxsize=4096)(self._word)
        self.size = max([first + len(ranks), *(number + 1 for number in specials.values())])

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text, special tokens included, without start and end."""
        # An unpaired surrogate, which JSON can hold, has no UTF-8 form.
        text = text.encode("utf-8", "replace").decode()
        found: list[int] = []
        for part in self._special.split(text) if self._special else [text]:
            special = self._specials.get(part)
            if special is not None:
                found.append(special)
            elif part:
                found += self._plain(part)
        return found

    def text(self, numbers: Sequence[int]) -> str:
        """The text of token numbers, special tokens included."""
        names = {number: name.encode() for name, number in self._specials.items()}
        strings = {self._first + rank: string for string, rank in self._ranks.items()} | names
        return b"".join(strings.get(number, b"") for number in numbers).decode("utf-8", "replace")

    def special(self, name: str) -> int | None:
        """The number of a special token; None if there is none of that name."""
        return self._specials.get(name)

    def _plain(self, text: str) -> Iterator[int]:
        if self._composed:
            text = unicodedata.normalize("NFC", text)
        for word in self._words.finditer(text, timeout=LONGEST_SEARCH):
            yield from self._joined(word[0].encode())

    def _word(self, word: bytes) -> Sequence[int]:
        """The token numbers of one word."""
        whole = self._ranks.get(word)
        if whole is not None:
            return [self._first + whole]
        parts: list[bytes] = [word[i : i + 1] for i in range(len(word))]
        after = [*range(1, len(parts)), -1]
        before = [-1, *range(len(parts) - 1)]
        waiting: list[tuple[int, int, int]] = []

        def offer(left: int) -> None:
            if left >= 0 and after[left] >= 0:
                both = parts[left] + parts[after[left]]
                rank = self._ranks.get(both)
                if rank is not None:
                    heappush(waiting, (rank, left, len(both)))

        for left in range(len(parts) - 1):
            offer(left)
        while waiting:
            _, left, length = heappop(waiting)
            right = after[left]
            if not parts[left] or right < 0 or len(parts[left]) + len(parts[right]) != length:
                continue  # one of the two was joined to another neighbour since
            parts[left] += parts[right]
            parts[right] = b""
            after[left] = after[right]
            if after[left] >= 0:
                before[after[left]] = left
            offer(left)
            offer(before[left])
        return [self._first + self._ranks[part] for part in parts if part]
