"""Makes a prompt of what another program's text says, with the nodes and files that are here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.foreign.generation import MOST_SIDE, Enlarged, Generation, Lora, Refiner, side
from engine.graph.prompt import Link as Wire
from engine.graph.prompt import Prompt, PromptNode
from engine.graph.schema import Catalog

_ENDING = re.compile(r"\.(safetensors|ckpt|pt|pth|sft|gguf)$", re.IGNORECASE)
_WORD = re.compile(r"(?<![\w:-])[\w-]+")
_BREAK = re.compile(r"\bBREAK\b")
_MOST_LORAS = 100
_MOST_BREAKS = 50


@dataclass(frozen=True, slots=True)
class Built:
    """A prompt, and what the text specifies and the prompt lacks."""

    prompt: Prompt
    left: tuple[str, ...]


def build(
    found: Generation, catalog: Catalog, list_folder: Callable[[str], Sequence[str]]
) -> Built:
    """The prompt that does what the text says.

    A file that is not here keeps the name of the text, so that it is reported as missing.

    Args:
        found: what the text says.
        catalog: the classes that are here.
        list_folder: the files of a kind.
    """
    made = _Builder(found, catalog, list_folder)
    made.build()
    return Built(Prompt(made.nodes), tuple(dict.fromkeys(made.left)))


class _Builder:
    """The nodes so far; `model`, `clip` and `vae` are the wires that the next nodes take."""

    def __init__(
        self, found: Generation, catalog: Catalog, list_folder: Callable[[str], Sequence[str]]
    ) -> None:
        self.nodes: dict[str, PromptNode] = {}
        self.left = [*found.left]
        self.found = found
        self._catalog = catalog
        self._list = list_folder
        self._embeddings = {
            _bare(each): _ENDING.sub("", each) for each in list_folder("embeddings")
        }
        self.model = self.clip = self.vae = Wire("", 0)

    def build(self) -> None:
        found = self.found
        self._load()
        self._adapt()
        vae = self._file("vae", found.vae)
        if vae is not None:
            self.vae = self.add("vae", "VAELoader", vae_name=vae)
        elif found.vae:
            self.left.append(f"VAE: {found.vae}")
        positive, negative = (
            self._encode("positive", found.positive),
            self._encode("negative", found.negative),
        )
        if found.guidance is not None:
            positive = self.add(
                "guidance", "FluxGuidance", conditioning=positive, guidance=found.guidance
            )
        latent = self.add(
            "latent", "EmptyLatentImage", width=found.width, height=found.height, batch_size=1
        )
        latent = self._sample(positive, negative, latent)
        if found.enlarged is not None:
            latent = self._enlarge(found.enlarged, positive, negative, latent)
        pixels = self.add("decode", "VAEDecode", samples=latent, vae=self.vae)
        self.add("save", "SaveImage", images=pixels, filename_prefix="Calotype")

    def add(self, name: str, class_type: str, **inputs: Any) -> Wire:
        """Add a node; returns its first output."""
        self.nodes[name] = PromptNode(class_type, inputs)
        return Wire(name, 0)

    def _load(self) -> None:
        found = self.found
        checkpoint = self._file("checkpoints", found.model)
        denoiser = self._file("diffusion_models", found.model)
        if (found.modules and checkpoint is None) or (checkpoint is None and denoiser is not None):
            self._load_parts(denoiser)
            return
        self.model = self.add(
            "checkpoint",
            "CheckpointLoaderSimple",
            ckpt_name=self._named("checkpoints", found.model),
        )
        self.clip, self.vae = Wire("checkpoint", 1), Wire("checkpoint", 2)

    def _load_parts(self, denoiser: str | None) -> None:
        """A denoiser, its text encoders and its autoencoder, each in a file of its own."""
        found = self.found
        vaes = [each for each in found.modules if self._file("vae", each) is not None]
        names = [self._named("text_encoders", each) for each in found.modules if each not in vaes]
        self.model = self.add(
            "model",
            "UNETLoader",
            unet_name=denoiser or self._named("diffusion_models", found.model),
            weight_dtype="default",
        )
        kind = "flux" if found.guidance is not None else "stable_diffusion"
        given = {f"clip_name{index}": name for index, name in enumerate(names[:3], start=1)}
        if len(names) == 2:
            self.clip = self.add("clip", "DualCLIPLoader", **given, type=kind)
        elif len(names) > 2:
            self.clip = self.add("clip", "TripleCLIPLoader", **given)
        else:
            name = names[0] if names else self._named("text_encoders", "")
            self.clip = self.add("clip", "CLIPLoader", clip_name=name, type=kind)
        vae = vaes[0] if vaes else found.vae
        self.vae = self.add("vae", "VAELoader", vae_name=self._named("vae", vae))

    def _adapt(self) -> None:
        """LoRAs, hypernetworks and clip skip."""
        for index, lora in enumerate(self.found.loras[:_MOST_LORAS]):
            self._add_lora(f"lora{index}", lora)
        for index, network in enumerate(self.found.hypernetworks[:_MOST_LORAS]):
            self.model = self.add(
                f"hypernetwork{index}",
                "HypernetworkLoader",
                model=self.model,
                hypernetwork_name=self._named("hypernetworks", network.name),
                strength=network.model,
            )
        if self.found.clip_skip > 1:
            layer = -self.found.clip_skip
            self.clip = self.add(
                "skip", "CLIPSetLastLayer", clip=self.clip, stop_at_clip_layer=layer
            )

    def _add_lora(self, name: str, lora: Lora) -> None:
        self.add(
            name,
            "LoraLoader",
            model=self.model,
            clip=self.clip,
            lora_name=self._named("loras", lora.name),
            strength_model=lora.model,
            strength_clip=lora.clip,
        )
        self.model, self.clip = Wire(name, 0), Wire(name, 1)

    def _encode(self, name: str, text: str, clip: Wire | None = None) -> Wire:
        """Encode a text; parts between BREAK have chunks of tokens of their own."""
        parts = [each.strip(" ,\n") for each in _BREAK.split(text)][:_MOST_BREAKS]
        parts = [each for each in parts if each] or [""]
        wire = Wire("", 0)
        for index, part in enumerate(parts):
            place = name if index == 0 else f"{name}{index}"
            words = self._with_embeddings(part)
            encoded = self.add(place, "CLIPTextEncode", text=words, clip=clip or self.clip)
            if index == 0:
                wire = encoded
                continue
            wire = self.add(
                f"{place}_joined",
                "ConditioningConcat",
                conditioning_to=wire,
                conditioning_from=encoded,
            )
        return wire

    def _with_embeddings(self, text: str) -> str:
        def named(found: re.Match[str]) -> str:
            name = self._embeddings.get(found[0].lower())
            return found[0] if name is None else f"embedding:{name}"

        return _WORD.sub(named, text)

    def _sampling(self) -> dict[str, Any]:
        """Sampler and schedule; what is not here is replaced, and said."""
        found = self.found
        sampler, scheduler = found.sampler, found.scheduler
        if sampler not in self._choices("KSampler", "sampler_name"):
            self.left.append(f"Sampler: {sampler}")
            sampler = "euler"
        if scheduler not in self._choices("KSampler", "scheduler"):
            self.left.append(f"Schedule type: {scheduler}")
            scheduler = "normal"
        return {"cfg": found.cfg, "sampler_name": sampler, "scheduler": scheduler}

    def _sample(self, positive: Wire, negative: Wire, latent: Wire) -> Wire:
        found, given = self.found, self._sampling()
        wires = {"positive": positive, "negative": negative, "latent_image": latent}
        if (
            found.refiner is not None
            and 0 < round(found.steps * found.refiner.switch) < found.steps
        ):
            return self._sample_refined(found.refiner, given, wires)
        return self.add(
            "sampler",
            "KSampler",
            model=self.model,
            seed=found.seed,
            steps=found.steps,
            **given,
            **wires,
            denoise=1.0,
        )

    def _sample_refined(
        self, refiner: Refiner, given: dict[str, Any], wires: dict[str, Wire]
    ) -> Wire:
        """The first steps by the model, the rest by the refiner, with its own text encoder."""
        found = self.found
        at = round(found.steps * refiner.switch)
        shared = {"noise_seed": found.seed, "steps": found.steps, **given}
        begun = self.add(
            "sampler",
            "KSamplerAdvanced",
            model=self.model,
            add_noise="enable",
            **shared,
            **wires,
            start_at_step=0,
            end_at_step=at,
            return_with_leftover_noise="enable",
        )
        self.add(
            "refiner",
            "CheckpointLoaderSimple",
            ckpt_name=self._named("checkpoints", refiner.model),
        )
        clip = Wire("refiner", 1)
        return self.add(
            "refined",
            "KSamplerAdvanced",
            model=Wire("refiner", 0),
            add_noise="disable",
            **shared,
            positive=self._encode("refiner_positive", found.positive, clip),
            negative=self._encode("refiner_negative", found.negative, clip),
            latent_image=begun,
            start_at_step=at,
            end_at_step=10000,
            return_with_leftover_noise="disable",
        )

    def _enlarge(self, asked: Enlarged, positive: Wire, negative: Wire, latent: Wire) -> Wire:
        """A second pass; its schedule is cut as A1111 cuts it: `int(denoise * steps) + 1` steps."""
        found = self.found
        width, height = asked.width, asked.height
        if not width:
            scale = min(16.0, max(0.1, asked.scale))
            width, height = (
                side(math.floor(each * scale / 8) * 8) for each in (found.width, found.height)
            )
        width, height = min(width, MOST_SIDE), min(height, MOST_SIDE)
        larger = {"width": width, "height": height, "crop": "disabled"}
        if asked.upscaler:
            latent = self._enlarge_pixels(asked.upscaler, latent, larger)
        else:
            latent = self.add(
                "enlarged", "LatentUpscale", samples=latent, upscale_method="bilinear", **larger
            )
        steps = asked.steps or found.steps
        run = min(steps, int(min(asked.denoise, 0.999) * steps) + 1)
        return self.add(
            "second",
            "KSamplerAdvanced",
            model=self.model,
            add_noise="enable",
            noise_seed=found.seed,
            steps=steps,
            **self._sampling(),
            positive=positive,
            negative=negative,
            latent_image=latent,
            start_at_step=steps - run,
            end_at_step=10000,
            return_with_leftover_noise="disable",
        )

    def _enlarge_pixels(self, upscaler: str, latent: Wire, larger: dict[str, Any]) -> Wire:
        """By an upscale model, or by resampling where it is a filter's name."""
        pixels = self.add("first_decode", "VAEDecode", samples=latent, vae=self.vae)
        method = {"lanczos": "lanczos", "nearest": "nearest-exact"}.get(upscaler.lower())
        if method is None:
            loaded = self.add(
                "upscaler", "UpscaleModelLoader", model_name=self._named("upscale_models", upscaler)
            )
            pixels = self.add(
                "upscaled", "ImageUpscaleWithModel", upscale_model=loaded, image=pixels
            )
        pixels = self.add(
            "enlarged", "ImageScale", image=pixels, upscale_method=method or "lanczos", **larger
        )
        return self.add("encoded", "VAEEncode", pixels=pixels, vae=self.vae)

    def _choices(self, class_type: str, name: str) -> Sequence[Any]:
        schema = self._catalog.get(class_type)
        found = schema.input(name) if schema else None
        return (found.choices if found else None) or ()

    def _file(self, kind: str, name: str) -> str | None:
        """The file of a name that may lack folders and ending."""
        if not name:
            return None
        wanted = _bare(name)
        return next((each for each in self._list(kind) if _bare(each) == wanted), None)

    def _named(self, kind: str, name: str) -> str:
        """That file; the name itself, to be reported as missing; the first file for no name."""
        if not name:
            return next(iter(self._list(kind)), "")
        found = self._file(kind, name)
        return found or (name if _ENDING.search(name) else f"{name}.safetensors")


def _bare(path: str) -> str:
    return _ENDING.sub("", re.split(r"[\\/]", path)[-1]).lower()
