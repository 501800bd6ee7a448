"""The control networks of one run, whose residuals are added up slot by slot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.control.kind import Call
from engine.diffusion.regions import Region
from engine.families.family import Checkpoint
from engine.inference.control import (
    Control,
    ControlNet,
    ForeignControl,
    chain_of,
    check_encoder,
    check_model,
)
from engine.inference.control_pictures import encoded, shown
from engine.inference.control_text import inputs_of_control
from engine.inference.values import Conditioning, Model
from engine.nets.hooks import Residuals
from engine.residency.handles import Weights
from engine.residency.manager import Residency


class ControlRun:
    """The control networks of the entries of a run.

    The features of their pictures are computed once, at their first call.
    """

    def __init__(
        self,
        conditionings: Mapping[str, Conditioning],
        model: Weights,
        to_sigma: Callable[[float], float],
        residency: Residency,
        checkpoint: Checkpoint,
        *,
        sampled: Model | None = None,
    ) -> None:
        """Collect the chains.

        Args:
            conditionings: of the guider.
            model: the denoiser's weights.
            to_sigma: from shares of the run, 0..1.
            residency: the residency of the compute device.
            checkpoint: called at every block; may raise `Stopped`.
            sampled: the model, which foreign controls get.

        Raises:
            NodeError: one of them was made for another model.
        """
        entries = (extras for many in conditionings.values() for _, extras in many)
        links = {id(link): link for extras in entries for link in chain_of(extras)}
        self._links = {key: link for key, link in links.items() if isinstance(link, Control)}
        self._foreign: Mapping[int, ForeignControl] = {
            key: link for key, link in links.items() if not isinstance(link, Control)
        }
        self._started: list[ForeignControl] = []
        self._sampled, self._to_sigma = sampled, to_sigma
        for link in self._links.values():
            check_encoder(link)
            if sampled is not None:
                check_model(link.net, sampled)
        self._nets = {key: link.net.on(model) for key, link in self._links.items()}
        self._times = {
            key: (math.inf if link.start <= 0 else to_sigma(link.start), to_sigma(link.end))
            for key, link in self._links.items()
        }
        self._residency = residency
        self._checkpoint = checkpoint
        self._features: dict[tuple[int, tuple[int, ...]], tuple[Tensor, ...]] = {}
        self._encoded: dict[tuple[int, tuple[int, ...]], Tensor] = {}
        self._chosen: Sequence[int] | None = None

    @property
    def weights(self) -> tuple[Weights, ...]:
        """The weights of all of them, each once."""
        own = {net.weights.base: net.weights for net in self._nets.values()}
        foreign = {each.base: each for link in self._foreign.values() for each in link.weights}
        return tuple({**own, **foreign}.values())

    @property
    def has_foreign(self) -> bool:
        """Whether there are foreign controls, which read the call's options."""
        return bool(self._foreign)

    def use_rows(self, rows: Sequence[int] | None) -> None:
        """Have the next calls be for these rows of the latent; None: for all of them in turn."""
        self._chosen = rows

    def encode(self, regions: Iterable[Region], size: Sequence[int]) -> None:
        """Encode the pictures that networks take encoded, before the denoiser is on the device.

        Args:
            regions: of the run.
            size: of x behind its channels.
        """
        for region in regions:
            part = region.area[: len(size)] if region.area else size
            for link in region.networks:
                if isinstance(link, Control) and id(link) in self._links:
                    self._picture(link, tuple(part))

    def room_for(self, shape: Sequence[int], denoiser: int) -> int:
        """Bytes that a call on x of `shape` needs beside weights and features.

        Control networks are called before the denoiser, which needs `denoiser` bytes; their sum is
        retained until after its call.
        """
        computed, kept = denoiser, 0
        for net in self._nets.values():
            kind, config, width = net.kind, net.config, self._width(net)
            computed = max(computed, kind.activation_bytes(config, shape, width))
            kept = max(kept, 2 * kind.kept_bytes(config, shape, width))
        return computed + kept

    def features_bytes(self, shape: Sequence[int]) -> int:
        """Bytes of the pictures' features, retained for the whole run on x of `shape`."""
        return sum(
            net.kind.features_bytes(
                net.config, (len(self._links[key].picture), *shape[1:]), self._width(net)
            )
            for key, net in self._nets.items()
        )

    def residuals(
        self,
        entries: Sequence[Region],
        x: Tensor,
        timestep: Tensor,
        sigma: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        noisy: Tensor | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Residuals | None:
        """The residuals for one call of the denoiser; None if there are none.

        Args:
            entries: the entries that share the call, and so their networks.
            x: [N, C, ...], the denoiser's input.
            timestep: [N], float32.
            sigma: [N].
            inputs: of the denoiser, each [N, ...].
            noisy: x before it was scaled, for foreign controls.
            options: `transformer_options`, for foreign controls.
        """
        total: Residuals | None = None
        keys = [id(each) for each in entries[0].networks if id(each) in self._links]
        working = self._working(keys, sigma)
        inputs = inputs_of_control(inputs)
        for link in working:
            net = self._nets[id(link)]
            dtype = self._residency.dtype_of(net.weights)
            call = Call(
                x.to(dtype),
                timestep,
                {
                    n: each.to(dtype) if each.is_floating_point() else each
                    for n, each in inputs.items()
                },
                self._features_for(link, x, len(entries), dtype),
                self._checkpoint,
            )
            found = net.kind.residuals(net.config, net.weights.module, call)
            if link.strength != 1.0:
                found = found.each(lambda each, link=link: each * link.strength)
            total = found if total is None else total.plus(found)
        for each in entries[0].networks if self._foreign else ():
            foreign = self._foreign.get(id(each))
            if foreign is None:
                continue
            self._start(foreign)
            given = x if noisy is None else noisy
            made = foreign.residuals(given, sigma, inputs, options or {}, len(entries))
            if made is not None:
                made = made.each(lambda each: each.to(x.device, x.dtype))
                total = made if total is None else total.plus(made)
        return total

    def _start(self, link: ForeignControl) -> None:
        """Start a foreign control before its first call."""
        if link not in self._started and self._sampled is not None:
            self._started.append(link)
            link.start(self._sampled, self._to_sigma)

    def end(self) -> None:
        """Tell foreign controls that the run ended."""
        while self._started:
            self._started.pop().end()

    def _working(self, keys: Sequence[int], sigma: Tensor) -> list[Control]:
        """The control networks active at sigma; reads it from the device only if needed."""
        if all(self._times[key] == (math.inf, 0.0) for key in keys):
            return [self._links[key] for key in keys]
        level = float(sigma.flatten()[0])
        return [
            self._links[key] for key in keys if self._times[key][0] >= level >= self._times[key][1]
        ]

    def _features_for(
        self, link: Control, x: Tensor, entries: int, dtype: torch.dtype
    ) -> tuple[Tensor, ...]:
        """Features for all rows of x, which are those of `entries` entries in sequence."""
        size = tuple(x.shape[2:])
        key = (id(link), size)
        if key not in self._features:
            net = self._nets[id(link)]
            picture = self._picture(link, size).to(self._residency.device, dtype)
            found = net.kind.features(net.config, net.weights.module, picture)
            self._features[key] = tuple(found)
        chosen = self._chosen or range(len(x) // entries)
        return tuple(_rows(each, chosen, entries) for each in self._features[key])

    def _picture(self, link: Control, size: tuple[int, ...]) -> Tensor:
        """The picture of an application as its network takes it, for x of that size."""
        net = self._nets[id(link)]
        if net.kind.latent(net.config) is None:
            return shown(net, link.picture, size)
        key = (id(link), size)
        if key not in self._encoded:
            self._encoded[key] = encoded(net, link, size, self._checkpoint)
        return self._encoded[key]

    def _width(self, net: ControlNet) -> int:
        return self._residency.dtype_of(net.weights).itemsize


def _rows(features: Tensor, chosen: Sequence[int], entries: int) -> Tensor:
    """Features of these rows: fewer are repeated from the start, of more the first are used."""
    if len(features) == 1:
        return features
    index = torch.tensor(list(chosen), device=features.device) % len(features)
    return features[index].repeat(entries, *(1 for _ in features.shape[1:]))
