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
from engine.tiny_names import TINY_AUTOENCODERS
from engine.vision.detect import KINDS as IMAGE_ENCODERS
from engine.weights.forms import ScaledFloat8
from engine.weights.packed import ASIDE, FOREIGN, FORMATS, MARKER, METADATA, SCALES
from engine.weights.safetensors import DTYPES
from nodes import builtin_registry

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"
HEAD = """# Model files

Made by `tools/write_models_page.py`; do not edit.

The content of a file is detected from the names and shapes of its tensors, so the file name does \
not matter. Files are `.safetensors`, or PyTorch files (`.ckpt`, `.pt`, `.pth`, `.bin`) that hold \
tensors and plain values only; in the original layout, or in that of diffusers; in fp32, bf16, \
fp16 or fp8. Sizes are read from shapes, so pruned models run as well. A file in the wrong loader \
is refused with an error that says what it is.

## Families
"""
STORED = """
## How weights are stored

Weights keep the stored form of the file until they are used; an fp8 file takes fp8 bytes.

"""
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
TEXT_LOADERS: Mapping[int, str] = {1: "CLIPLoader", 2: "DualCLIPLoader", 3: "TripleCLIPLoader"}


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
            STORED + "| form | |",
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
    encoders = " and ".join(ENCODERS[name].title for name in family.text.styles)
    loader = TEXT_LOADERS[len(family.text.styles)]
    kinds = ", ".join(f"`{kind}`" for kind in sorted(family.text.file_types))
    return f"| {family.name} | {family.examples} | {encoders}: `{loader}`, type {kinds} |"


def _stored() -> Iterator[str]:
    plain = ", ".join(f"`{name}`" for name in FLOATS)
    yield f"| plain | safetensors types {plain} |"
    names = ", ".join(f"`{name}`" for name in FORMATS)
    endings = ", ".join(f"`X{ending}`" for ending in SCALES)
    aside = ", ".join(f"`X{ending}`" for ending in ASIDE)
    yield (
        f"| {ScaledFloat8().name} | {endings} beside `X.weight`, one number or one per row; "
        f"marked by `{MARKER}`, by `X.comfy_quant` or by `{METADATA}` in the header ({names}). "
        f"Computed in fp32, bf16 or fp16, so {aside} are not needed |"
    )
    yield f"| refused with an error | {'; '.join(what for _, what in FOREIGN)} |"


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
