"""The tensors of a module by name, the places they are used, and their division into blocks.

Works on any `nn.Module` whose parts are called as modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from engine.residency.sources import Source, TensorSource


@dataclass(frozen=True, slots=True, eq=False)
class NamedTensor:
    """One tensor of a module.

    Attributes:
        names: as `named_parameters` returns them; several for a tensor that is shared.
        source: how it is stored.
        owners: the submodules that hold it, each with its attribute name.
        placeholder: what the module holds while the values are not on the device.
    """

    names: tuple[str, ...]
    source: Source
    owners: tuple[tuple[nn.Module, str], ...]
    placeholder: Tensor

    def put(self, tensor: Tensor) -> None:
        """Make the module compute with this tensor."""
        if isinstance(self.placeholder, nn.Parameter):
            is_one = isinstance(tensor, nn.Parameter)
            parameter = tensor if is_one else nn.Parameter(tensor, requires_grad=False)
            for owner, attribute in self.owners:
                owner._parameters[attribute] = parameter  # noqa: SLF001 - without re-registering
        else:
            for owner, attribute in self.owners:
                owner._buffers[attribute] = tensor  # noqa: SLF001

    def restore(self) -> None:
        """Put the placeholder back."""
        self.put(self.placeholder)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Tensors that are transferred together.

    Attributes:
        module: the module whose call needs them; None for tensors that must stay while anything
            runs, because they are shared or belong to no call.
        tensors: the tensors.
    """

    module: nn.Module | None
    tensors: tuple[NamedTensor, ...]


def named_tensors(module: nn.Module, sources: Mapping[str, Source]) -> dict[int, NamedTensor]:
    """Every parameter and buffer of a module once, by the `id` of the tensor the module holds.

    Args:
        module: on the meta device where `sources` provide its values.
        sources: by name; a tensor without one has its own values.
    """
    names: dict[int, list[str]] = {}
    owners: dict[int, list[tuple[nn.Module, str]]] = {}
    held: dict[int, Tensor] = {}
    for prefix, part in module.named_modules():
        for attribute, tensor in _direct(part):
            names.setdefault(id(tensor), []).append(
                f"{prefix}.{attribute}" if prefix else attribute
            )
            owners.setdefault(id(tensor), []).append((part, attribute))
            held[id(tensor)] = tensor
    found: dict[int, NamedTensor] = {}
    for key, tensor in held.items():
        known = (sources[name] for name in names[key] if name in sources)
        source = next(known, None) or TensorSource(tensor)
        found[key] = NamedTensor(tuple(names[key]), source, tuple(owners[key]), tensor)
    return found


def split(
    module: nn.Module,
    sources: Mapping[str, Source],
    size_of: Callable[[Source], int],
    limit: int,
) -> list[Block]:
    """The blocks of a module in the order of construction; every tensor is in exactly one."""
    named = named_tensors(module, sources)
    shared = [each for each in named.values() if len(each.owners) > 1]
    set_aside = {id(each.placeholder) for each in shared}
    blocks = [Block(None, tuple(shared))] if shared else []

    def own(tensors: Iterator[Tensor]) -> tuple[NamedTensor, ...]:
        return tuple(named[id(tensor)] for tensor in tensors if id(tensor) not in set_aside)

    def visit(part: nn.Module, *, is_root: bool) -> None:
        tensors = own(tensor for below in part.modules() for _, tensor in _direct(below))
        if not tensors:
            return
        whole = isinstance(part, nn.MultiheadAttention) or not any(part.children())
        fits = sum(size_of(each.source) for each in tensors) <= limit
        if _is_called(part) and not is_root and (whole or fits):
            blocks.append(Block(part, tensors))
            return
        direct = own(tensor for _, tensor in _direct(part))
        if direct:
            blocks.append(Block(None, direct))
        for child in part.children():
            visit(child, is_root=False)

    visit(module, is_root=True)
    return blocks


def _is_called(module: nn.Module) -> bool:
    return type(module).forward is not nn.Module.forward


def _direct(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    held = {**module._parameters, **module._buffers}  # noqa: SLF001 - without copies or checks
    return ((name, tensor) for name, tensor in held.items() if tensor is not None)
