"""Tries packs of nodes: which import, which of their nodes run, and what failed and why.

    python tools/try_packs.py FOLDER [--only NAME ...] [--site FOLDER | --environments FOLDER]
        [--json FILE] [--table FILE]

FOLDER holds packs, one folder each, as `custom_nodes/` does. For each, a server of its own is
started on an empty user directory, with no other pack, and asked about the pack; then each node
runs with inputs generated from its interface, small models and files; if that fails, with others
(`try_packs_fields.KITS`): all sockets, several pictures, SDXL, a video's latent, other texts. What
ran makes inputs for the nodes after it. What the packs require lies in a folder that `--site` names
(`pip install --target`; it has to be in PYTHONPATH). With `--environments` each pack gets a fresh
environment below that folder instead, into which its own requirements are installed.

A node counts as run if one of these ends without an error. A node that needs a model file, a
network or hardware which are not here is counted apart, with the reason: what it raised says so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib import error, request
from uuid import uuid4

from try_packs_environments import copied, follow_advice, python_for
from try_packs_fields import KITS
from try_packs_files import copy_pack, write_inputs, write_models
from try_packs_inputs import MissingInputError, Prompt, graph_of, numbered, workflow_of
from try_packs_table import Tried, table

from engine.packs.environments import EnvironmentFailedError

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS, RUN_SECONDS = 300.0, 90.0
NEEDS = (
    "no such file",
    "does not exist",
    "not found",
    "connection",
    "download",
    "huggingface",
    "resolve host",
    "name resolution",
    "offline",
    "max retries",
    "urlopen",
    "cuda",
    "no module named",
    "please install",
    "not installed",
    "api key",
    "api_key",
    "no gpu",
    "display",
    "select a model",
)
"""Words of an error that show a missing file, service, package or device."""
OTHER_NETWORK = re.compile(
    r"'UNetModel' object has no attribute '(params|dim|blocks|text_embedding|transformer_blocks|"
    r"inner_dim|double_blocks|single_blocks|joint_blocks|layers)'|KeyError: 't5xxl'"
)
"""Errors of a node that reaches into a network of another family than SD1 and SDXL."""


class Server:
    """A server of ours, over HTTP."""

    def __init__(self, address: str, seconds: float) -> None:
        """`seconds` is how long a run may take."""
        self._address, self.seconds = address, seconds

    def get(self, path: str) -> Any:
        """The JSON at that path."""
        with request.urlopen(self._address + path, timeout=60) as answer:  # noqa: S310 - our own
            return json.load(answer)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """The status and the JSON of the answer."""
        sent = request.Request(  # noqa: S310 - our own
            self._address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with request.urlopen(sent, timeout=120) as answer:  # noqa: S310 - our own
                return answer.status, json.loads(answer.read() or b"null")
        except error.HTTPError as refused:
            text = refused.read()
            with suppress(ValueError):
                return refused.code, json.loads(text)
            return refused.code, text.decode(errors="replace")

    def ended(self, prompt_id: str) -> Mapping[str, Any] | None:
        """The entry of a prompt in the history; None if it takes too long."""
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            found = self.get(f"/history/{prompt_id}")
            if prompt_id in found:
                return found[prompt_id]
            time.sleep(0.1)
        self.post("/interrupt", {"prompt_id": prompt_id})
        time.sleep(2.0)
        return None


@contextmanager
def served(
    packs: Sequence[Path],
    site: str | None,
    seconds: float = RUN_SECONDS,
    isolated: bool = False,
    python: Path | None = None,
) -> Iterator[tuple[Server, Path]]:
    """A server with these packs and no other, and its folder: `input`, `models`, `log.txt`.

    `python` is the interpreter that it runs in, if not this one.
    """
    with tempfile.TemporaryDirectory(prefix="calotype-packs-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for pack in packs:
            copy_pack(pack, folder / "custom_nodes")
        shutil.copy(ROOT / "tools" / "try_packs_values.py", folder / "custom_nodes")
        write_inputs(folder / "input")
        write_models(folder / "models")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(python or sys.executable), str(ROOT / "main.py"), "serve", "--no-browser"]
        command += ["--port", str(port), "--user-directory", str(folder / "user")]
        command += ["--input-directory", str(folder / "input")]
        command += ["--models-directory", str(folder / "models")]
        command += ["--custom-nodes-directory", str(folder / "custom_nodes")]
        command += ["--pack-timeout", str(int(START_SECONDS))]
        paths = [site, os.environ.get("PYTHONPATH")]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        for pack in packs if isolated else ():
            isolate = [*command[:2], "packs", "isolate", pack.name, "--yes", *command[6:]]
            subprocess.run(isolate, env=environment, check=True)  # noqa: S603 - our own
        log = folder / "log.txt"
        with log.open("wb") as written:
            # Packs write into the working directory.
            process = subprocess.Popen(  # noqa: S603 - our own
                command, cwd=folder, env=environment, stdout=written, stderr=written
            )
            try:
                yield Server(f"http://127.0.0.1:{port}", seconds), folder
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def report_of(server: Server, name: str) -> Mapping[str, Any]:
    """What the server says of the pack once its import has ended."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with suppress(OSError, ValueError):
            for pack in server.get("/calotype/packs"):
                if pack["name"] == name and pack["state"] not in {"loading", "waiting", "unknown"}:
                    return pack
        time.sleep(0.3)
    return {"state": "hung", "error": f"nothing was heard of it within {START_SECONDS:.0f} s"}


def catalog_with(server: Server, classes: Collection[str]) -> Mapping[str, Any]:
    """`/object_info` once it has one of these classes: they come after the last pack's import."""
    until = time.monotonic() + START_SECONDS
    while True:
        catalog = server.get("/object_info")
        if any(each in catalog for each in classes) or time.monotonic() > until:
            return catalog
        time.sleep(0.3)


_MOST_ADVICE = 6
"""How often what a report says to install is installed."""


def try_pack(pack: Path, asked: argparse.Namespace) -> Tried:
    """Start a server with the pack, and run each of its nodes, or those."""
    if not asked.environments:
        return _tried(pack, asked, None)
    pack = copied(pack, asked.environments)
    advice: list[str] = []
    while True:
        try:
            tried = _tried(pack, asked, python_for(pack, asked.environments))
        except EnvironmentFailedError as error:
            return Tried(pack.name, "no environment", str(error), advice=advice)
        tried.advice = list(advice)
        may_help = tried.state == "failed" and len(advice) < _MOST_ADVICE
        if not (may_help and tried.install and follow_advice(pack, tried.install)):
            return tried
        advice.append(tried.install)


def _tried(pack: Path, asked: argparse.Namespace, python: Path | None) -> Tried:
    tried, only = Tried(pack.name), asked.classes
    with served([pack], asked.site, asked.seconds, asked.isolated, python) as (server, folder):
        report = report_of(server, pack.name)
        tried.state, tried.error = report["state"], report.get("error") or ""
        tried.install = report.get("install") or ""
        tried.seconds = report.get("seconds") or 0.0
        classes = report.get("nodes") or []
        tried.nodes = len(classes)
        if not classes:
            print((folder / "log.txt").read_text(errors="replace")[-2000:], file=sys.stderr)
            return tried
        catalog = catalog_with(server, classes)
        for class_type in classes:
            if class_type not in catalog:
                why = (report.get("left_out") or {}).get(class_type, "not in the catalog")
                tried.failed[class_type] = why
        left = [each for each in classes if each in catalog and (not only or each in only)]
        trial = Trial(server, catalog, str(folder / "input"), tried, tells_all=bool(only))
        trial.run_all(left)
        if only:
            print((folder / "log.txt").read_text(errors="replace")[-6000:], file=sys.stderr)
    return tried


@dataclass
class Trial:
    """The run of a pack's nodes; what ran makes inputs of the others."""

    server: Server
    catalog: Mapping[str, Any]
    inputs: str
    tried: Tried
    tells_all: bool = False
    ran: dict[str, Prompt] = field(default_factory=dict[str, Prompt])

    def run_all(self, classes: Sequence[str]) -> None:
        """Run each node, those first whose inputs can be made; then what failed once more."""
        for left in (list(classes), None):
            waiting = list(self.tried.failed) + list(self.tried.complains) if left is None else left
            waiting = [each for each in waiting if each in self.catalog]
            while waiting:
                missing = {each: why for each in waiting if (why := self.run_one(each))}
                if len(missing) == len(waiting):
                    self.tried.lacking.update(missing)
                    break
                waiting = list(missing)

    def run_one(self, class_type: str) -> str:
        """Run one node, with one kit of inputs after the other; what is missing, if anything."""
        outcomes: list[tuple[str, str]] = []
        missing = ""
        for kit in KITS:
            try:
                prompt = graph_of(class_type, self.catalog, self.ran, kit, self.inputs)
            except MissingInputError as lacks:
                missing = str(lacks)
                continue
            outcome, why = run(self.server, numbered(prompt))
            outcomes.append((outcome, why))
            if self.tells_all:
                print(f"{class_type}, {kit}: {outcome} {why}", file=sys.stderr)
            if outcome == "ran":
                self.ran[class_type] = prompt
            if outcome in {"ran", "silent"}:
                break
        if not outcomes:
            return missing
        self._enter(class_type, outcomes)
        return ""

    def _enter(self, class_type: str, outcomes: Sequence[tuple[str, str]]) -> None:
        tried = self.tried
        for kind in (tried.failed, tried.complains, tried.lacking):
            kind.pop(class_type, None)
        if outcomes[-1][0] == "ran":
            tried.ran.append(class_type)
            return
        kinds = [outcome for outcome, _ in outcomes]
        # The plain inputs, and all sockets filled, tell best what a node needs.
        first = next((kind for kind in ("lacking", "complains") if kind in kinds[:2]), "failed")
        why = outcomes[kinds.index(first)][1] if first in kinds else outcomes[0][1]
        getattr(tried, first)[class_type] = why


def run(server: Server, prompt: Prompt) -> tuple[str, str]:
    """Run a prompt: "ran", "lacking", "complains", "failed" or "silent", and why."""
    prompt_id = str(uuid4())
    try:
        extra = {"extra_pnginfo": {"workflow": workflow_of(prompt)}}
        body = {"prompt": prompt, "prompt_id": prompt_id, "extra_data": extra}
        status, answer = server.post("/prompt", body)
        if status != 200 or answer.get("node_errors"):
            return "failed", f"refused: {_refusal(answer)}"
        entry = server.ended(prompt_id)
    except (OSError, ValueError) as fault:
        return "silent", f"the server did not answer: {fault}"
    if entry is None:
        return "silent", f"did not end within {server.seconds:.0f} s"
    if entry["status"]["status_str"] == "success":
        return "ran", ""
    said = [data for event, data in entry["status"]["messages"] if event == "execution_error"]
    message = _fault(said[-1]) if said else "it was stopped"
    lowered = message.lower()
    if any(words in lowered for words in NEEDS) or OTHER_NETWORK.search(message):
        return "lacking", message
    if said and _is_complaint(said[-1]):
        return "complains", message
    return "failed", message


def _refusal(answer: Any) -> str:
    if not isinstance(answer, Mapping):
        return str(answer)[:200]
    details = [
        f"{each['message']}: {each['details']}"
        for node in (answer.get("node_errors") or {}).values()
        for each in node["errors"]
    ]
    return "; ".join(details)[:300] or str(answer.get("error"))[:300]


def _fault(said: Mapping[str, Any]) -> str:
    lines = [line.strip().split("\n")[0] for line in said.get("traceback") or () if "File" in line]
    where = lines[-1].split("custom_nodes")[-1] if lines else ""
    return f"{said['exception_type']}: {str(said['exception_message']).strip()[:240]} ({where})"


def _is_complaint(said: Mapping[str, Any]) -> bool:
    """Whether a `raise` or `assert` of the pack's own code ended the run."""
    lines = "".join(said.get("traceback") or ()).rstrip().split("\n")
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if not frames or "custom_nodes" not in lines[frames[-1]]:
        return False
    return lines[frames[-1] + 1].strip().startswith(("raise ", "assert "))


def main() -> int:
    """Try the packs, print the table and what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--classes", nargs="*", default=(), help="of the packs' nodes, only these")
    parser.add_argument("--site")
    parser.add_argument("--environments", type=Path, help="for a fresh environment of each pack")
    parser.add_argument("--isolated", action="store_true", help="each in a process of its own")
    parser.add_argument("--seconds", type=float, default=RUN_SECONDS, help="a run may take")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    packs = [each for each in sorted(asked.folder.iterdir()) if each.is_dir()]
    results: list[Tried] = []
    for pack in packs:
        if asked.only and pack.name not in asked.only:
            continue
        tried = try_pack(pack, asked)
        results.append(tried)
        print(f"\n## {tried.name}: {tried.state} {tried.error}")
        print(f"{len(tried.ran)} ran, {len(tried.lacking)} need, {len(tried.failed)} failed")
        print(f"{len(tried.complains)} complain about the generated values")
        kinds = {"failed": tried.failed, "complains": tried.complains, "lacks": tried.lacking}
        for kind, found in kinds.items():
            for class_type, why in found.items():
                print(f"  {kind} {class_type}: {why}")
        sys.stdout.flush()
        if asked.json:
            asked.json.write_text(json.dumps([asdict(each) for each in results], indent=1))
    print("\n" + table(results))
    if asked.table:
        asked.table.write_text(table(results) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
