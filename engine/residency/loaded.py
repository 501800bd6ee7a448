"""One module's weights on a device: none, some or all, or streamed block by block.

Blocks that stay are transferred once, patched. The others are transferred (or unpacked from their
compact form on the device) before their call, and released after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from engine.errors import OutOfMemoryError
from engine.residency.blocks import Block, NamedTensor, split
from engine.residency.carriers import Carrier, Item
from engine.residency.handles import Weights
from engine.residency.packing import Packing, Resident
from engine.residency.plan import resident_beside_slots
from engine.residency.sources import Patch, Patches
from engine.residency.visits import CompactLoader, Visits

Checkpoint = Callable[[], None]
"""Called between two tensors; may raise to end the loading."""
BLOCK_LIMIT = 128 * 2**20
"""Bytes; modules up to this size are transferred in one piece."""


class LoadedWeights:
    """A module's weights on a device.

    Attributes:
        size: bytes on the device when all of it is resident, with the patches of the last `place`.
        patches: the patches in effect now.
        packing: which of its weights are packed for oneDNN.
    """

    def __init__(
        self, weights: Weights, carrier: Carrier, *, block_limit: int = BLOCK_LIMIT
    ) -> None:
        """Divide the module of `weights` into blocks; nothing is read yet."""
        self._forget = weights.forget
        self._carrier = carrier
        self._blocks = split(
            weights.module,
            weights.sources,
            lambda source: carrier.ready_bytes(source, patched=False),
            block_limit,
        )
        self.patches: Patches = MappingProxyType({})
        self._resident: dict[int, list[Tensor | tuple[Tensor, ...]]] = {}
        self._streamed: frozenset[int] = frozenset()
        self._slot_bytes = 0
        self._visits: Visits | None = None
        self._sizes = self._block_sizes()
        self.packing = Packing(carrier)
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes on the device now, slots for streaming and packed copies included."""
        return self._held + self.packing.nbytes

    @property
    def size(self) -> int:
        """Bytes when everything is resident, plus the largest block unpacked for a call."""
        return self.size_with(self.patches)

    @property
    def streams(self) -> bool:
        """Whether some blocks are transferred only for their call."""
        return bool(self._streamed)

    def size_with(self, patches: Patches, *, beside: int = 0) -> int:
        """The size with other patches.

        Args:
            patches: the patches.
            beside: free bytes beside them during loading.
        """
        workspace = self._workspace(self._is_compact_block, patches)
        return sum(self._block_sizes(patches)) + max(workspace, self._arriving(patches) - beside)

    def least_with(self, patches: Patches, *, beside: int = 0) -> int:
        """The fewest bytes with which it can run, one block at a time; as `size_with`."""
        fixed, sizes, passing = self._passing(patches, beside)
        return min(fixed + max(passing, default=0), fixed + sum(sizes))

    def _arriving(self, patches: Patches) -> int:
        """Temporary bytes of preparing its tensors, one at a time."""
        named = (each for block in self._blocks for each in block.tensors)
        return max(
            (
                self._carrier.transient_bytes(each.source, patched=bool(self._of(each, patches)))
                for each in named
            ),
            default=0,
        )

    def place(
        self,
        allowed: int,
        checkpoint: Checkpoint = lambda: None,
        patches: Patches = MappingProxyType({}),
        *,
        beside: int = 0,
    ) -> None:
        """Make the module runnable within `allowed` bytes, fully resident if that is enough.

        Resident tensors stay; only those whose patches changed are transferred again. `beside` is
        the number of bytes free beside the `allowed` ones during loading.

        Raises `OutOfMemoryError` if not even one block at a time fits. An exception of `checkpoint`
        passes through, and nothing of the module is left on the device.
        """
        names = {*self.patches, *patches}
        touched = {name for name in names if self.patches.get(name, ()) != patches.get(name, ())}
        self.patches = patches
        self._sizes = self._block_sizes()
        try:
            fits = allowed >= self.size_with(patches, beside=beside)
            if (self.streams and self._bytes_here() > allowed) or self.streams == fits:
                self.clear()
            self._bring_again(touched, checkpoint)
            if self.streams:
                self._held = self._bytes_here()
            else:
                division = (frozenset[int](), 0, 0) if fits else self._division(allowed, beside)
                self._settle(*division, checkpoint)
        except BaseException:
            self.clear()
            raise

    def clear(self) -> int:
        """Remove everything from the device; returns the number of bytes freed."""
        if self._visits:
            self._visits.close()
            self._visits = None
        for index in self._resident:
            for named in self._blocks[index].tensors:
                named.restore()
        self._resident.clear()
        self._streamed, self._slot_bytes = frozenset(), 0
        freed, self._held = self.held, 0
        self.packing.clear()
        return freed

    def pack(self, spare: int, calls: int, checkpoint: Checkpoint) -> None:
        """Pack projections within `spare` more bytes; see `Packing`.

        Args:
            spare: bytes that nothing else needs.
            calls: of the module that will follow.
            checkpoint: called between two tensors.
        """
        self.packing.calls += calls
        if self.streams:
            return
        resident = [
            Resident(brought, position, named, self._of(named))
            for index, brought in self._resident.items()
            for position, named in enumerate(self._blocks[index].tensors)
        ]

        def between() -> None:
            self._forget()
            checkpoint()

        self.packing.pack(resident, spare, between)
        self._forget()

    def _of(self, named: NamedTensor, patches: Patches | None = None) -> tuple[Patch, ...]:
        """The patches of one tensor, under any of its names."""
        known = self.patches if patches is None else patches
        return next((known[name] for name in named.names if name in known), ())

    def _stays_compact(self, block: Block, named: NamedTensor) -> bool:
        """Whether it stays in stored form, which requires a block whose call unpacks it."""
        return named.source.is_compact and block.module is not None

    def _block_sizes(self, patches: Patches | None = None) -> list[int]:
        def bytes_of(block: Block, named: NamedTensor) -> int:
            if self._stays_compact(block, named):
                return self._carrier.stored_bytes(named.source)
            patched = bool(self._of(named, patches))
            return self._carrier.ready_bytes(named.source, patched=patched)

        return [sum(bytes_of(block, named) for named in block.tensors) for block in self._blocks]

    def _is_compact_block(self, block: Block) -> bool:
        return any(self._stays_compact(block, named) for named in block.tensors)

    def _workspace(
        self, is_visited: Callable[[Block], bool], patches: Patches | None = None
    ) -> int:
        """Bytes allocated for one call of the largest of these blocks."""

        def made(block: Block) -> int:
            each = [(named.source, bool(self._of(named, patches))) for named in block.tensors]
            stay = sum(self._carrier.workspace_bytes(one, patched=is_) for one, is_ in each)
            pass_by = (self._carrier.transient_bytes(one, patched=is_) for one, is_ in each)
            return stay + max(pass_by, default=0)

        return max((made(block) for block in self._blocks if is_visited(block)), default=0)

    def _bytes_here(self) -> int:
        """Bytes on the device now, and those that calls allocate beside them."""
        streamed = {id(self._blocks[index]) for index in self._streamed}
        workspace = self._workspace(
            lambda block: id(block) in streamed or self._is_compact_block(block)
        )
        return sum(self._sizes[index] for index in self._resident) + self._slot_bytes + workspace

    def _division(self, allowed: int, beside: int) -> tuple[frozenset[int], int, int]:
        """(the blocks to stream, slots, bytes of one slot) within `allowed` bytes."""
        movable = self._movable()
        fixed, sizes, passing = self._passing(self.patches, beside)
        for slots in range(self._carrier.slots, 0, -1):
            found = resident_beside_slots(sizes, allowed - fixed, slots, passing)
            if found:
                streamed, slot_bytes = found
                return frozenset(movable[i] for i in streamed), slots, slot_bytes
        needed = fixed + max(passing, default=0)
        raise OutOfMemoryError(
            f"the weights need {needed:,} bytes at the least, one block at a time, "
            f"and {max(allowed, 0):,} are left for them; use a smaller picture or batch, close "
            "other programs, or allow more memory with --vram"
        )

    def _movable(self) -> list[int]:
        """The blocks that may be streamed."""
        return [i for i, block in enumerate(self._blocks) if block.module is not None]

    def _passing(self, patches: Patches, beside: int) -> tuple[int, list[int], list[int]]:
        """(bytes that must stay, bytes of each movable block when resident, and in transfer)."""
        movable, of_all = self._movable(), self._block_sizes(patches)
        sizes = [of_all[i] for i in movable]
        fixed = sum(of_all) - sum(sizes)
        workspace = self._workspace(lambda block: block.module is not None, patches)
        fixed += max(workspace, self._arriving(patches) - beside)
        passing = [
            max(size, self._carrier.slot_bytes([each.source for each in self._blocks[i].tensors]))
            for i, size in zip(movable, sizes, strict=True)
        ]
        return fixed, sizes, passing

    def _settle(
        self, streamed: frozenset[int], slots: int, slot_bytes: int, checkpoint: Checkpoint
    ) -> None:
        for index, block in enumerate(self._blocks):
            if index not in streamed and index not in self._resident:
                self._resident[index] = self._brought(block, checkpoint)
                self._forget()
        self._streamed, self._slot_bytes = streamed, slots * slot_bytes
        self._held = self._bytes_here()
        self._open_visits(sorted(streamed), slots, slot_bytes)

    def _brought(self, block: Block, checkpoint: Checkpoint) -> list[Tensor | tuple[Tensor, ...]]:
        """Transfer the block's tensors: ready and in place, or their stored parts."""
        brought: list[Tensor | tuple[Tensor, ...]] = []
        for named in block.tensors:
            checkpoint()
            if self._stays_compact(block, named):
                brought.append(self._carrier.bring_stored(named.source))
                continue
            tensor = self._carrier.bring(named.source, self._of(named))
            named.put(tensor)
            brought.append(tensor)
        return brought

    def _bring_again(self, touched: set[str], checkpoint: Checkpoint) -> None:
        """Transfer resident tensors again whose patches changed."""
        for index, brought in self._resident.items():
            block = self._blocks[index]
            for position, named in enumerate(block.tensors):
                if not touched.intersection(named.names) or self._stays_compact(block, named):
                    continue
                checkpoint()
                self.packing.forget(named)
                named.restore()  # free the old tensor before allocating the new one
                brought[position] = ()
                brought[position] = tensor = self._carrier.bring(named.source, self._of(named))
                named.put(tensor)
        self._forget()

    def _open_visits(self, streamed: Sequence[int], slots: int, slot_bytes: int) -> None:
        if self._visits:
            if not streamed:
                return
            self._visits.close()
        visits = Visits(self._forget)
        if streamed:
            blocks = [self._blocks[index] for index in streamed]
            items = [[self._item(named) for named in block.tensors] for block in blocks]
            visits.add(blocks, self._carrier.open_loader(items, slots, slot_bytes))
        compact = [
            (block, self._resident[index])
            for index, block in enumerate(self._blocks)
            if index in self._resident
            and any(self._stays_compact(block, named) for named in block.tensors)
        ]
        if compact:
            visits.add([block for block, _ in compact], self._compact_loader(compact))
        self._visits = visits if streamed or compact else None
        self._forget()

    def _item(self, named: NamedTensor) -> Item:
        return Item(named.source, lambda: self._of(named))

    def _compact_loader(
        self, blocks: Sequence[tuple[Block, list[Tensor | tuple[Tensor, ...]]]]
    ) -> CompactLoader:
        def ready(index: int) -> list[Tensor]:
            block, brought = blocks[index]
            return [
                held
                if isinstance(held, torch.Tensor)
                else self._carrier.ready(named.source, held, self._of(named))
                for named, held in zip(block.tensors, brought, strict=True)
            ]

        return CompactLoader(ready)
