"""Hooks that put a block's tensors in place before its call, and remove them after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from engine.errors import OutOfMemoryError
from engine.residency.blocks import Block
from engine.residency.carriers import BlockLoader, Transfer


class CompactLoader:
    """Unpacks blocks that are on the device in compact form, when they are called."""

    def __init__(self, ready: Callable[[int], list[Tensor]]) -> None:
        self._ready = ready

    def request(self, index: int) -> Transfer | None:
        """See `BlockLoader`; unpacking happens in `Transfer.wait`."""
        return _Unpacking(self._ready, index)


class _Unpacking:
    def __init__(self, ready: Callable[[int], list[Tensor]], index: int) -> None:
        self._ready = ready
        self._index = index

    def wait(self) -> list[Tensor]:
        return self._ready(self._index)

    def release(self) -> None:
        """The tensors are freed with their last reference."""


class Visits:
    """The blocks of a module that are transferred for each call.

    While a block computes, the block that followed it last time is prefetched. A wrong guess costs
    one copy, never a wrong result.
    """

    def __init__(self, forget: Callable[[], None]) -> None:
        """`forget` is called after a block was removed, see `Weights.forget`."""
        self._forget = forget
        self._blocks: list[Block] = []
        self._loaders: list[tuple[BlockLoader, int]] = []
        self._here: dict[int, Transfer] = {}
        self._coming: dict[int, Transfer] = {}
        self._after: dict[int, int] = {}
        self._last: int | None = None
        self._hooks: list[RemovableHandle] = []

    def add(self, blocks: Sequence[Block], loader: BlockLoader) -> None:
        """Let this loader transfer these blocks, which it addresses by their index here."""
        for position, block in enumerate(blocks):
            if block.module is None:
                raise ValueError("a block without a call cannot be brought for it")
            index = len(self._blocks)
            self._blocks.append(block)
            self._loaders.append((loader, position))
            self._hooks.append(block.module.register_forward_pre_hook(self._before(index)))
            self._hooks.append(
                block.module.register_forward_hook(self._afterwards(index), always_call=True)
            )

    def close(self) -> None:
        """Restore the placeholders and remove the hooks."""
        for hook in self._hooks:
            hook.remove()
        for index in list(self._here):
            self._send_away(index)
        self._drop_wrong_guesses()

    def _before(self, index: int) -> Callable[..., None]:
        def hook(*_: object) -> None:
            transfer = self._coming.pop(index, None) or self._fetch(index)
            for named, tensor in zip(self._blocks[index].tensors, transfer.wait(), strict=True):
                named.put(tensor)
            self._here[index] = transfer
            if self._last is not None:
                self._after[self._last] = index
            self._last = index
            following = self._after.get(index)
            if following is not None and following not in self._coming:
                guessed = self._request(following)
                if guessed:
                    self._coming[following] = guessed

        return hook

    def _afterwards(self, index: int) -> Callable[..., None]:
        def hook(*_: object) -> None:
            if index in self._here:
                self._send_away(index)

        return hook

    def _request(self, index: int) -> Transfer | None:
        loader, position = self._loaders[index]
        return loader.request(position)

    def _fetch(self, index: int) -> Transfer:
        transfer = self._request(index)
        if transfer is None:
            self._drop_wrong_guesses()
            transfer = self._request(index)
        if transfer is None:
            raise OutOfMemoryError(
                "a block of the network runs inside another one that is streamed; "
                "allow more memory, so that the network fits as a whole"
            )
        return transfer

    def _send_away(self, index: int) -> None:
        for named in self._blocks[index].tensors:
            named.restore()
        self._here.pop(index).release()
        self._forget()

    def _drop_wrong_guesses(self) -> None:
        for transfer in self._coming.values():
            transfer.release()
        self._coming.clear()
