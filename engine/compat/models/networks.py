# pyright: basic
"""The UNet as plugins call it, and the conversions between its arguments and the engine's.

Plugins pass `transformer_options` with patches and wrappers, and `control` as a dictionary of
lists.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.models.patcher_extension import (
    WrapperExecutor,
    WrappersMP,
    get_all_wrappers,
)
from engine.compat.stored_weights import readable
from engine.errors import NodeError
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.unet import UNet
from engine.residency.handles import LazyWeights, Weights
from engine.residency.manager import current

REPLACED = ("attn1", "attn2", "dit")
"""The kinds of replacements that these networks have."""
_OWN = ("patches", "patches_replace")


def net_hooks(options: Mapping[str, Any] | None) -> NetHooks | None:
    """The engine's hooks from `transformer_options`; None if it is empty."""
    if not options:
        return None
    patches = {kind: tuple(many) for kind, many in options.get("patches", {}).items() if many}
    found: dict[tuple[str, tuple[Any, ...]], Any] = {}
    replaced = options.get("patches_replace", {})
    for kind in REPLACED:
        for place, hook in replaced.get(kind, {}).items():
            found[kind, tuple(place)] = hook
    rest = {key: value for key, value in options.items() if key != "callbacks"}
    return NetHooks(patches, found, rest)


def transformer_options(hooks: NetHooks | None) -> dict[str, Any]:
    """`transformer_options` from the engine's hooks, the inverse of `net_hooks`."""
    if hooks is None:
        return {}
    options = {key: value for key, value in hooks.options.items() if key not in _OWN}
    old = hooks.options
    options["patches"] = {
        **{k: v for k, v in old.get("patches", {}).items() if k not in hooks.patches},
        **{kind: list(many) for kind, many in hooks.patches.items()},
    }
    replaced: dict[str, dict[Any, Any]] = {
        kind: dict(places)
        for kind, places in old.get("patches_replace", {}).items()
        if kind not in REPLACED
    }
    for (kind, place), hook in hooks.replacements.items():
        replaced.setdefault(kind, {})[place] = hook
    options["patches_replace"] = replaced
    return options


def control_dict(control: Residuals | None) -> dict[str, list[Tensor | None]] | None:
    """Control as plugins see it: lists that the network takes from the end."""
    if control is None:
        return None
    return {
        "input": list(control.input)[::-1],
        "middle": list(control.middle),
        "output": list(control.output)[::-1],
    }


def residuals(control: Any) -> Residuals | None:
    """The inverse of `control_dict`."""
    if control is None or isinstance(control, Residuals):
        return control
    return Residuals(
        list(control.get("input") or ())[::-1],
        list(control.get("middle") or ()),
        list(control.get("output") or ())[::-1],
    )


class UNetModel(UNet):
    """The UNet with the arguments that plugins pass.

    Not built: it shares the attributes of the engine's own network, so that what is set on one is
    seen by the other.
    """

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        timesteps: Any = None,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        """X [B, C, h, w], timesteps [B], context [B, T, D], y [B, V] -> [B, C', h, w]."""
        options = transformer_options or {}
        wrappers = get_all_wrappers(WrappersMP.DIFFUSION_MODEL, options)
        executor = WrapperExecutor.new_class_executor(self._forward, self, wrappers)
        with in_use(self):
            return executor.execute(x, timesteps, context, y, control, options, **kwargs)

    def _forward(
        self,
        x: Tensor,
        timesteps: Any = None,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        options = transformer_options or {}
        frames = kwargs.get("num_video_frames") or options.get("num_video_frames") or 1
        return UNet.forward(
            self,
            x,
            timesteps,
            context,
            y,
            control=residuals(control),
            hooks=net_hooks(options),
            frames=int(frames),
            checkpoint=self.__dict__.get("_checkpoint"),
        )

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the network is computed in."""
        handle = handle_of(self)
        return torch.float32 if handle is None else current().dtype_of(handle)

    @property
    def device(self) -> torch.device:
        """The device that computes."""
        return current().device

    @property
    def model_channels(self) -> int:
        """The width of the first level."""
        return self.config.model_channels

    @property
    def in_channels(self) -> int:
        """The channels of x."""
        return self.config.in_channels

    @property
    def out_channels(self) -> int:
        """The channels of the prediction."""
        return self.config.out_channels

    @property
    def num_classes(self) -> str | None:
        """`sequential` for a network with a vector `y`; None for one without."""
        return None if self.config.vector_channels is None else "sequential"

    def to(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Itself: the engine decides where weights are."""
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The weights by name, as stored, on the CPU."""
        prefix = kwargs.get("prefix", args[1] if len(args) > 1 else "")
        handle = handle_of(self)
        if handle is None or not handle.sources:
            return super().state_dict(*args, **kwargs)
        return {f"{prefix}{name}": stored for name, stored in stored_tensors(handle)}

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Replace the weights of a network that is a plugin's own copy.

        Raises:
            NodeError: it is that of a file, which other nodes use too.
        """
        handle = handle_of(self)
        if handle is not None and handle.sources:
            raise NodeError(
                f"{handle.name}: a plugin replaces weights that other nodes use, too; it would "
                "have to work on a copy (copy.deepcopy(model)), or add patches (add_patches)"
            )
        return super().load_state_dict(state_dict, *args, **kwargs)


def own_copy(family: Any, config: Any, handle: Weights) -> Weights:
    """A handle on a copy of a network, whose weights may be changed."""
    net: nn.Module = family.build(config)
    tensors = {name: each.clone() for name, each in stored_tensors(handle.base)}
    net.load_state_dict(tensors, assign=True)
    net.eval().requires_grad_(requires_grad=False)
    return LazyWeights(f"a copy of {handle.name}", handle.size, lambda: net, wants=handle.wants)


def stored_tensors(handle: Weights) -> Iterator[tuple[str, Tensor]]:
    """The weights of a handle as its file has them, without patches, on the CPU."""
    if handle.sources:
        for name, source in handle.sources.items():
            yield name, source.unpack(source.read_parts(), source.dtype)
        return
    # A plain dictionary of a module that is not streamed.
    yield from nn.Module.state_dict(handle.module).items()


def handle_of(net: nn.Module) -> Weights | None:
    """The handle of a network that `shown_network` made."""
    found = net.__dict__.get("_handle")
    return found() if found is not None else None


def shown_network(handle: Weights) -> nn.Module:
    """A handle's module as plugins see it; always the same object for the same weights."""
    net = handle.base.module
    if not isinstance(net, UNet):
        return net
    shown = net.__dict__.get("_shown")
    shown = shown() if shown is not None else None
    if shown is None:
        readable(handle)
        kind = _shown_class(type(net))
        shown = kind.__new__(kind)
        # Both share one dictionary: modules that a plugin adds are computed by either.
        object.__setattr__(shown, "__dict__", net.__dict__)
        net.__dict__["_shown"] = weakref.ref(shown)
        net.__dict__["_handle"] = weakref.ref(handle.base)
    return shown


def _shown_class(kind: type[nn.Module]) -> type[nn.Module]:
    """`UNetModel`, or for a network derived from the UNet a class of both."""
    if kind is UNet:
        return UNetModel
    return type(kind.__name__, (UNetModel, kind), {"__module__": UNetModel.__module__})


@contextmanager
def running(net: nn.Module, checkpoint: Callable[[], None] | None = None) -> Iterator[None]:
    """Mark a network as on the device, inside `Residency.use`."""
    before = net.__dict__.get("_runs", 0), net.__dict__.get("_checkpoint")
    net.__dict__["_runs"], net.__dict__["_checkpoint"] = before[0] + 1, checkpoint
    try:
        yield
    finally:
        net.__dict__["_runs"], net.__dict__["_checkpoint"] = before


@contextmanager
def in_use(net: nn.Module) -> Iterator[None]:
    """Have a network's weights on the device, if they are not already."""
    handle = handle_of(net)
    if net.__dict__.get("_runs", 0) or handle is None:
        yield
        return
    with current().use(handle), running(net):
        yield


class Through:
    """What a family calls instead of the network: the network as plugins changed it."""

    def __init__(self, net: nn.Module, shown: Any) -> None:
        """`net` is the engine's, `shown` what is called, with plugins' arguments."""
        self._net = net
        self._shown = shown

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)

    def __call__(
        self,
        x: Tensor,
        timestep: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        *,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        frames: int = 1,
        checkpoint: Callable[[], None] | None = None,
    ) -> Tensor:
        """As the engine's families call a UNet."""
        options = transformer_options(hooks)
        further = {} if frames == 1 else {"num_video_frames": frames}
        with running(self._net, checkpoint):
            return self._shown(
                x,
                timestep,
                context=context,
                y=y,
                control=control_dict(control),
                transformer_options=options,
                **further,
            )
