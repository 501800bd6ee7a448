"""Reads adapter files (LoRA and similar): names and shapes, no tensor."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from engine.adapters.algorithms.ia3 import ON_INPUT, SCALES
from engine.adapters.parts import NORM_SCALE, Parts, split_name
from engine.errors import WeightsError
from engine.weights.open import open_weights
from engine.weights.state_dict import Entry, StateDict

_PEFT_METADATA = "lora_adapter_metadata"
"""The metadata key under which diffusers stores peft's settings, as JSON."""
_NORMS = (".query_norm", ".key_norm")
_EXAMPLES = 3
_T2I_ADAPTER = ("adapter.body.", "body.0.in_conv.", "body.0.block1.", "body.0.body.0.")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Adapter:
    """What an adapter file holds. Two of one identity hold the same.

    Attributes:
        identity: identifies the state of the file.
        name: the file's, for messages.
        modules: by their names in the file.
        unknown: names of tensors that no adapter has.
    """

    identity: Hashable
    name: str = field(compare=False)
    modules: Mapping[str, Parts] = field(compare=False)
    unknown: tuple[str, ...] = field(compare=False, default=())

    @property
    def tensors(self) -> int:
        """How many tensors the file holds."""
        return len(self.unknown) + sum(len(parts.entries) for parts in self.modules.values())


def file_state(path: Path) -> Hashable:
    """A value that changes with the file. Raises `WeightsError` if the file is missing."""
    try:
        found = path.stat()
    except OSError as error:
        raise WeightsError(f"{path.name}: cannot be read: {error}") from error
    return (str(path), found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)


def open_adapter(path: Path) -> Adapter:
    """The adapter in a file.

    Raises:
        WeightsError: damaged, hostile, or not an adapter; the message says what it probably is.
    """
    state = file_state(path)
    return adapter_of(open_weights(path), state)


def adapter_of(weights: StateDict, identity: Hashable) -> Adapter:
    """The adapter with these tensors. Raises `WeightsError` if no name is an adapter's."""
    found: dict[str, dict[str, Entry]] = {}
    unknown: list[str] = []
    for name, entry in weights.entries.items():
        split = split_name(name)
        parts = found.setdefault(split[0], {}) if split else {}
        if split is None or split[1] in parts:  # a part given under two names counts once
            unknown.append(name)
        else:
            parts[split[1]] = entry
    if not found:
        raise WeightsError(_no_adapter(weights))
    unknown = [name for name in unknown if not _is_scales(name, found, weights)]
    alphas = _Alphas.of(weights.metadata)
    modules = {
        name: Parts(name, alphas.completed(name, entries), weights.origin)
        for name, entries in found.items()
    }
    return Adapter(identity, weights.origin, modules, tuple(unknown))


def _is_scales(name: str, found: dict[str, dict[str, Entry]], weights: StateDict) -> bool:
    """Whether a tensor has the scales of an IA3 module or of a norm; if so, adds it to the parts.

    LyCORIS calls them `weight`, and Black Forest Labs' control LoRAs `query_norm.scale`, like a
    network's own weights, so only the adapters beside them distinguish them.
    """
    module, _, kind = name.rpartition(".")
    if kind == "scale" and module.endswith(_NORMS):
        found.setdefault(module, {})[NORM_SCALE] = weights.entries[name]
        return True
    if kind != "weight" or ON_INPUT not in found.get(module, ()):
        return False
    found[module][SCALES] = weights.entries[name]
    return True


def _no_adapter(weights: StateDict) -> str:
    """A sentence that says what the file probably is, and which loader reads it."""
    names = list(weights)
    advice = "choose a LoRA file"
    if any(name.startswith(("model.diffusion_model.", "first_stage_model.")) for name in names):
        advice = "it looks like a whole checkpoint: load it with Load Checkpoint"
    elif any("input_hint_block" in name or "controlnet_cond" in name for name in names):
        advice = "it looks like a ControlNet: load it with Load ControlNet Model"
    elif any(name.startswith(_T2I_ADAPTER) for name in names):
        advice = "it looks like a T2I-Adapter: load it with Load ControlNet Model"
    elif any(name in ("emb_params", "clip_l", "clip_g") for name in names) or any(
        name.startswith("string_to_param") for name in names
    ):
        advice = "it looks like an embedding: put it into embeddings/, write embedding:name"
    elif any(name.startswith("decoder.") for name in names):
        advice = "it looks like a VAE: load it with Load VAE"
    shown = ", ".join(repr(name[:80]) for name in names[:_EXAMPLES]) or "nothing"
    return (
        f"{weights.origin}: no LoRA or kindred adapter: of {len(names):,} tensors none has a name "
        f"such as ...lora_down.weight, found {shown}; {advice}."
    )


@dataclass(frozen=True, slots=True)
class _Alphas:
    """The peft settings in the metadata of a file by diffusers.

    Attributes:
        documents: per component (`unet`, `text_encoder` ...): `lora_alpha` and so on.
    """

    documents: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> _Alphas:
        """The settings in a file's metadata; unreadable ones are ignored."""
        try:
            document: object = json.loads(metadata.get(_PEFT_METADATA, "{}"))
        except (ValueError, RecursionError):
            return cls({})
        if not isinstance(document, dict):
            return cls({})
        found: dict[str, dict[str, Any]] = {}
        for key, value in cast("dict[str, object]", document).items():
            component, _, setting = key.partition(".")
            found.setdefault(component, {})[setting] = value
        return cls(found)

    def completed(self, module: str, entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
        """A module's parts with the alpha from its component's settings."""
        component, _, name = module.partition(".")
        settings = self.documents.get(component)
        if settings is None or "alpha" in entries or "down" not in entries:
            return entries
        alpha = _of_pattern(settings.get("alpha_pattern"), name) or settings.get("lora_alpha")
        shape = entries["down"].shape
        if not isinstance(alpha, int | float) or not shape or not shape[0]:
            return entries
        if settings.get("use_rslora") is True:  # the factor is alpha / sqrt(r)
            alpha = alpha * shape[0] ** 0.5
        value = torch.tensor(float(alpha))
        return {**entries, "alpha": Entry((), torch.float32, lambda: value)}


def _of_pattern(pattern: object, name: str) -> float | None:
    """A module's own alpha, by the longest matching suffix."""
    if not isinstance(pattern, dict):
        return None
    known: Iterable[tuple[object, object]] = cast("dict[object, object]", pattern).items()
    fitting = [
        (len(key), value)
        for key, value in known
        if isinstance(key, str)
        and isinstance(value, int | float)
        and (name == key or name.endswith(f".{key}"))
    ]
    return max(fitting)[1] if fitting else None
