"""Writes docs/families.md, docs/workflows/ and web/workflows/families/: what each family takes.

python tools/write_families_page.py           # write them
python tools/write_families_page.py --check   # exit 1 if one is out of date
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bridged_recipes import BRIDGED
from control_recipes import SHOWN
from family_documents import document_of
from family_graphs import graph_of
from family_recipes import RECIPES as OWN
from family_recipes import Recipe, file_of
from video_recipes import VIDEOS

from engine.families.detect import FAMILIES
from engine.families.family import ModelFamily, TextPlan
from engine.text.table import ENCODERS
from engine.text.token_numbers import T5_TOKENS
from nodes import builtin_registry

RECIPES = (*OWN, *SHOWN, *BRIDGED, *VIDEOS)
ROOT = Path(__file__).resolve().parent.parent
DOCS, TEMPLATES = ROOT / "docs", ROOT / "web" / "workflows" / "families"
HEAD = """# Families of flow-matching models

Made by `tools/write_families_page.py`; do not edit.

What people generate with today: which files each family takes, where they are published \
(huggingface.co/...), where they go below the models directory, and a workflow to open. Any other \
file of the same model does, too: smaller ones in fp8, int8, nvfp4 or GGUF ([forms](models.md#how-\
weights-are-stored)), all-in-one checkpoints (Load Checkpoint), and the layout of diffusers. A \
file in the wrong place is told with what it is.

The networks of families *via diffusers* are those of another package, which is installed with \
`pip install "calotype[diffusers]"`. Everything else is as for the others: files and their packed \
forms, memory, samplers, LoRAs. What reaches into the network (ControlNets, patches of attention) \
is not there for them.

| family | text encoders, and the type for their loader | workflows |
| --- | --- | --- |
"""


def pages() -> Mapping[Path, str]:
    """Each file's content, by its path."""
    made = {DOCS / "families.md": HEAD + "\n".join(_page()) + "\n"}
    catalog = builtin_registry().catalog()
    for recipe in _known():
        text = json.dumps(graph_of(recipe), indent=1)
        made[DOCS / "workflows" / f"{recipe.name}.json"] = f"{text}\n"
        text = json.dumps(document_of(recipe, catalog), indent=1)
        made[TEMPLATES / f"{recipe.name}.json"] = f"{text}\n"
    made[TEMPLATES / "index.json"] = json.dumps(list(_index()), indent=1) + "\n"
    return made


def _index() -> Iterator[dict[str, Any]]:
    """What lists of templates say of each family's workflows."""
    for family in FAMILIES:
        recipes = [recipe for recipe in RECIPES if recipe.family == family.name]
        templates = [
            {"name": each.name, "title": each.title, "description": _settings(each)}
            for each in recipes
        ]
        if templates:
            yield {"family": family.name, "templates": templates}


def _known() -> list[Recipe]:
    names = {family.name for family in FAMILIES}
    unknown = [recipe.family for recipe in RECIPES if recipe.family not in names]
    if unknown:
        raise SystemExit(f"there is no family {', '.join(unknown)}; known: {', '.join(names)}")
    return list(RECIPES)


def _page() -> Iterator[str]:
    families = [f for f in FAMILIES if any(r.family == f.name for r in RECIPES)]
    for family in families:
        links = ", ".join(
            f"[{recipe.title}](#{recipe.name.replace('_', '-')})"
            for recipe in RECIPES
            if recipe.family == family.name
        )
        yield f"| {family.name} | {_encoders(family)} | {links} |"
    for recipe in RECIPES:
        yield f"\n## {recipe.name.replace('_', '-')}\n"
        yield f"{recipe.title}: [workflow](workflows/{recipe.name}.json)\n"
        yield "| folder | file |\n| --- | --- |"
        for folder, address in recipe.files:
            yield f"| `{folder}` | [{file_of(address)}](https://huggingface.co/{address}) |"
        yield f"\n{_settings(recipe)}"


def _settings(recipe: Recipe) -> str:
    """The settings, and what users should know."""
    steps, cfg, sampler, scheduler = recipe.sampling
    shift = f", {recipe.shift[0]} {recipe.shift[1]['shift']:g}" if recipe.shift else ""
    guidance = f", guidance {recipe.guidance:g}" if recipe.guidance is not None else ""
    notes = f"; {recipe.notes}" if recipe.notes else ""
    return f"{steps} steps, cfg {cfg:g}, {sampler}, {scheduler}{shift}{guidance}{notes}."


def _encoders(family: ModelFamily) -> str:
    plans: tuple[TextPlan, ...] = (family.text, *family.text.others)
    return "; or ".join(
        # T5's tokens have no file.
        " and ".join(ENCODERS[name].title for name in plan.styles if name != T5_TOKENS.name)
        + f" (`{'`, `'.join(sorted(plan.file_types))}`)"
        for plan in plans
    )


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if out of date")
    check = parser.parse_args().check
    for path, made in pages().items():
        if check and not (path.is_file() and path.read_text(encoding="utf-8") == made):
            sys.stderr.write(f"{path.name} is out of date; run tools/write_families_page.py\n")
            return 1
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
