# pyright: basic
"""Networks that plugins made themselves, as models that the engine samples with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from engine.compat.models import conds, conversion, levels, networks
from engine.compat.models.foreign_format import format_value
from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization
from engine.errors import NodeError
from engine.families.family import Checkpoint, Entry, Run, TextPlan
from engine.families.latent_format import LatentFormat
from engine.inference.network_hooks import NetworkHooks
from engine.inference.values import Model, Start
from engine.nets.hooks import NetHooks, Residuals
from engine.residency.handles import LazyWeights
from engine.residency.manager import current
from engine.weights.state_dict import StateDict


def _no_text(_: Mapping[str, Any]) -> NoReturn:
    raise NodeError("this model's text encoders are its plugin's own; use that plugin's nodes")


_TEXT = TextPlan({}, _no_text)


@dataclass(frozen=True, eq=False)
class ForeignFamily:
    """The family of one network of a plugin's.

    Attributes:
        shown: the plugin's model.
    """

    shown: Any
    name: str = "a plugin's model"
    examples: str = ""
    text: TextPlan = _TEXT

    def detect(self, weights: StateDict) -> None:
        """Nothing."""
        del weights

    def latent(self, config: Any) -> LatentFormat:
        """The format of its latents."""
        del config
        return format_value(self.shown.latent_format)

    def build(self, config: Any) -> nn.Module:
        """Nothing to place: the plugin does."""
        del config
        return nn.Module()

    def denoiser(self, config: Any, weights: StateDict) -> StateDict:
        """The tensors as they are."""
        del config
        return weights

    def encoder(self, weights: StateDict, name: str) -> None:
        """None."""
        del weights, name

    def autoencoder(self, weights: StateDict) -> None:
        """None."""
        del weights

    def metadata(self, config: Any) -> Mapping[str, str]:
        """None."""
        del config
        return {}

    def parameterization(self, config: Any) -> Parameterization:
        """Its noise levels."""
        del config
        return levels.value_of(self.shown.model_sampling)

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

    def inputs(self, config: Any, entry: Entry, *, run: Run, role: Role) -> Mapping[str, Input]:
        """What the plugin's model makes of an entry."""
        del config
        device = current().device
        given = {
            **entry.extras,
            "cross_attn": entry.embedding.to(device),
            "noise": torch.zeros(tuple(run.shape), device=device),
            "device": device,
            "prompt_type": role.value,
            "latent_image": run.clean,
            "denoise_mask": run.mask,
            "seed": run.seed,
        }
        found: dict[str, Input] = {}
        for name, made in self.shown.extra_conds(**given).items():
            value = made.cond
            if isinstance(value, Tensor):
                found[name] = Input(value, _join(made))
        return found

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the plugin's network."""
        del net
        checkpoint()
        given = dict(inputs)
        concat = given.pop("c_concat", None)
        if concat is not None:
            x = torch.cat((x, concat.to(x)), dim=1)
        dtype = self.shown.get_dtype_inference()
        given = {name: conversion.in_dtype(value, dtype) for name, value in given.items()}
        context = given.pop("c_crossattn", None)
        return self.shown.diffusion_model(
            x.to(dtype),
            timestep,
            context=context,
            control=networks.control_dict(control),
            transformer_options=networks.transformer_options(hooks),
            **given,
        )

    def lora_names(self, config: Any) -> Mapping[str, str]:
        """None."""
        del config
        return {}

    def activation_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """As the plugin's model says."""
        del config, dtype_bytes
        return int(self.shown.memory_required(list(shape)))


def _join(made: Any) -> Join:
    if isinstance(made, conds.CONDNoiseShape):
        return Join.CROP_TO_AREA
    return Join.REPEAT if isinstance(made, conds.CONDCrossAttn) else Join.SAME


@dataclass(frozen=True, eq=False)
class _Loaded:
    """Makes a plugin's model part of one run: its weights, patches and injections."""

    patcher: Any
    options: Mapping[str, Any]

    def __call__(self, model: Model, start: Start) -> Model:
        run = conversion.PluginRun(self.patcher, self.options)
        made = run(model, start)
        contexts = (partial(conversion.loaded, self.patcher), *made.network.contexts)
        return replace(made, network=NetworkHooks(made.network.around, contexts))


def foreign_value(patcher: Any) -> Model:
    """The frozen model of a patcher whose network is a plugin's own.

    Raises:
        NodeError: the module has no noise levels or latent format, so it is no denoiser.
    """
    shown = patcher.model
    if not hasattr(shown, "model_sampling") or not hasattr(shown, "extra_conds"):
        raise NodeError(
            f"{type(shown).__name__} is a module of a plugin's own and no diffusion model: it has "
            "no model_sampling. Connect it to that plugin's own nodes"
        )
    sampling = levels.value_of(patcher.get_model_object("model_sampling"))
    options = conversion.full_options(patcher)
    native: Model | None = patcher.native
    if native is None:
        family = ForeignFamily(shown, type(shown).__name__)
        net = LazyWeights(f"{type(shown).__name__} of a plugin", 0, nn.Module)
        native = Model(family, None, net, family.latent(None), sampling)
    inner = options["transformer_options"]
    snapshot = patcher.snapshot()
    per_run = tuple(each for each in native.per_run if not isinstance(each, _Loaded))
    kept = {key: each for key, each in native.options.items() if key not in conversion.OPTIONS}
    kept |= {
        "model_options": options,
        "callbacks": patcher.callbacks,
        conversion.PATCHER: snapshot,
    }
    return replace(
        native,
        parameterization=sampling,
        hooks=conversion.synced_hooks(native.hooks, patcher.applied, inner),
        options=kept,
        per_run=(*per_run, _Loaded(snapshot, options)),
    )
