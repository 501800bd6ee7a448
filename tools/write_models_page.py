"""Writes docs/models.md: which model files run, and where they go, from families and loaders.

    python tools/write_models_page.py           # write it
    python tools/write_models_page.py --check   # exit 1 if it is out of date

A new family or loader changes it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from engine.control.detect import KINDS, NOT_YET
from engine.families.detect import FAMILIES
from engine.families.family import ModelFamily
from engine.files import MODEL_FOLDERS, OFFERED
from engine.graph.schema import NodeSchema
from engine.nets.unet_keys import GUIDANCE_PROJECTIONS
from engine.text.table import ENCODERS
from engine.text.token_numbers import T5_TOKENS
from engine.tiny_names import TINY_AUTOENCODERS
from engine.vision.detect import KINDS as IMAGE_ENCODERS
from engine.weights.gguf_forms import KINDS as GGUF_KINDS
from engine.weights.layers import FORMATS
from engine.weights.packed import ASIDE, FOREIGN, MARKER, METADATA
from engine.weights.safetensors import DTYPES
from nodes import builtin_registry

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"
HEAD = """# Model files

Made by `tools/write_models_page.py`; do not edit.

The content of a file is detected from the names and shapes of its tensors, so the file name does \
not matter. Files are `.safetensors`, `.gguf`, or PyTorch files (`.ckpt`, `.pt`, `.pth`, `.bin`) \
that hold tensors and plain values only; in the original layout, or in that of diffusers; in fp32, \
bf16, fp16, fp8 or [packed](#how-weights-are-stored). Sizes are read from shapes, so pruned models \
run as well. A file in the wrong loader \
is refused with an error that says what it is.

## Families
"""
STORED = """
## How weights are stored

Weights keep the stored form of the file, in memory and on the device, and are unpacked for the \
call of their layer; patches such as LoRAs apply to the unpacked values, which are not packed \
again. A layer's format is named in JSON by `X.comfy_quant` or, for all layers, by `{described}` \
in the header; without a name it is what its tensors are. Computing is in fp32, bf16 or fp16, so \
{aside} are not needed. Relative errors are those of normally distributed weights in which one \
column of 64 is ten times as large.

"""
LAYERS: Mapping[str, tuple[str, str, str]] = {
    "float8_e4m3fn": (
        f"`X.weight_scale`, one number or one per row; older: `X.scale_weight` with `{MARKER}`",
        "8",
        "2.6 %",
    ),
    "float8_e5m2": ("the same", "8", "5.0 %"),
    "mxfp8": ("`X.weight_scale`, a power of two for each 32 in a row", "8.25", "2.6 %"),
    "nvfp4": (
        "`X.weight_scale` for each 16 in a row, `X.weight_scale_2`, `X.pre_quant_scale`",
        "4.5",
        "9.2 %",
    ),
    "int8_tensorwise": (
        "`X.weight_scale`, one number or one per row; plain, or rotated (`convrot`)",
        "8",
        "3.7 %, per row 2.6 %, rotated 0.7 %",
    ),
    "convrot_w4a4": ("`X.weight_scale` per row, rotated", "4", "12 %"),
    "asym_w4a8_int8": (
        "`X.weight_s_rel`, `X.weight_s_channel`, `X.weight_codebook`, rotated; also of 6 bits",
        "4.5",
        "6.6 %, of 6 bits 1.8 %",
    ),
    "awq_w4a16": ("`X.weight_scale` and `X.weight_zeros` for each 64 in a row", "5", "14 %"),
}
"""What lies beside a weight, how many bits it takes, and how near it is to the float weight, by the
name of the format; measured in tests/wet/weights/test_packed_layers.py."""
UNNAMED: Mapping[str, str] = {
    "fp8 in tiles": "`X.weight_scale_inv` for each 128 x 128",
    "nf4, fp4": "`X.weight.absmax`, `.quant_map`, `.nested_absmax`, `.nested_quant_map`, "
    "`.quant_state.bitsandbytes__nf4` (bitsandbytes)",
    "LLM.int8": "`X.SCB` per row (bitsandbytes)",
}
"""Forms that are recognised by the tensors beside a weight alone."""
CONTROL = """
## Control networks

"""
VISION = """
## Image encoders

In separate files, or within a checkpoint.

"""
TINY = f"""
## Tiny autoencoders

`VAELoader` offers {", ".join(f"`{name}`" for name in TINY_AUTOENCODERS)} (TAESD, \
github.com/madebyollin/taesd) if `vae_approx/` holds `NAME_encoder` and `NAME_decoder`, or one \
file `NAME` in the layout of diffusers' AutoencoderTiny. `NAME_decoder` alone is enough for \
previews, unless `--preview-method latent2rgb` is set. A file in `vae/` with both halves \
(`taesd_encoder.`, `taesd_decoder.`) has its scale in `vae_scale` and `vae_shift`.
"""
FOLDERS = """
## Folders

In each models directory (`--models-directory`), or as set by `--extra-model-paths-config`.
"""
GUIDANCE = (
    f"UNets with distilled guidance, such as LCM's full models, run without the input "
    f"`{GUIDANCE_PROJECTIONS[0].removesuffix('.weight')}`; the log says so."
)
FLOATS = tuple(name for name, dtype in DTYPES.items() if dtype.is_floating_point)
TEXT_LOADERS: Mapping[int, str] = {
    1: "CLIPLoader",
    2: "DualCLIPLoader",
    3: "TripleCLIPLoader",
    4: "QuadrupleCLIPLoader",
}


def page() -> str:
    """The page."""
    schemas = list(builtin_registry().catalog().values())
    return "\n".join(
        (
            HEAD,
            "| family | models | text encoders in separate files |",
            "| --- | --- | --- |",
            *map(_family, FAMILIES),
            "",
            GUIDANCE,
            _about_forms() + "| form | |",
            "| --- | --- |",
            *_stored(),
            CONTROL + "| kind | files |",
            "| --- | --- |",
            *_control(),
            VISION + "| kind | files |",
            "| --- | --- |",
            *(f"| {kind.name} | {kind.examples} |" for kind in IMAGE_ENCODERS),
            TINY.rstrip("\n"),
            FOLDERS,
            "| folder | loaded with |",
            "| --- | --- |",
            *_folders(schemas),
            "",
        )
    )


def _family(family: ModelFamily) -> str:
    if not family.text.styles:
        return f"| {family.name} | {family.examples} | none: it takes a picture and no text |"
    names = [name for name in family.text.styles if name != T5_TOKENS.name]  # which has no file
    encoders = " and ".join(ENCODERS[name].title for name in names)
    loader = TEXT_LOADERS[len(names)]
    kinds = ", ".join(f"`{kind}`" for kind in sorted(family.text.file_types))
    return f"| {family.name} | {family.examples} | {encoders}: `{loader}`, type {kinds} |"


def _about_forms() -> str:
    aside = ", ".join(f"`X{ending}`" for ending in ASIDE)
    return STORED.format(described=METADATA, aside=aside)


def _stored() -> Iterator[str]:
    plain = ", ".join(f"`{name}`" for name in FLOATS)
    yield f"| plain | safetensors types {plain} |"
    for name in FORMATS:
        beside, bits, error = LAYERS[name]
        yield f"| `{name}` | {beside}; {bits} bits a weight, relative error {error} |"
    for name, beside in UNNAMED.items():
        yield f"| {name} | {beside} |"
    read, refused = (
        ", ".join(kind.name for kind in GGUF_KINDS.values() if bool(kind.unpack) == is_read)
        for is_read in (True, False)
    )
    yield f"| GGUF | F32, F16, BF16, {read}; refused with an error: {refused} |"
    yield f"| refused with an error | {'; '.join(dict.fromkeys(what for _, what in FOREIGN))} |"


def _control() -> Iterator[str]:
    for kind in KINDS:
        yield f"| {kind.name} | {kind.examples} |"
    yield f"| refused with an error | {'; '.join(name for name, *_ in NOT_YET)} |"


def _folders(schemas: Iterable[NodeSchema]) -> Iterator[str]:
    known = list(schemas)
    for kind, names in MODEL_FOLDERS.items():
        if loaders := _loaders(known, kind):
            yield f"| {' or '.join(f'`{name}`' for name in names)} | {loaders} |"
        elif kind == "embeddings":
            yield f"| `{kind}` | `embedding:name` in a prompt |"


def _loaders(schemas: Iterable[NodeSchema], folder: str) -> str:
    """The nodes that offer the files of a folder."""
    found = sorted(
        schema.class_type
        for schema in schemas
        if any(folder in _kinds(each.folder) for each in schema.inputs)
    )
    return ", ".join(f"`{name}`" for name in found)


def _kinds(folder: str | None) -> tuple[str, ...]:
    """The kinds of files that a combo offers."""
    return OFFERED.get(folder, (folder,)) if folder else ()


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if out of date")
    made = page()
    if parser.parse_args().check:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == made:
            return 0
        sys.stderr.write(f"{PAGE.name} is out of date; run python tools/write_models_page.py\n")
        return 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
