"""A small network in half precision, and a device that counts every byte."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from engine.residency.carriers import HostCarrier, Transfer
from engine.residency.handles import LazyWeights
from engine.residency.sources import Source

CPU = torch.device("cpu")


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inside = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.inside:
            x = x + layer(self.norm(x))
        return x


class Net(nn.Module):
    """Called through another method than `forward`, with a buffer and a tensor shared by two
    blocks."""

    def __init__(self, blocks: int = 6, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.last = nn.Linear(width, width)
        self.last.weight = self.first.weight
        self.register_buffer("scale", torch.full((1,), 0.5), persistent=False)

    def run(self, x: Tensor) -> Tensor:
        x = self.first(x) * self.scale
        for block in self.blocks:
            x = block(x)
        return self.last(x)


class CountingCarrier(HostCarrier):
    """A device that counts every byte that is loaded and not yet released."""

    slots = 2

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        self.slot_use = self.slot_peak = self.sent = self.brought = 0

    def ready_bytes(self, source: Source, *, patched: bool) -> int:
        return prod(source.shape) * 4

    def stored_bytes(self, source: Source) -> int:
        return sum(prod(shape) * dtype.itemsize for shape, dtype in source.parts)

    def bring(self, source, patches=()):
        self.brought += prod(source.shape)
        return super().bring(source, patches)

    def open_loader(self, blocks, slots, slot_bytes):
        carrier, inner = self, super().open_loader(blocks, slots, slot_bytes)

        class Counted:
            def __init__(self, transfer: Transfer, size: int) -> None:
                self.transfer, self.size = transfer, size

            def wait(self) -> list[Tensor]:
                return self.transfer.wait()

            def release(self) -> None:
                carrier.slot_use -= self.size
                self.transfer.release()

        class Loader:
            def request(self, index):
                transfer = inner.request(index)
                if transfer is None:
                    return None
                size = sum(prod(item.source.shape) * 4 for item in blocks[index])
                assert size <= slot_bytes
                carrier.sent += 1
                carrier.slot_use += size
                carrier.slot_peak = max(carrier.slot_peak, carrier.slot_use)
                return Counted(transfer, size)

        return Loader()


def half_net(**sizes: int) -> Net:
    torch.manual_seed(0)
    return Net(**sizes).half().requires_grad_(requires_grad=False).eval()


def lazy(module: nn.Module, name: str = "net", **more: object) -> LazyWeights:
    size = sum(p.numel() * p.element_size() for p in module.parameters())
    return LazyWeights(name, size, lambda: module, **more)


def expected(x: Tensor) -> Tensor:
    return half_net().float().run(x)


X = torch.linspace(-1, 1, 32).reshape(2, 16)
