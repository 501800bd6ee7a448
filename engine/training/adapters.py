"""Trainable adapters of single layers: LoRA, LoHa, LoKr and OFT.

Each changes the output of its layer, so that the layer's weight is neither changed nor copied, and
is stored under the names of LyCORIS files. The maths is that of `engine.adapters`, which applies
the finished files. Trained values are float32; a call computes in the dtype of x.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.adapters.algorithms.rotation import limited
from engine.adapters.parts import Parts
from engine.errors import WeightsError
from engine.training.options import Algorithm

Layer = nn.Linear | nn.Conv2d
RANK_AXES: Mapping[str, int] = {"up": 1, "_a": 1, "down": 0, "_b": 0}
"""The axis of a factor whose size is the rank, by the suffix of its name."""


class Adapter(nn.Module, ABC):
    """An adapter of one layer; initially it changes nothing."""

    @abstractmethod
    def changed(self, layer: Layer, x: Tensor, output: Tensor) -> Tensor:
        """The layer's output for x with the change; a new tensor."""

    @abstractmethod
    def stored(self) -> dict[str, Tensor]:
        """The finished tensors by the suffix of their names in a file."""

    @abstractmethod
    def begun(self, parts: Parts) -> dict[str, Tensor]:
        """The values of each parameter in a file, as matrices, with the scale applied.

        Raises:
            WeightsError: the file is of another algorithm.
        """

    def continue_from(self, parts: Parts) -> None:
        """Start from the values in a file for this layer.

        A lower rank is padded with values that change nothing.

        Raises:
            WeightsError: the file has another algorithm, a higher rank or other shapes.
        """
        found = self.begun(parts)
        for name, parameter in self.named_parameters():
            own, given = parameter.data.flatten(1), found[name].flatten(1)
            rows, columns = given.shape
            axis = next((at for end, at in RANK_AXES.items() if name.endswith(end)), None)
            most = [n if at == axis else 0 for at, n in enumerate(own.shape)]
            if any(n != own.shape[at] and n >= most[at] for at, n in enumerate(given.shape)):
                raise WeightsError(
                    f"the existing LoRA does not fit: {parts.module} has {name} "
                    f"{[rows, columns]}, expected {list(own.shape)}; choose its algorithm and at "
                    "least its rank, or another file"
                )
            if axis == 1:
                own[:, columns:] = 0.0
            own[:rows, :columns] = given


class LoraAdapter(Adapter):
    """W + up @ down (Hu et al. 2021); for a convolution, `down` is one and `up` is 1 x 1."""

    def __init__(self, layer: Layer, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        out, shape = layer.weight.shape[0], layer.weight.shape[1:]
        ones = (1,) * (len(shape) - 1)
        self.rank = rank
        self.down = nn.Parameter(torch.empty(rank, *shape))
        self.up = nn.Parameter(torch.zeros(out, rank, *ones))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5), generator=generator)

    def changed(self, layer: Layer, x: Tensor, output: Tensor) -> Tensor:
        """See `Adapter`."""
        inner = applied(layer, self.down.to(x.dtype), x)
        if isinstance(layer, nn.Conv2d):
            return output + functional.conv2d(inner, self.up.to(x.dtype))
        return output + functional.linear(inner, self.up.to(x.dtype))

    def stored(self) -> dict[str, Tensor]:
        """See `Adapter`."""
        return {
            "lora_up.weight": self.up.detach(),
            "lora_down.weight": self.down.detach(),
            "alpha": torch.tensor(float(self.rank)),
        }

    def begun(self, parts: Parts) -> dict[str, Tensor]:
        """See `Adapter`."""
        only(parts, "LoRA", "up", "down")
        up, down = (parts.flat(name, getattr(self, name)) for name in ("up", "down"))
        return {"up": up * parts.scale(down.shape[0]), "down": down}


class DeltaAdapter(Adapter):
    """An adapter that adds a matrix to the weight."""

    rank: int

    @abstractmethod
    def delta(self) -> Tensor:
        """The difference to the weight [out, ...], in any shape with as many elements."""

    def changed(self, layer: Layer, x: Tensor, output: Tensor) -> Tensor:
        """See `Adapter`."""
        return output + applied(layer, self.delta().view(layer.weight.shape).to(x.dtype), x)

    def stored(self) -> dict[str, Tensor]:
        """See `Adapter`."""
        tensors = {name: value.detach() for name, value in self.named_parameters()}
        return {**tensors, "alpha": torch.tensor(float(self.rank))}


class LohaAdapter(DeltaAdapter):
    """The product, element by element, of two low-rank matrices (Nam et al. 2022, FedPara)."""

    def __init__(self, layer: Layer, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        out, width = layer.weight.shape[0], math.prod(layer.weight.shape[1:])
        self.rank = rank
        self.hada_w1_a = nn.Parameter(torch.empty(out, rank))
        self.hada_w1_b = nn.Parameter(torch.empty(rank, width))
        self.hada_w2_a = nn.Parameter(torch.zeros(out, rank))
        self.hada_w2_b = nn.Parameter(torch.empty(rank, width))
        nn.init.normal_(self.hada_w1_a, std=0.1, generator=generator)
        nn.init.normal_(self.hada_w1_b, std=1.0, generator=generator)
        nn.init.normal_(self.hada_w2_b, std=0.1, generator=generator)

    def begun(self, parts: Parts) -> dict[str, Tensor]:
        """See `Adapter`."""
        names = [name for name, _ in self.named_parameters()]
        only(parts, "LoHa", *names)
        found = {name: parts.flat(name, self.hada_w1_a) for name in names}
        scale = parts.scale(found["hada_w1_b"].shape[0])
        return {**found, "hada_w2_a": found["hada_w2_a"] * scale}

    def delta(self) -> Tensor:
        """See `DeltaAdapter`."""
        return (self.hada_w1_a @ self.hada_w1_b) * (self.hada_w2_a @ self.hada_w2_b)


class LokrAdapter(DeltaAdapter):
    """A Kronecker product of a small matrix and a low-rank one (Yeh et al. 2023, LyCORIS)."""

    def __init__(self, layer: Layer, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        out, inner, *kernel = layer.weight.shape
        rows, columns = divisor(out), divisor(inner)
        self.rank = rank
        self.lokr_w1 = nn.Parameter(torch.empty(rows, columns))
        self.lokr_w2_a = nn.Parameter(torch.zeros(out // rows, rank))
        width = inner // columns * math.prod(kernel)
        self.lokr_w2_b = nn.Parameter(torch.empty(rank, width))
        nn.init.kaiming_uniform_(self.lokr_w1, a=math.sqrt(5), generator=generator)
        nn.init.kaiming_uniform_(self.lokr_w2_b, a=math.sqrt(5), generator=generator)

    def begun(self, parts: Parts) -> dict[str, Tensor]:
        """See `Adapter`."""
        first = ("lokr_w1",) if "lokr_w1" in parts else ("lokr_w1_a", "lokr_w1_b")
        only(parts, "LoKr with two factors of its second side", *first, "lokr_w2_a", "lokr_w2_b")
        small, *more = (parts.flat(name, self.lokr_w1) for name in first)
        for each in more:
            small = small @ each
        left, right = (parts.flat(name, self.lokr_w1) for name in ("lokr_w2_a", "lokr_w2_b"))
        scale = parts.scale(right.shape[0])
        return {"lokr_w1": small * scale, "lokr_w2_a": left, "lokr_w2_b": right}

    def delta(self) -> Tensor:
        """See `DeltaAdapter`."""
        return torch.kron(self.lokr_w1, self.lokr_w2_a @ self.lokr_w2_b)


class OftAdapter(Adapter):
    """The output channels rotated in blocks (Qiu et al. 2023), as in `engine.adapters`."""

    def __init__(self, layer: Layer, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        del generator  # the identity needs no random initial weights
        out = layer.weight.shape[0]
        size = max(each for each in range(1, min(rank, out) + 1) if out % each == 0)
        self.oft_blocks = nn.Parameter(torch.zeros(out // size, size, size))

    def changed(self, layer: Layer, x: Tensor, output: Tensor) -> Tensor:
        """See `Adapter`."""
        skew = self.oft_blocks - self.oft_blocks.mT
        one = torch.eye(skew.shape[-1], device=skew.device)
        rotation = torch.linalg.solve(one - skew, one + skew).to(x.dtype)
        axis = 1 if isinstance(layer, nn.Conv2d) else -1
        bias = None if layer.bias is None else wide(layer.bias.to(output.dtype), output, axis)
        plain = output if bias is None else output - bias
        blocks = plain.movedim(axis, -1).unflatten(-1, rotation.shape[:2])
        turned = torch.einsum("knm,...kn->...km", rotation, blocks).flatten(-2).movedim(-1, axis)
        return turned if bias is None else turned + bias

    def begun(self, parts: Parts) -> dict[str, Tensor]:
        """See `Adapter`."""
        blocks = "oft_diag" if "oft_diag" in parts else "oft_blocks"
        only(parts, "OFT", blocks)
        found = parts.values(blocks, self.oft_blocks)
        if found.shape != self.oft_blocks.shape:
            raise parts.refuse(f"blocks {list(found.shape)}", tuple(self.oft_blocks.shape))
        return {"oft_blocks": limited(parts, found - found.mT) / 2}

    def stored(self) -> dict[str, Tensor]:
        """See `Adapter`. An alpha of 0 means that the rotation is not limited."""
        return {"oft_blocks": self.oft_blocks.detach(), "alpha": torch.tensor(0.0)}


_KINDS: Mapping[Algorithm, type[LoraAdapter | LohaAdapter | LokrAdapter | OftAdapter]] = {
    "LoRA": LoraAdapter,
    "LoHa": LohaAdapter,
    "LoKr": LokrAdapter,
    "OFT": OftAdapter,
}


def make_adapters(
    network: nn.Module, algorithm: Algorithm, rank: int, seed: int
) -> dict[str, Adapter]:
    """An adapter for every linear layer and convolution of a network, by the layer's name."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    return {
        name: _KINDS[algorithm](layer, rank, generator)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }


def only(parts: Parts, algorithm: str, *needed: str) -> None:
    """Raises `WeightsError` if a module of a file has other parts than these and an alpha."""
    if set(parts.entries) - {"alpha"} != set(needed):
        raise WeightsError(
            f"the existing LoRA does not fit: {parts.module} has {', '.join(parts.entries)}, "
            f"expected {', '.join(needed)} of a {algorithm}; choose the file's algorithm, or "
            "another file"
        )


def applied(layer: Layer, weight: Tensor, x: Tensor) -> Tensor:
    """The output of a layer for x with another weight, without its bias."""
    if isinstance(layer, nn.Conv2d):
        return functional.conv2d(
            x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
        )
    return functional.linear(x, weight)


def wide(values: Tensor, like: Tensor, axis: int) -> Tensor:
    """Values of one axis, shaped to be added to a tensor."""
    shape = [1] * like.ndim
    shape[axis] = -1
    return values.view(shape)


def divisor(number: int) -> int:
    """The largest divisor that is not above the square root."""
    return max(each for each in range(1, math.isqrt(number) + 1) if number % each == 0)
