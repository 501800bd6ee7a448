"""Resolves a module's name in an adapter file to a part of a model, in all common namings.

kohya (`lora_unet_down_blocks_0_...`), diffusers old and new (`unet.down_blocks.0...processor`),
peft (`base_model.model...`), OneTrainer, SimpleTuner (`lycoris_...`), XLabs
(`double_blocks.0.processor...`), original names (`diffusion_model.input_blocks.1...`). Dots and
underscores are treated as equal, because half of the namings lost the difference. Families provide
their own names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from engine.adapters.parts import Shape
from engine.adapters.rows import Rows

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
"""The index of the encoder in its family, by prefix."""
_NAMED_ENCODERS = ("text_encoders_", "base_model_model_text_encoders_")
TEXT_WRAPPERS = ("text_model_", "transformer_", "model_")
"""Prefixes that may precede a text encoder's names, the innermost first."""


def file_names(others: Mapping[str, str | Rows]) -> Callable[[str], str]:
    """A function from a denoiser's modules to their names in saved files.

    The names are kohya's for UNets, which all common programs read. Families whose modules other
    programs split have their original names everywhere: a module must not be saved in two namings.

    Args:
        others: other people's names of modules to ours, or to rows of ours.
    """
    if any(isinstance(ours, Rows) for ours in others.values()):
        return lambda module: f"diffusion_model.{module}"
    theirs = {ours: name for name, ours in reversed(tuple(others.items()))}

    def name(module: str) -> str:
        other = theirs.get(module)
        return f"diffusion_model.{module}" if other is None else f"lora_unet_{flat(other)}"

    return name


@dataclass(frozen=True, slots=True)
class Place:
    """A possible place of a module: a part of the model, and the rest of its name, flattened.

    Attributes:
        part: `denoiser`, the number of a text encoder as text, or an encoder's own name; None if
            the name does not show it.
        name: without prefix, with `_` for `.`.
    """

    part: str | None
    name: str

    @property
    def is_text(self) -> bool:
        """Whether the name refers to a text encoder."""
        return self.part is not None and self.part != DENOISER


def flat(name: str) -> str:
    """A module's name with dots replaced, as half of the namings write it."""
    return name.replace(".", "_")


def place(module: str) -> Place:
    """Parse a module's name in a file."""
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
        if name.startswith(prefix) and not _is_block(module, prefix):
            return Place(DENOISER, name.removeprefix(prefix))
    return Place(None, name.removeprefix("base_model_model_"))


def _is_block(module: str, prefix: str) -> bool:
    """Whether `transformer_` is the beginning of `transformer_blocks`, not a part's own name."""
    dotted = prefix in ("transformer_", "base_model_model_transformer_")
    return dotted and module[len(prefix) - 1] != "."


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The modules of one network, by their names in all namings.

    Attributes:
        shapes: of its tensors, by their names in the network.
        known: our modules, or rows of them, by flat names.
    """

    shapes: Mapping[str, Shape]
    known: Mapping[str, str | Rows]

    @classmethod
    def of(
        cls,
        shapes: Mapping[str, Shape],
        others: Mapping[str, str | Rows],
        wrappers: Iterable[str] = (),
    ) -> Target:
        """Create the target of a network.

        Args:
            shapes: of its tensors.
            others: other programs' names of modules to ours, or to rows of ours.
            wrappers: prefixes that others may write before names.
        """
        ours = dict.fromkeys(name.rpartition(".")[0] for name in shapes)
        known: dict[str, str | Rows] = {flat(name): name for name in ours if name}
        known |= {flat(theirs): name for theirs, name in others.items()}
        for wrapper in wrappers:
            known |= {f"{wrapper}{name}": module for name, module in list(known.items())}
        return cls(shapes, known)

    def find(self, name: str) -> str | Rows | None:
        """Our module, or rows of one, of that flat name, including old namings that omit a part."""
        for spelling in (name, name.replace("_processor_", "_")):
            for ending in ("", "_0"):  # attn1.processor.to_out is to_out.0
                found = self.known.get(spelling + ending)
                if found is not None:
                    return found
        return None
