"""Inputs for trying a node: a small graph generated from its interface, as a `Kit` says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from try_packs_fields import Kit, choice_of, number_of, text_of
from try_packs_files import SIDE, XL
from try_packs_values import PLAIN

FIELDS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN"})
Node = dict[str, Any]
Prompt = dict[str, Node]
TRIED = "tried"
"""The key of the node that is tried, in the prompt."""


class MissingInputError(Exception):
    """No graph can be made: the message says which input, and of what type."""


def _node(class_type: str, /, **inputs: Any) -> Node:
    return {"class_type": class_type, "inputs": inputs}


def _checkpoint(kit: Kit) -> Node:
    name = {"sd1": "calotype-demo", "xl": XL}[kit.family]
    return _node("CheckpointLoaderSimple", ckpt_name=f"{name}.safetensors")


def source_of(kind: str, kit: Kit) -> tuple[Prompt, list[Any]] | None:
    """The nodes that make a value of a built-in type, by key, and which output of which."""
    checkpoint = {"checkpoint": _checkpoint(kit)}
    text = {**checkpoint, "text": _node("CLIPTextEncode", clip=["checkpoint", 1], text="a boat")}
    pictures: Prompt = {"image": _node("LoadImage", image="example.png")}
    image = ["image", 0]
    if kit.large:
        size = {"upscale_method": "bilinear", "width": 512, "height": 512, "crop": "disabled"}
        pictures["images"] = _node("ImageScale", image=image, **size)
        image = ["images", 0]
    if kit.batch > 1:
        pictures["images"] = _node("RepeatImageBatch", image=image, amount=kit.batch)
        image = ["images", 0]
    if kind == "LATENT":
        return _latent(kit, pictures, image)
    vision = {"vision": _node("CLIPVisionLoader", clip_name="small-h.safetensors")}
    plain: dict[str, tuple[Prompt, list[Any]]] = {
        "MODEL": (checkpoint, ["checkpoint", 0]),
        "CLIP": (checkpoint, ["checkpoint", 1]),
        "VAE": (checkpoint, ["checkpoint", 2]),
        "CONDITIONING": (text, ["text", 0]),
        "IMAGE": (pictures, image),
        "MASK": (
            {**pictures, "mask": _node("ImageToMask", image=image, channel="red")}
            if image[0] == "images"
            else pictures,
            ["mask", 0] if image[0] == "images" else ["image", 1],
        ),
        "CLIP_VISION": (vision, ["vision", 0]),
        "CLIP_VISION_OUTPUT": (
            {
                **vision,
                **pictures,
                "seen": _node(
                    "CLIPVisionEncode", clip_vision=["vision", 0], image=image, crop="center"
                ),
            },
            ["seen", 0],
        ),
        "GUIDER": (
            {
                **text,
                "guider": _node("BasicGuider", model=["checkpoint", 0], conditioning=["text", 0]),
            },
            ["guider", 0],
        ),
        "VIDEO": ({**pictures, "video": _node("TryVideo", images=image)}, ["video", 0]),
        "SIGMAS": (
            {
                **checkpoint,
                "sigmas": _node(
                    "BasicScheduler", model=["checkpoint", 0],
                    scheduler="normal", steps=2, denoise=1.0,
                ),
            },
            ["sigmas", 0],
        ),
    }  # fmt: skip
    return plain.get(kind) or _single(kind, kit)


def _latent(kit: Kit, pictures: Prompt, image: list[Any]) -> tuple[Prompt, list[Any]]:
    if kit.moving:
        return {"latent": _node("TryVideoLatent", channels=16, frames=5)}, ["latent", 0]
    if not kit.optional and kit.batch == 1:
        return {"latent": _node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1)}, [
            "latent",
            0,
        ]
    return {
        "checkpoint": _checkpoint(kit),
        **pictures,
        "encoded": _node("VAEEncode", pixels=image, vae=["checkpoint", 2]),
        "latent": _node("SetLatentNoiseMask", samples=["encoded", 0], mask=["image", 1]),
    }, ["latent", 0]


def _single(kind: str, kit: Kit) -> tuple[Prompt, list[Any]] | None:
    """A value that one node makes."""
    text = kit.text if kit.text is not None else "a boat"
    nodes: Mapping[str, Node] = {
        "CONTROL_NET": _node(
            "ControlNetLoader", control_net_name="calotype-demo-edges.safetensors"
        ),
        "UPSCALE_MODEL": _node("UpscaleModelLoader", model_name="calotype-demo-x4.safetensors"),
        "STYLE_MODEL": _node("StyleModelLoader", style_model_name="small-style.safetensors"),
        "SAMPLER": _node("KSamplerSelect", sampler_name="euler"),
        "NOISE": _node("RandomNoise", noise_seed=1),
        "AUDIO": _node("TryAudio"),
        "INT": _node("PrimitiveInt", value=1 if kit.pick else 2),
        "FLOAT": _node("PrimitiveFloat", value=0.5),
        "STRING": _node("PrimitiveString", value=text),
        "BOOLEAN": _node("PrimitiveBoolean", value=True),
    }
    return ({kind: nodes[kind]}, [kind, 0]) if kind in nodes else None


def graph_of(
    class_type: str, catalog: Mapping[str, Any], ran: Mapping[str, Prompt], kit: Kit, inputs: str
) -> Prompt:
    """A prompt that runs one node of that class, whose key is `TRIED`.

    Args:
        class_type: the class.
        catalog: `/object_info`.
        ran: prompts of this function that ran, by class: they make inputs of the pack's own types.
        kit: how inputs are made.
        inputs: the folder of inputs.

    Raises:
        MissingInputError: an input cannot be made.
    """
    prompt: Prompt = {}
    _Builder(catalog, prompt, ran, kit, inputs).add(TRIED, class_type)
    info = catalog[class_type]
    if not info["output_node"]:
        if not info["output"]:
            raise MissingInputError("it has no output, and is none")
        prompt["shown"] = _node("PreviewAny", source=[TRIED, 0])
    return prompt


def workflow_of(prompt: Prompt) -> dict[str, Any]:
    """The saved workflow that some nodes read: the nodes, without their links."""
    nodes = [
        {"id": int(key), "type": node["class_type"], "inputs": [], "widgets_values": []}
        for key, node in prompt.items()
    ]
    return {"nodes": nodes, "links": [], "groups": [], "version": 0.4}


def renamed(prompt: Prompt, ids: Mapping[str, str]) -> Prompt:
    """The same with other keys."""

    def link(value: Any) -> Any:
        is_link = isinstance(value, list) and len(value) == 2 and str(value[0]) in ids
        return [ids[value[0]], value[1]] if is_link else value

    return {
        ids[key]: _node(
            node["class_type"], **{name: link(value) for name, value in node["inputs"].items()}
        )
        for key, node in prompt.items()
    }


def numbered(prompt: Prompt) -> Prompt:
    """The same with numbers as ids, as an editor writes them: some nodes read them as such."""
    return renamed(prompt, {key: str(number) for number, key in enumerate(prompt, 1)})


class _Builder:
    def __init__(
        self,
        catalog: Mapping[str, Any],
        prompt: Prompt,
        ran: Mapping[str, Prompt],
        kit: Kit,
        inputs: str,
    ) -> None:
        self._catalog, self._prompt, self._ran = catalog, prompt, ran
        self._kit, self._inputs = kit, inputs

    def add(self, key: str, class_type: str) -> None:
        """Add a node of that class, with what its required inputs need."""
        info = self._catalog[class_type]
        inputs: dict[str, Any] = {}
        for name, entry in info["input"].get("required", {}).items():
            inputs.update(self._input(name, entry, f"{class_type}.{name}"))
        for name, entry in info["input"].get("optional", {}).items():
            # An editor sends the values of all fields.
            if self._kit.optional or _is_field(entry):
                with suppress(MissingInputError):
                    inputs.update(self._input(name, entry, f"{class_type}.{name}"))
        if self._kit.unlisted:
            with suppress(MissingInputError):
                inputs |= self._unlisted(class_type, bool(inputs))
        self._prompt[key] = _node(class_type, **inputs)

    def _unlisted(self, class_type: str, has_inputs: bool) -> dict[str, Any]:
        kind = self._kit.unlisted
        if kind == "fields":
            image = self._link("IMAGE", class_type, {})
            fields = {"input": image, "type": "STRING", "value": "a boat", "code": "'a' + 'b'"}
            return {} if has_inputs else fields
        if kind == "output":
            kind = next(iter(self._catalog[class_type]["output"]), "*")
        link = self._link(str(kind), class_type, {})
        return {f"{str(kind).lower()}_{number}": link for number in (1, 2)}

    def _input(self, name: str, entry: Any, where: str) -> dict[str, Any]:
        kind, options = entry[0], (entry[1] if len(entry) > 1 else {}) or {}
        if kind == "COMFY_DYNAMICCOMBO_V3":
            return self._dynamic(name, options, where)
        if kind == "COMFY_AUTOGROW_V3":
            return self._growing(name, options, where)
        if isinstance(kind, list) or kind == "COMBO":
            choices = kind if isinstance(kind, list) else options.get("options") or []
            if not choices:
                raise MissingInputError(f"{where} offers nothing: a file is needed")
            return {name: choice_of(name, choices, options, self._kit)}
        is_linked = options.get("forceInput") or options.get("rawLink")
        if not is_linked and kind in FIELDS:
            return {name: self._value(name, kind, options)}
        if not is_linked and "default" in options and source_of(kind, self._kit) is None:
            default = options["default"]
            # A list stands for a link unless it is wrapped.
            return {name: {"__value__": default} if isinstance(default, list) else default}
        if kind == "STRING":
            self._prompt[where] = _node(
                "PrimitiveString", value=text_of(name, {}, self._kit, self._inputs)
            )
            return {name: [where, 0]}
        return {name: self._link(str(kind), where, options)}

    def _dynamic(self, name: str, options: Any, where: str) -> dict[str, Any]:
        offered = options.get("options") or [{}]
        taken = offered[min(self._kit.pick, len(offered) - 1)]
        found = {name: taken.get("key")}
        for each, entry in (taken.get("inputs") or {}).get("required", {}).items():
            below = self._input(each, entry, where)
            found.update({f"{name}.{key}": value for key, value in below.items()})
        return found

    def _growing(self, name: str, options: Any, where: str) -> dict[str, Any]:
        template = options.get("template") or {}
        entries = (template.get("input") or {}).get("required", {})
        entry = next(iter(entries.values()), ["*", {}])
        least = max(2 if self._kit.optional else 1, int(template.get("min") or 0))
        names = template.get("names") or [
            f"{template.get('prefix', name)}{number}" for number in range(least)
        ]
        found: dict[str, Any] = {}
        for each in names[:least]:
            made = self._input(each, entry, where)
            found[f"{name}.{each}"] = made[each]
        return found

    def _value(self, name: str, kind: str, options: Mapping[str, Any]) -> Any:
        if kind == "STRING":
            return text_of(name, options, self._kit, self._inputs)
        if kind == "BOOLEAN":
            found = options.get("default")
            return found if isinstance(found, bool) else False
        return number_of(name, kind, options, self._kit)

    def _link(self, kind: str, where: str, options: Mapping[str, Any]) -> list[Any]:
        if kind == "COMFY_MATCHTYPE_V3":
            allowed = (options.get("template") or {}).get("allowed_types") or "*"
            kind = str(allowed)
        if kind == "*" or not re.fullmatch(r"[A-Za-z0-9_, -]+", kind):
            kind = self._kit.wildcard  # a wildcard, whatever it is called
        kinds = kind.split(",")
        for each in kinds:
            source = source_of(each, self._kit)
            if source is not None:
                self._prompt.update({key: dict(node) for key, node in source[0].items()})
                return list(source[1])
        for each in kinds:
            made = self._made(each) or self._plain(each)
            if made is not None:
                return made
        raise MissingInputError(f"{where} takes {kind}, which nothing here makes")

    def _made(self, kind: str) -> list[Any] | None:
        """The output of a node of the pack's that ran and makes that type, of few nodes."""
        makers = sorted(
            (len(prompt), name)
            for name, prompt in self._ran.items()
            if kind in list(self._catalog[name]["output"])
        )
        if not makers:
            return None
        _, name = makers[min(self._kit.pick, len(makers) - 1)]
        prompt = {key: node for key, node in self._ran[name].items() if key != "shown"}
        self._prompt.update(renamed(prompt, {key: f"{name}/{key}" for key in prompt}))
        return [f"{name}/{TRIED}", list(self._catalog[name]["output"]).index(kind)]

    def _plain(self, kind: str) -> list[Any] | None:
        if kind not in PLAIN:
            return None
        self._prompt[f"plain {kind}"] = _node("TryPlainValue", text=PLAIN[kind])
        return [f"plain {kind}", 0]


def _is_field(entry: Any) -> bool:
    options = (entry[1] if len(entry) > 1 else {}) or {}
    fields = isinstance(entry[0], list) or entry[0] in {"COMBO", *FIELDS}
    return fields and not options.get("forceInput")
