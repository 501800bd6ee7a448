# pyright: basic
"""From a patcher back to a frozen model: what plugins wrote becomes hooks of ours.

What the engine's own nodes put on the model stays, in its place. Guidance, noise masks and wrappers
outside of the network stay in `Model.options["model_options"]`: the sampling path for plugins calls
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.blocks.attention import OVERRIDE, overridden
from engine.compat.models import levels, networks, transformers
from engine.compat.models.foreign_format import format_value
from engine.compat.models.model_options import create_model_options_clone
from engine.compat.models.patcher_extension import (
    WrapperExecutor,
    WrappersMP,
    get_all_wrappers,
)
from engine.compat.weight_patches import HostPatch
from engine.diffusion.parameterization import Parameterization
from engine.inference.network_hooks import NetworkCall, NetworkHooks
from engine.inference.values import Model, Start
from engine.nets.hooks import NetHooks
from engine.residency.handles import PatchedWeights, Weights
from engine.residency.manager import current
from engine.residency.sources import Patch

PATCHER = "calotype_patcher"
OPTIONS = ("model_options", "callbacks", PATCHER)
"""The keys of `Model.options` that this module writes."""
NETWORK = "diffusion_model."
_INNER = frozenset({"patches", "patches_replace", "wrappers", "callbacks"})


@dataclass(frozen=True, eq=False)
class NativePatch:
    """A patch of the engine's own in a patcher's list of patches.

    Attributes:
        patch: the patch.
    """

    patch: Patch

    def calculate_weight(self, weight: Tensor, *_: Any, **__: Any) -> Tensor:
        """The changed weight, as adapters of plugins compute it."""
        return self.patch.apply(weight.float()).to(weight.dtype)


def listed_patches(net: Weights) -> dict[str, list[Any]]:
    """The patches of weights in the form of `ModelPatcher.patches`."""
    return {
        f"{NETWORK}{name}": [
            each.listed
            if isinstance(each, HostPatch)
            else (1.0, NativePatch(each), 1.0, None, None)
            for each in patches
        ]
        for name, patches in net.patches.items()
    }


def patched_net(net: Weights, listed: Mapping[str, list[Any]]) -> Weights:
    """The weights with exactly these patches; the same handle if it has them."""
    wanted: dict[str, tuple[Patch, ...]] = {}
    for key, patches in listed.items():
        if patches and key.startswith(NETWORK):
            name = key[len(NETWORK) :]
            wanted[name] = tuple(_patch(name, each) for each in patches)
    if wanted == dict(net.patches):
        return net
    return PatchedWeights(net.base, wanted) if wanted else net.base


def _patch(name: str, listed: Any) -> Patch:
    padded: tuple[Any, ...] = (*listed, None, None)
    strength, value, strength_model, offset, function = padded[:5]
    if isinstance(value, NativePatch) and strength == 1.0:
        return value.patch
    return HostPatch(
        name,
        float(strength),
        float(strength_model),
        id(value),
        value,
        None if offset is None else tuple(offset),
        function,
    )


def same_levels(one: Parameterization, other: Parameterization) -> bool:
    """Whether two parameterizations are the same."""
    if one is other:
        return True
    if type(one) is not type(other) or isinstance(one, levels.ForeignLevels):
        return False
    pairs = [(getattr(one, each.name), getattr(other, each.name)) for each in fields(one)]  # type: ignore[arg-type]
    return all(
        torch.equal(ours, theirs) if isinstance(ours, Tensor) else ours == theirs
        for ours, theirs in pairs
    )


def synced_hooks(hooks: NetHooks, before: Mapping[str, Any], after: Mapping[str, Any]) -> NetHooks:
    """The hooks with the patches of `after` instead of those of `before`.

    Both are `transformer_options`. Hooks in neither are the engine's own, and keep their place.
    """
    old, new = networks.net_hooks(before) or NetHooks(), networks.net_hooks(after) or NetHooks()
    patches: dict[str, tuple[Any, ...]] = {}
    for kind in {**hooks.patches, **new.patches}:
        gone = [each for each in old.of(kind) if not _among(each, new.of(kind))]
        kept = [each for each in hooks.of(kind) if not _among(each, gone)]
        added = [each for each in new.of(kind) if not _among(each, kept)]
        if kept or added:
            patches[kind] = (*kept, *added)
    replaced = {
        place: hook
        for place, hook in hooks.replacements.items()
        if old.replacements.get(place) is not hook
    }
    options = {key: value for key, value in hooks.options.items() if key not in old.options}
    return NetHooks(patches, {**replaced, **new.replacements}, {**options, **new.options})


def _among(each: Any, many: Any) -> bool:
    return any(each is other for other in many)


def with_wrappers(options: dict[str, Any], name: str, keyed: Mapping[str, Any]) -> None:
    """Add a patcher's wrappers or callbacks to `transformer_options`, each once."""
    if not any(keyed.values()):
        return
    store = options.setdefault(name, {})
    for kind, keys in keyed.items():
        for key, many in keys.items():
            found = store.setdefault(kind, {}).setdefault(key, [])
            found.extend(each for each in many if not _among(each, found))


def full_options(patcher: Any) -> dict[str, Any]:
    """A copy of a patcher's `model_options`, with its wrappers and callbacks."""
    options = create_model_options_clone(patcher.model_options)
    inner = options.setdefault("transformer_options", {})
    with_wrappers(inner, "wrappers", patcher.wrappers)
    with_wrappers(inner, "callbacks", patcher.callbacks)
    return options


def value_of(patcher: Any) -> Model:
    """The frozen model of a patcher that was made from one."""
    value: Model = patcher.value
    options = full_options(patcher)
    inner = options["transformer_options"]
    before = patcher.applied
    changed = replace(
        value,
        net=patched_net(value.net, patcher.patches),
        parameterization=_levels_of(patcher),
        latent=_latent_of(patcher),
    )
    if not _is_empty(inner) or not _is_empty(before):
        changed = replace(changed, hooks=synced_hooks(value.hooks, before, inner))
    kept: Mapping[str, Any] = value.options
    if any(key in kept for key in OPTIONS) or patcher.has_state:
        kept = {key: each for key, each in kept.items() if key not in OPTIONS}
    per_run = tuple(each for each in value.per_run if not isinstance(each, PluginRun))
    if patcher.has_state:
        snapshot = patcher.snapshot()
        attached = {"model_options": options, "callbacks": patcher.callbacks, PATCHER: snapshot}
        kept = {**kept, **attached}
        per_run = (*per_run, PluginRun(snapshot, options))
    if len(per_run) != len(value.per_run) or patcher.has_state:
        changed = replace(changed, per_run=per_run)
    if kept is not value.options:
        changed = replace(changed, options=kept)
    same = all(getattr(changed, each.name) is getattr(value, each.name) for each in fields(Model))
    return value if same else changed


def _is_empty(inner: Mapping[str, Any]) -> bool:
    # Plugins put tensors into it, too; an empty container means nothing, any other value is one.
    containers = dict | list | tuple | str
    return all(
        each is None or (isinstance(each, containers) and not each) for each in inner.values()
    )


def _levels_of(patcher: Any) -> Parameterization:
    found = levels.value_of(patcher.get_model_object("model_sampling"))
    value: Model = patcher.value
    return value.parameterization if same_levels(found, value.parameterization) else found


def _latent_of(patcher: Any) -> Any:
    value: Model = patcher.value
    given = patcher.object_patches.get("latent_format")
    return value.latent if given is None else format_value(given, value.latent)


@dataclass(frozen=True, eq=False)
class PluginRun:
    """Makes what plugins attached part of one run; an item of `Model.per_run`.

    Attributes:
        patcher: with everything that they attached; never changed.
        options: its `model_options` with wrappers.
    """

    patcher: Any
    options: Mapping[str, Any]

    def __call__(self, model: Model, start: Start) -> Model:
        """The model of a run."""
        del start
        shown = self.patcher.model
        outer, inner = model.network, self.options["transformer_options"]
        around = outer.around
        if inner.get(OVERRIDE) is not None:
            around = (call_overridden, *around)
        if self._surrounds(inner):
            around = (*around, partial(call_surrounded, shown, self.options))
        through = outer.through
        if self._goes_through(inner, shown):
            through = partial(_through, shown)
        contexts = (*outer.contexts, partial(patched_model, self.patcher))
        device = current().device
        return replace(
            model,
            hooks=model.hooks.each(partial(moved, device)),
            network=NetworkHooks(around, contexts, through),
        )

    def _surrounds(self, inner: Mapping[str, Any]) -> bool:
        if self.options.get("model_function_wrapper") is not None:
            return True
        changed = "apply_model" in self.patcher.object_patches
        return changed or bool(get_all_wrappers(WrappersMP.APPLY_MODEL, dict(inner)))

    def _goes_through(self, inner: Mapping[str, Any], shown: Any) -> bool:
        if get_all_wrappers(WrappersMP.DIFFUSION_MODEL, dict(inner)):
            return True
        patches = self.patcher.object_patches
        if any(name.split(".")[0] == "diffusion_model" for name in patches):
            return True
        net = shown.diffusion_model
        # A plugin may replace the method, of the object or of the class.
        if "forward" in net.__dict__ or networks.UNetModel.forward is not _FORWARD:
            return True
        return isinstance(net, transformers.TransformerModel) and net.is_replaced


_FORWARD = networks.UNetModel.forward


def _through(shown: Any, predict: Callable[..., Tensor]) -> Callable[..., Tensor]:
    net = shown.diffusion_model
    if transformers.is_shown(shown):
        return transformers.through(net)

    def through(module: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        return predict(networks.Through(module, net), *args, **kwargs)

    return through


def moved(device: torch.device, hook: Any) -> Any:
    """A patch on the device, if it is an object that can be moved."""
    move = getattr(hook, "to", None)
    if move is None or isinstance(hook, type | tuple) or not callable(hook):
        return hook
    found = move(device)
    return hook if found is None else found


@contextmanager
def patched_model(patcher: Any) -> Iterator[None]:
    """The model with a patcher's objects, injections and further models, for a run."""
    with ExitStack() as stack:
        for other in patcher.get_nested_additional_models():
            stack.enter_context(loaded(other))
        net = patcher.model.diffusion_model
        if isinstance(net, nn.Module):
            stack.enter_context(networks.running(net))
        stack.enter_context(patcher.pinned())
        patcher.patch_objects()
        stack.callback(patcher.unpatch_objects)
        patcher.inject_model()
        stack.callback(patcher.eject_model)
        yield


@contextmanager
def loaded(other: Any) -> Iterator[None]:
    """A plugin's own network on the device, with room for it."""
    if getattr(other, "value", None) is not None:
        yield
        return
    nbytes = int(other.model_size()) if current().device.type != "cpu" else 0
    with current().reserve(nbytes):
        other.patch_model(device_to=other.load_device)
        try:
            yield
        finally:
            other.unpatch_model(device_to=other.offload_device)


def call_overridden(made: NetworkCall, inner: Callable[[NetworkCall], Tensor]) -> Tensor:
    """A call of the network, with the attention that a plugin's options name."""
    with overridden(networks.transformer_options(made.hooks)):
        return inner(made)


def call_surrounded(
    shown: Any,
    options: Mapping[str, Any],
    made: NetworkCall,
    inner: Callable[[NetworkCall], Tensor],
) -> Tensor:
    """A call of the network through plugins' function and wrappers, with their arguments."""
    inputs = dict(made.inputs)
    names = {"c_crossattn": "context", "c_concat": "concat", "y": "vector"}
    room = transformers if transformers.is_shown(shown) else networks
    control_dict, residuals = room.control_dict, room.residuals
    known = {value: name for name, value in names.items()}
    c: dict[str, Any] = {known.get(name, name): value for name, value in inputs.items()}
    c["transformer_options"] = networks.transformer_options(made.hooks)
    if made.control is not None:
        c["control"] = control_dict(made.control)

    def last(
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        given = {**kwargs, "c_concat": c_concat, "c_crossattn": c_crossattn}
        found = {
            names.get(name, name): _like(value, inputs.get(names.get(name, name)))
            for name, value in given.items()
            if value is not None
        }
        hooks = networks.net_hooks(transformer_options)
        wanted = {name: value for name, value in found.items() if isinstance(value, Tensor)}
        return inner(NetworkCall(x, t, wanted, made.entries, hooks, residuals(control)))

    def apply_model(x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        inner_options = kwargs.get("transformer_options") or {}
        wrappers = get_all_wrappers(WrappersMP.APPLY_MODEL, inner_options)
        replaced = shown.__dict__.get("apply_model")
        if replaced is not None:
            return replaced(x, t, *args, **kwargs)
        executor = WrapperExecutor.new_class_executor(last, shown, wrappers)
        names = ("c_concat", "c_crossattn", "control", "transformer_options")[len(args) :]
        further = [kwargs.pop(name, None) for name in names]
        return executor.execute(x, t, *args, *further, **kwargs)

    around = options.get("model_function_wrapper")
    if around is None:
        return apply_model(made.x, made.sigma, **c)
    unwanted = c["transformer_options"].get("cond_or_uncond", [])
    given = {"input": made.x, "timestep": made.sigma, "c": c, "cond_or_uncond": unwanted}
    return around(apply_model, given).to(made.x)


def in_dtype(value: Any, dtype: torch.dtype) -> Any:
    """A floating-point tensor in a dtype; anything else unchanged."""
    is_real = isinstance(value, Tensor) and value.is_floating_point()
    return value.to(dtype) if is_real else value


def _like(value: Any, old: Tensor | None) -> Any:
    if isinstance(value, Tensor) and old is not None and value.is_floating_point():
        return value.to(old)
    return value
