"""Opens the example workflows of packs: which nodes, values and links of theirs are not understood.

    python tools/try_pack_workflows.py FOLDER [--only NAME ...] [--site FOLDER] [--json FILE]
                                       [--table FILE]

FOLDER holds packs, one folder each, as `custom_nodes/` does. One server is started with all of
them (or those of `--only`) on an empty user directory. Each workflow that it lists as a template
is converted to a prompt and checked, as the editor does it; nothing runs. Files of models and
pictures that a workflow names are not here, so values of their lists are counted apart.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from try_packs import Server, served

START_SECONDS = 1500.0
_FILE = re.compile(
    r"\.(safetensors|sft|ckpt|pth?|bin|gguf|onnx|pkl|patch|png|jpe?g|webp|gif|mp4|webm|ttf|otf|cube)$",
    re.IGNORECASE,
)
_CORE = "comfy-core"


@dataclass
class Opened:
    """What became of one workflow.

    Attributes:
        own: classes of the pack itself that are missing; `page`: nodes that exist only in the
            pack's page; `core`, `others`: classes missing of ComfyUI and of other packs.
        files: values of lists of files; `invalid`: other values that are refused.
        notes: what was damaged in the file, or read with a guess.
    """

    pack: str
    name: str
    nodes: int = 0
    error: str = ""
    own: list[str] = field(default_factory=list[str])
    page: list[str] = field(default_factory=list[str])
    core: list[str] = field(default_factory=list[str])
    others: list[str] = field(default_factory=list[str])
    files: list[str] = field(default_factory=list[str])
    invalid: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


def reports_of(server: Server, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What the server says of the packs once all are loaded, by name."""
    until = time.monotonic() + START_SECONDS
    found: dict[str, Mapping[str, Any]] = {}
    while time.monotonic() < until:
        with suppress(OSError, ValueError):
            found = {pack["name"]: pack for pack in server.get("/calotype/packs")}
            states = {found[name]["state"] if name in found else "unknown" for name in names}
            if not states & {"loading", "waiting", "unknown", "new"}:
                catalog = server.get("/object_info")  # classes come after the last pack's import
                if all(
                    catalog.keys() & set(each["nodes"]) for each in found.values() if each["nodes"]
                ):
                    return found
        time.sleep(1.0)
    sys.exit(f"the packs were not loaded within {START_SECONDS:.0f} s: {found}")


def nodes_in(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All nodes of a saved workflow, those of its subgraphs too."""
    yield from document.get("nodes") or ()
    for inner in (document.get("definitions") or {}).get("subgraphs") or ():
        yield from inner.get("nodes") or ()


def open_workflow(server: Server, pack: Path, name: str, report: Mapping[str, Any]) -> Opened:
    """Fetch a template, have it checked, and sort what is said of it."""
    opened = Opened(pack.name, name)
    document = server.get(f"/api/workflow_templates/{quote(pack.name)}/{quote(name)}.json")
    listed = [*nodes_in(document)] if isinstance(document, dict) else []
    opened.nodes = len(listed)
    status, answer = server.post("/calotype/check", document)
    if status != 200:
        opened.error = str(answer)[:300]
        return opened
    found = answer["report"]
    sources: dict[str, str] = {}
    for node in listed:
        about = node.get("properties") or {}
        sources.setdefault(
            str(node.get("type")), str(about.get("cnr_id") or about.get("aux_id") or "")
        )
    page = scripts_of(pack)
    for class_type in found.get("missing") or {}:
        if class_type in (report.get("nodes") or ()) or class_type in (
            report.get("left_out") or {}
        ):
            opened.own.append(class_type)
        elif f'"{class_type}"' in page or f"'{class_type}'" in page or f"`{class_type}`" in page:
            opened.page.append(class_type)
        elif sources.get(class_type) == _CORE:
            opened.core.append(class_type)
        else:
            opened.others.append(class_type)
    missing = found.get("missing") or {}
    for node in (found.get("node_errors") or {}).values():
        if node["class_type"] in missing:
            continue
        for each in node["errors"]:
            info = each.get("extra_info") or {}
            text = f"{node['class_type']}: {each['message']}: {each['details']}"
            value = info.get("received_value")
            is_file = isinstance(value, str) and _FILE.search(value.strip())
            is_file = is_file or "there is no file" in text
            (opened.files if is_file else opened.invalid).append(text)
    opened.notes = [str(each) for each in found.get("notes") or ()]
    return opened


def scripts_of(pack: Path) -> str:
    """All scripts of a pack: they name the nodes that exist in its page only."""
    return "\n".join(each.read_text(errors="replace") for each in pack.rglob("*.js"))


def table(results: Sequence[Opened]) -> str:
    """The results in Markdown, a line for each pack."""
    lines = [
        "| pack | workflows | own nodes missing | ComfyUI | others | valid up to files |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for pack in dict.fromkeys(each.pack for each in results):
        mine = [each for each in results if each.pack == pack]
        fine = [each for each in mine if not each.error]
        whole = [each for each in fine if not (each.own or each.core or each.others)]
        valid = [each for each in whole if not each.invalid]
        own, core, others = (
            len({name for each in mine for name in getattr(each, kind)})
            for kind in ("own", "core", "others")
        )
        shares = f"{own} | {core} | {others} | {len(valid)} of {len(whole)}"
        lines.append(f"| {pack} | {len(mine)} | {shares} |")
    return "\n".join(lines)


def main() -> int:
    """Open the workflows; print what is wrong with each, and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--site")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    packs = [each for each in sorted(asked.folder.iterdir()) if each.is_dir()]
    packs = [each for each in packs if not asked.only or each.name in asked.only]
    results: list[Opened] = []
    with served(packs, asked.site) as (server, folder):
        reports = reports_of(server, [each.name for each in packs])
        for pack in packs:
            if reports[pack.name]["state"] != "loaded":
                print(f"{pack.name}: {reports[pack.name]['error']}")
        templates = server.get("/workflow_templates")
        for pack in packs:
            for name in templates.get(pack.name, ()):
                opened = open_workflow(server, pack, name, reports[pack.name])
                results.append(opened)
                print(f"\n## {pack.name}: {name}: {opened.nodes} nodes {opened.error}")
                for kind in ("own", "page", "core", "others", "files", "invalid", "notes"):
                    for text, count in Counter(getattr(opened, kind)).items():
                        print(f"  {kind}: {text[:300]}{f' ({count} times)' if count > 1 else ''}")
                sys.stdout.flush()
        print((folder / "log.txt").read_text(errors="replace")[-3000:], file=sys.stderr)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(each) for each in results], indent=1))
    print("\n" + table(results))
    if asked.table:
        asked.table.write_text(table(results) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
