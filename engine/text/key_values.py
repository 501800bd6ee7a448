"""What an attention has computed for earlier tokens, kept while a language model writes."""

from __future__ import annotations

from torch import Tensor


class KeyValues:
    """The keys and values of the tokens that one attention has seen, [B, H, T, C] each."""

    def __init__(self) -> None:
        self._held: tuple[Tensor, Tensor] | None = None
        self._length = 0

    def extended(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keep those of further tokens; returns all."""
        length = self._length + key.shape[2]
        if self._held is None or self._held[0].shape[2] < length:
            self._grow(key, value, max(2 * self._length, length))
        keys, values = self._held or (key, value)
        keys[:, :, self._length : length] = key
        values[:, :, self._length : length] = value
        self._length = length
        return keys[:, :, :length], values[:, :, :length]

    def _grow(self, key: Tensor, value: Tensor, size: int) -> None:
        """Make space for `size` tokens: twice as many each time, so that copying stays cheap."""
        larger = [each.new_empty(*each.shape[:2], size, each.shape[3]) for each in (key, value)]
        for old, new in zip(self._held or (), larger, strict=False):
            new[:, :, : self._length] = old[:, :, : self._length]
        self._held = larger[0], larger[1]
