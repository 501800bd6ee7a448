"""Which part of a model a module's name in an adapter file means, in every naming that is met.

kohya (`lora_unet_down_blocks_0_...`), diffusers old and new (`unet.down_blocks.0...processor`),
peft (`base_model.model...`), OneTrainer, SimpleTuner (`lycoris_...`), original names
(`diffusion_model.input_blocks.1...`). Dots and underscores are not told apart, because half of the
namings lost the difference. Knows no family: families bring their own names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.adapters.parts import Shape

DENOISER = "denoiser"
_DENOISER_PREFIXES: tuple[str, ...] = (
    "base_model_model_model_diffusion_model_",
    "base_model_model_diffusion_model_",
    "base_model_model_unet_",
    "base_model_model_transformer_",
    "model_diffusion_model_",
    "diffusion_model_",
    "lora_prior_unet_",
    "lora_transformer_",
    "lora_unet_",
    "oft_unet_",
    "lycoris_",
    "unet_",
    "transformer_",
)
_TEXT_PREFIXES: Mapping[str, int] = {
    "base_model_model_text_encoder_2_": 1,
    "base_model_model_text_encoder_": 0,
    "lora_prior_te_": 0,
    "lora_text_encoder_2_": 1,
    "lora_text_encoder_": 0,
    "lycoris_text_encoder_2_": 1,
    "lycoris_text_encoder_": 0,
    "lora_te1_": 0,
    "lora_te2_": 1,
    "lora_te3_": 2,
    "lora_te_": 0,
    "oft_te1_": 0,
    "oft_te2_": 1,
    "oft_te_": 0,
    "text_encoder_2_": 1,
    "text_encoder_3_": 2,
    "text_encoder_": 0,
}
"""By which number of a family's encoders they mean."""
_NAMED_ENCODERS = ("text_encoders_", "base_model_model_text_encoders_")
TEXT_WRAPPERS = ("text_model_", "transformer_", "model_")
"""What may stand before a text encoder's own names, the innermost first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a module may be: a part of the model, and what is left of its name, flat.

    Attributes:
        part: `denoiser`, the number of a text encoder as text, or an encoder's own name; None
            where the name says nothing of it.
        name: without prefix, with `_` for `.`.
    """

    part: str | None
    name: str

    @property
    def is_text(self) -> bool:
        """Whether the name says that a text encoder is meant."""
        return self.part is not None and self.part != DENOISER


def flat(name: str) -> str:
    """A module's name as half of the namings have it."""
    return name.replace(".", "_")


def place(module: str) -> Place:
    """Take a module's name in a file apart."""
    name = flat(module)
    for prefix, number in _TEXT_PREFIXES.items():
        if name.startswith(prefix):
            return Place(str(number), name.removeprefix(prefix))
    for prefix in _NAMED_ENCODERS:
        if name.startswith(prefix) and "." in module:
            encoder = module.split("text_encoders.", 1)[1].split(".", 1)[0]
            rest = name.split(f"text_encoders_{flat(encoder)}_", 1)[-1]
            return Place(encoder, rest)
    for prefix in _DENOISER_PREFIXES:
        if name.startswith(prefix):
            return Place(DENOISER, name.removeprefix(prefix))
    return Place(None, name.removeprefix("base_model_model_"))


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The modules of one network, by everyone's names.

    Attributes:
        shapes: of its tensors, by their names in the network.
        known: our modules by flat names.
    """

    shapes: Mapping[str, Shape]
    known: Mapping[str, str]

    @classmethod
    def of(
        cls, shapes: Mapping[str, Shape], others: Mapping[str, str], wrappers: Iterable[str] = ()
    ) -> Target:
        """A network's modules.

        Args:
            shapes: of its tensors.
            others: other people's names of modules to ours.
            wrappers: what others may write before names.
        """
        ours = dict.fromkeys(name.rpartition(".")[0] for name in shapes)
        known = {flat(name): name for name in ours if name}
        known |= {flat(theirs): name for theirs, name in others.items()}
        for wrapper in wrappers:
            known |= {f"{wrapper}{name}": module for name, module in list(known.items())}
        return cls(shapes, known)

    def find(self, name: str) -> str | None:
        """Our module of that flat name; also where an old naming left something out."""
        for spelling in (name, name.replace("_processor_", "_")):
            for ending in ("", "_0"):  # attn1.processor.to_out means to_out.0
                found = self.known.get(spelling + ending)
                if found is not None:
                    return found
        return None
