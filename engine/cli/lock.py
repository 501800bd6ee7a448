"""`lock`: writes beside a workflow what its results depend on, or says what differs from that."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.atomic import write_atomically
from engine.cli.document import carries_metadata, read_document
from engine.cli.pack_loading import quiet_output, worker_with_packs
from engine.cli.report import DONE, FAILED, INVALID
from engine.errors import CalotypeError, MediaError, WorkflowError
from engine.graph.prompt import Prompt, to_api
from engine.graph.workflow import read_json_text
from engine.media.metadata import read_texts
from engine.record.compare import Difference, differences
from engine.record.record import KEYWORD, read_record, to_json
from engine.settings import Settings
from engine.worker.loop import Worker

SUFFIX = ".lock.json"
_PROMPT = "prompt_sha256"
_LARGE = 64 << 20
_MOST_LOCK = 16 << 20


@dataclass(frozen=True, slots=True)
class LockOptions:
    """The options of the command line; `update` replaces an existing record."""

    path: Path
    update: bool = False
    as_json: bool = False


def run_lock(options: LockOptions, settings: Settings) -> int:
    """Write or check the record of a workflow; returns the exit code."""
    try:
        with quiet_output():
            report = _lock(options, settings)
    except WorkflowError as error:
        report = {"status": "invalid", "message": str(error)}
    except CalotypeError as error:
        report = {"status": "failed", "message": str(error)}
    if options.as_json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        _print(report)
    return {"invalid": INVALID, "failed": FAILED, "differs": FAILED}.get(report["status"], DONE)


def lock_of(path: Path) -> Path:
    """The file beside a workflow that holds its record."""
    return path.with_name(path.stem + SUFFIX)


def _lock(options: LockOptions, settings: Settings) -> dict[str, Any]:
    beside = lock_of(options.path)
    then = None if options.update else _recorded(options.path, beside)
    source = read_document(options.path)
    worker = worker_with_packs(settings)
    prompt = source.convert(worker.catalog, worker.files).require_classes()
    if then is not None:
        found = [*_other_prompt(then, prompt), *_differences(then, worker)]
        listed = [{"name": each.name, "text": each.text} for each in found]
        return {"status": "differs" if listed else "same", "differences": listed}
    record = worker.recorder.record(prompt, worker.catalog, worker.computing, _hasher(worker))
    if missing := [f"{each.kind}/{each.name}" for each in record.files if each.size < 0]:
        raise WorkflowError(
            f"nothing is written: {len(missing)} file(s) are missing: {', '.join(missing[:10])}"
        )
    content = {**to_json(record), _PROMPT: _digest(prompt)}
    write_atomically(beside, (json.dumps(content, indent=2) + "\n").encode())
    return {"status": "written", "file": str(beside), "record": content}


def _recorded(path: Path, beside: Path) -> Mapping[str, Any] | None:
    """The record beside a workflow, or else the one inside a picture; None where there is none."""
    if beside.is_file():
        try:
            with beside.open("rb") as stream:
                found = read_json_text(stream.read(_MOST_LOCK))
        except OSError as error:
            raise WorkflowError(f"{beside}: cannot be read: {error.strerror}") from error
        except WorkflowError as error:
            raise WorkflowError(f"{beside}: {error}") from error
        return found if isinstance(found, dict) else {}
    if carries_metadata(path):
        try:
            text = read_texts(path).get(KEYWORD)
        except MediaError:
            return None  # reading the workflow in it will say why
        found = None if text is None else read_json_text(text)
        return found if isinstance(found, dict) else None
    return None


def _differences(then: Mapping[str, Any], worker: Worker) -> tuple[Difference, ...]:
    return differences(read_record(then), worker.recorder, worker.computing, _hasher(worker))


def _other_prompt(then: Mapping[str, Any], prompt: Prompt) -> list[Difference]:
    digest = then.get(_PROMPT)
    if digest is None or digest == _digest(prompt):
        return []
    text = "The workflow itself has changed since; --update writes its record anew."
    return [Difference("version", "workflow", text)]


def _digest(prompt: Prompt) -> str:
    """Of what would run; titles and positions do not count."""
    nodes = {
        node_id: {"class_type": node["class_type"], "inputs": node["inputs"]}
        for node_id, node in to_api(prompt).items()
    }
    return hashlib.sha256(json.dumps(nodes, sort_keys=True).encode()).hexdigest()


def _hasher(worker: Worker) -> Callable[[Path], str]:
    def hash_of(path: Path) -> str:
        if not worker.recorder.hashes.known(path) and path.stat().st_size > _LARGE:
            sys.stderr.write(f"reading {path.name} ({path.stat().st_size / 1e9:.1f} GB)\n")
        return worker.recorder.hashes.compute(path)

    return hash_of


def _print(report: Mapping[str, Any]) -> None:
    match report["status"]:
        case "written":
            sys.stdout.write(f"{report['file']}\n")
        case "same":
            sys.stderr.write("nothing differs from the record\n")
        case "differs":
            for each in report["differences"]:
                sys.stdout.write(f"{each['text']}\n")
        case _:
            sys.stderr.write(f"{report['message']}\n")
