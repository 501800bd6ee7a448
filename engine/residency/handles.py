"""Handles on weights, which nodes pass instead of modules. Making one reads no tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NoReturn, Protocol

from torch import nn

from engine.errors import WeightsError
from engine.residency.carriers import Wants
from engine.residency.sources import Patches, Source

_NO_WANTS = Wants()


class Weights(Protocol):
    """A handle on one module's weights, with or without patches.

    Attributes:
        name: for messages.
        size: bytes as stored, known without loading.
        wants: the form needed for computing.
        base: the handle without patches; handles with the same base share one module and its
            memory.
        patches: patches of its tensors, by their names in the module.
    """

    name: str
    size: int

    @property
    def is_missing(self) -> bool:
        """Whether the file has no such weights, see `MissingWeights`."""
        ...

    @property
    def wants(self) -> Wants:
        """See above."""
        ...

    @property
    def base(self) -> Weights:
        """See above."""
        ...

    @property
    def patches(self) -> Patches:
        """See above."""
        ...

    @property
    def module(self) -> nn.Module:
        """The module; only inside `Residency.use` does it hold values to compute with."""
        ...

    @property
    def sources(self) -> Mapping[str, Source]:
        """The sources of its tensors by name; tensors without one have their own values."""
        ...

    @property
    def forget(self) -> Callable[[], None]:
        """A function that advises the system to drop the file's pages from memory.

        It must not reference the handle, because unreferenced handles free their device memory.
        """
        ...


class LazyWeights:
    """Weights of a module that is built when it is first used.

    Attributes:
        name, size, wants, sources: see `Weights`.
    """

    is_missing = False

    def __init__(
        self,
        name: str,
        size: int,
        build: Callable[[], nn.Module],
        *,
        sources: Mapping[str, Source] | None = None,
        wants: Wants = _NO_WANTS,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a handle.

        Args:
            name: for messages.
            size: bytes as stored.
            build: makes the module, on the meta device where `sources` provide its values.
            sources: by the module's names.
            wants: the form to compute in.
            forget: see `Weights.forget`.
        """
        self.name = name
        self.size = size
        self.wants = wants
        self.sources: Mapping[str, Source] = sources or {}
        self._build = build
        self.forget = forget
        self._module: nn.Module | None = None

    @property
    def base(self) -> Weights:
        """Itself."""
        return self

    @property
    def patches(self) -> Patches:
        """None."""
        return {}

    @property
    def module(self) -> nn.Module:
        """The module, built on first use."""
        if self._module is None:
            self._module = self._build()
        return self._module

    @property
    def is_loaded(self) -> bool:
        """Whether the module was already built."""
        return self._module is not None


class PatchedWeights:
    """The same weights with patches; the base is unchanged, and nothing is copied."""

    is_missing = False

    def __init__(self, weights: Weights, patches: Patches) -> None:
        """Add patches, by tensor name, after those that `weights` already has."""
        self._base = weights.base
        merged = dict(weights.patches)
        for name, more in patches.items():
            merged[name] = (*merged.get(name, ()), *more)
        self.patches: Patches = MappingProxyType(merged)
        self.name = weights.name
        self.size = weights.size

    @property
    def wants(self) -> Wants:
        """The base's."""
        return self._base.wants

    @property
    def base(self) -> Weights:
        """The weights without patches."""
        return self._base

    @property
    def module(self) -> nn.Module:
        """The base's."""
        return self._base.module

    @property
    def sources(self) -> Mapping[str, Source]:
        """The base's."""
        return self._base.sources

    @property
    def forget(self) -> Callable[[], None]:
        """The base's."""
        return self._base.forget


class MissingWeights:
    """Placeholder for a part that a file does not contain; raises an error only when used.

    Attributes:
        name: the part and its file, for messages.
        size: 0.
    """

    size = 0
    is_missing = True
    wants = _NO_WANTS

    def __init__(self, name: str, advice: str) -> None:
        self.name = name
        self._advice = advice

    @property
    def base(self) -> Weights:
        """Itself."""
        return self

    @property
    def patches(self) -> Patches:
        """None."""
        return {}

    @property
    def module(self) -> nn.Module:
        """Raises `WeightsError`."""
        self._refuse()

    @property
    def sources(self) -> Mapping[str, Source]:
        """Raises `WeightsError`."""
        self._refuse()

    @property
    def forget(self) -> Callable[[], None]:
        """A function that does nothing, because nothing was read."""
        return lambda: None

    def _refuse(self) -> NoReturn:
        raise WeightsError(f"{self.name}: the file does not hold this part; {self._advice}")
