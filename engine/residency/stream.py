"""One module's weights between their files and a device: whole, or block by block while it runs.

Works on any `nn.Module` whose parts are called as modules. Knows no budget beyond the bytes it is
given, and no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.errors import OutOfMemoryError
from engine.residency.carriers import Cargo, Carrier, Lane
from engine.residency.plan import resident_beside_slots

Checkpoint = Callable[[], None]
"""Called between two tensors; may raise what ends the loading."""
BLOCK_LIMIT = 128 * 2**20
"""Bytes; modules up to this size are carried in one piece."""


@dataclass(frozen=True, slots=True)
class Block:
    """Tensors that are carried together.

    Attributes:
        module: whose call needs them; None for those that must stay while anything runs, because
            they are shared or belong to no call.
        tensors: as they lie in the file.
    """

    module: nn.Module | None
    tensors: tuple[Tensor, ...]


def split(module: nn.Module, size_of: Callable[[Tensor], int], limit: int) -> list[Block]:
    """The blocks of a module in the order of construction; together they hold every tensor once."""
    uses: dict[int, int] = {}
    for part in module.modules():
        for _, tensor in _direct(part):
            uses[id(tensor)] = uses.get(id(tensor), 0) + 1
    shared = [tensor for tensor in _tensors(module) if uses[id(tensor)] > 1]
    set_aside = {id(tensor) for tensor in shared}
    blocks = [Block(None, tuple(shared))] if shared else []

    def visit(part: nn.Module, *, is_root: bool) -> None:
        tensors = [tensor for tensor in _tensors(part) if id(tensor) not in set_aside]
        if not tensors:
            return
        whole = isinstance(part, nn.MultiheadAttention) or not any(part.children())
        fits = sum(map(size_of, tensors)) <= limit
        if _is_called(part) and not is_root and (whole or fits):
            blocks.append(Block(part, tuple(tensors)))
            return
        direct = [tensor for _, tensor in _direct(part) if id(tensor) not in set_aside]
        if direct:
            blocks.append(Block(None, tuple(direct)))
        for child in part.children():
            visit(child, is_root=False)

    visit(module, is_root=True)
    return blocks


def _is_called(module: nn.Module) -> bool:
    return type(module).forward is not nn.Module.forward


def _direct(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    held = {**module._parameters, **module._buffers}  # noqa: SLF001 - without copies or checks
    return ((name, tensor) for name, tensor in held.items() if tensor is not None)


def _tensors(module: nn.Module) -> list[Tensor]:
    """Every parameter and buffer below a module, shared ones once."""
    return list({id(t): t for part in module.modules() for _, t in _direct(part)}.values())


@dataclass(slots=True)
class _Places:
    """Where each tensor sits, to put another in its place and the first one back."""

    by_tensor: dict[int, list[tuple[nn.Module, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, module: nn.Module) -> _Places:
        places = cls()
        for part in module.modules():
            for name, tensor in _direct(part):
                places.by_tensor.setdefault(id(tensor), []).append((part, name))
        return places

    def put(self, originals: Sequence[Tensor], tensors: Sequence[Tensor]) -> None:
        """Put `tensors` where `originals` were in the file's module."""
        for original, tensor in zip(originals, tensors, strict=True):
            places = self.by_tensor[id(original)]
            if isinstance(original, nn.Parameter):
                is_one = isinstance(tensor, nn.Parameter)
                parameter = tensor if is_one else nn.Parameter(tensor, requires_grad=False)
                for owner, name in places:
                    owner._parameters[name] = parameter  # noqa: SLF001 - without re-registering
            else:
                for owner, name in places:
                    owner._buffers[name] = tensor  # noqa: SLF001


class Lodging:
    """A module's weights on a device: none, some or all of them.

    Attributes:
        size: bytes on the device when all of them are there.
        held: bytes on the device now, slots for streaming included.
    """

    def __init__(
        self,
        module: nn.Module,
        carrier: Carrier,
        *,
        block_limit: int = BLOCK_LIMIT,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._carrier = carrier
        self._forget = forget
        self._places = _Places.of(module)
        self._blocks = split(module, carrier.bytes_of, block_limit)
        self._sizes = [sum(map(carrier.bytes_of, block.tensors)) for block in self._blocks]
        self._resident: set[int] = set()
        self._stream: _Stream | None = None
        self.size = sum(self._sizes)
        self.held = 0

    @property
    def streams(self) -> bool:
        """Whether some of it is brought only while it runs."""
        return self._stream is not None

    def place(self, allowed: int, checkpoint: Checkpoint = lambda: None) -> None:
        """Make the module able to run within `allowed` bytes, whole if that is enough.

        Raises `OutOfMemoryError` if not even one block at a time fits. Whatever `checkpoint` raises
        passes through, and nothing of the module is left on the device.
        """
        if allowed >= self.size:
            self._settle(frozenset(), 0, 0, checkpoint)
        elif self._stream is None or self.held > allowed:
            self.clear()
            self._settle(*self._division(allowed), checkpoint)

    def clear(self) -> int:
        """Back to the file's own tensors; returns the bytes that came free."""
        if self._stream:
            self._stream.close()
            self._stream = None
        for index in self._resident:
            self._places.put(self._blocks[index].tensors, self._blocks[index].tensors)
        self._resident.clear()
        freed, self.held = self.held, 0
        return freed

    def _division(self, allowed: int) -> tuple[frozenset[int], int, int]:
        """(the blocks to stream, slots, bytes of one slot) within `allowed` bytes."""
        movable = [i for i, block in enumerate(self._blocks) if block.module is not None]
        fixed = self.size - sum(self._sizes[i] for i in movable)
        sizes = [self._sizes[i] for i in movable]
        for slots in range(self._carrier.slots, 0, -1):
            found = resident_beside_slots(sizes, allowed - fixed, slots)
            if found:
                streamed, slot_bytes = found
                return frozenset(movable[i] for i in streamed), slots, slot_bytes
        needed = fixed + max(sizes, default=0)
        raise OutOfMemoryError(
            f"the weights need {needed:,} bytes at the least, one block at a time, "
            f"and {max(allowed, 0):,} are left for them; allow more memory or use a smaller picture"
        )

    def _settle(
        self, streamed: frozenset[int], slots: int, slot_bytes: int, checkpoint: Checkpoint
    ) -> None:
        try:
            if self._stream and not streamed:
                self.clear()
            for index, block in enumerate(self._blocks):
                if index not in streamed and index not in self._resident:
                    self._places.put(block.tensors, self._brought(block, checkpoint))
                    self._resident.add(index)
                    self.held += self._sizes[index]
                    self._forget()
            if streamed:
                self._open_stream(sorted(streamed), slots, slot_bytes)
        except BaseException:
            self.clear()
            raise

    def _brought(self, block: Block, checkpoint: Checkpoint) -> list[Tensor]:
        brought: list[Tensor] = []
        for tensor in block.tensors:
            checkpoint()
            brought.append(self._carrier.bring(tensor))
        return brought

    def _open_stream(self, streamed: Sequence[int], slots: int, slot_bytes: int) -> None:
        blocks = [self._blocks[index] for index in streamed]
        lane = self._carrier.open_lane([block.tensors for block in blocks], slots, slot_bytes)
        self.held += slots * slot_bytes
        self._forget()
        self._stream = _Stream(blocks, lane, self._places, self._forget)


class _Stream:
    """Hooks that bring a block before its call and send it away after it.

    The block that followed last time is sent for while this one computes. A wrong guess costs one
    copy, never a wrong result.
    """

    def __init__(
        self, blocks: Sequence[Block], lane: Lane, places: _Places, forget: Callable[[], None]
    ) -> None:
        self._blocks = blocks
        self._lane = lane
        self._places = places
        self._forget = forget
        self._here: dict[int, Cargo] = {}
        self._coming: dict[int, Cargo] = {}
        self._after: dict[int, int] = {}
        self._last: int | None = None
        self._hooks: list[RemovableHandle] = []
        for index, block in enumerate(blocks):
            if block.module is None:
                raise ValueError("a block without a call cannot be streamed")
            self._hooks.append(block.module.register_forward_pre_hook(self._before(index)))
            self._hooks.append(
                block.module.register_forward_hook(self._afterwards(index), always_call=True)
            )

    def close(self) -> None:
        """Put the file's tensors back and take the hooks away."""
        for hook in self._hooks:
            hook.remove()
        for index in list(self._here):
            self._send_away(index)
        self._drop_wrong_guesses()

    def _before(self, index: int) -> Callable[..., None]:
        def hook(*_: object) -> None:
            cargo = self._coming.pop(index, None) or self._fetch(index)
            self._places.put(self._blocks[index].tensors, cargo.arrive())
            self._here[index] = cargo
            if self._last is not None:
                self._after[self._last] = index
            self._last = index
            following = self._after.get(index)
            if following is not None and following not in self._coming:
                guessed = self._lane.send(following)
                if guessed:
                    self._coming[following] = guessed

        return hook

    def _afterwards(self, index: int) -> Callable[..., None]:
        def hook(*_: object) -> None:
            if index in self._here:
                self._send_away(index)

        return hook

    def _fetch(self, index: int) -> Cargo:
        cargo = self._lane.send(index)
        if cargo is None:
            self._drop_wrong_guesses()
            cargo = self._lane.send(index)
        if cargo is None:
            raise OutOfMemoryError(
                "a block of the network runs inside another one that is streamed; "
                "allow more memory, so that the network fits as a whole"
            )
        return cargo

    def _send_away(self, index: int) -> None:
        tensors = self._blocks[index].tensors
        self._places.put(tensors, tensors)
        self._here.pop(index).leave()
        self._forget()

    def _drop_wrong_guesses(self) -> None:
        for cargo in self._coming.values():
            cargo.leave()
        self._coming.clear()
