"""Networks of other programs' classes, made fit for the residency: streamed and packed weights.

Their parameters are on the meta device until a run brings them, in the dtype of the run. Such a
class may read a weight outside of the call of its module, or expect some in float32; the layers
below take inputs of another dtype than their weights, so neither matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from engine.errors import WeightsError
from engine.nets.hooks import NetHooks, through_block
from engine.nets.layers import Convolution, Linear

Checkpoint = Callable[[], None]
TABLES = "_tables_of_positions"
_FILLED: frozenset[Any] = frozenset(
    (torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand, torch.full)
)
"""What parameters are made with; tables of positions are computed with other functions."""


class _ParametersOnMeta(TorchFunctionMode):
    """Tensors that wait for the values of a file have no memory; computed ones have."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _FILLED:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


class CastingLinear(Linear):
    """A projection whose input is taken in the dtype of its weight."""

    packed_parameter = "weight"

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's name for it
        """[..., C] -> [..., C']."""
        return super().forward(input.to(self.weight.dtype))


class CastingRmsNorm(nn.RMSNorm):
    """A norm whose weight is taken in the dtype of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        weight = None if self.weight is None else self.weight.to(x.dtype)
        return functional.rms_norm(x, self.normalized_shape, weight, self.eps)


_LAYERS: Mapping[type[nn.Module], type[nn.Module]] = {
    nn.Linear: CastingLinear,
    nn.RMSNorm: CastingRmsNorm,
    nn.Conv2d: Convolution,
}


def built(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with parameters on the meta device and tables of positions on the CPU.

    Tables that are no part of files become plain attributes, so that they stay in float32; see
    `tables_on`.

    Raises:
        WeightsError: a table has no values, because the class computes it in another way.
    """
    with _ParametersOnMeta():
        network = make().eval().requires_grad_(requires_grad=False)
    tables: list[tuple[nn.Module, str]] = []
    for owner in network.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if not parameter.is_meta:
                empty = nn.Parameter(parameter.to("meta"), requires_grad=False)
                owner.register_parameter(name, empty)
        for name in sorted(owner._non_persistent_buffers_set):  # noqa: SLF001 - no other way
            table = owner._buffers.pop(name)  # noqa: SLF001
            if table is None or table.is_meta:
                raise WeightsError(f"{type(network).__name__} has no values for its table {name}")
            owner._non_persistent_buffers_set.discard(name)  # noqa: SLF001
            setattr(owner, name, table)
            tables.append((owner, name))
        kind = _LAYERS.get(type(owner))
        if kind is not None:
            owner.__class__ = kind
    network.__dict__[TABLES] = tuple(tables)
    return network


def tables_on(network: nn.Module, device: torch.device) -> None:
    """Move a network's tables of positions to the device that computes."""
    for owner, name in network.__dict__.get(TABLES, ()):
        table: Tensor = getattr(owner, name)
        if table.device != device:
            setattr(owner, name, table.to(device))


@contextmanager
def checked(
    network: nn.Module, blocks: Sequence[str], checkpoint: Checkpoint
) -> Iterator[nn.Module]:
    """The network, calling `checkpoint` before each block, in a `with`.

    Args:
        network: as `built` makes it.
        blocks: names of the classes of its blocks.
        checkpoint: may raise to end the run.
    """
    hooks = [
        module.register_forward_pre_hook(lambda *_: checkpoint())
        for module in network.modules()
        if type(module).__name__ in blocks
    ]
    try:
        yield network
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def replaced(
    network: nn.Module, blocks: Sequence[str], place: str, names: Sequence[str], hooks: NetHooks
) -> Iterator[None]:
    """Let what replaces blocks (the hooks of the kind `dit`) run in their place, in a `with`.

    Args:
        network: as `built` makes it.
        blocks: names of the classes of its blocks, which return the tokens `img`.
        place: the part that the ecosystem counts them in, such as `double_block`.
        names: of a block's arguments in their order, see `through_block`.
        hooks: of the call.
    """
    found = [module for module in network.modules() if type(module).__name__ in blocks]
    changed: list[nn.Module] = []

    def forward(number: int, original: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def block(inputs: Mapping[str, Any]) -> dict[str, Any]:
            return {"img": original(*(inputs[name] for name in names))}

        def through(*arguments: Any) -> Tensor:
            inputs = dict(zip(names, arguments, strict=True))
            return through_block(hooks, (place, number), inputs, block)["img"]

        return through

    try:
        for number, module in enumerate(found):
            if ("dit", (place, number)) in hooks.replacements:
                # An attribute of the instance, so that hooks around the call remain.
                module.__dict__["forward"] = forward(number, module.forward)
                changed.append(module)
        yield
    finally:
        for module in changed:
            del module.__dict__["forward"]
