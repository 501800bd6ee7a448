"""The body of `POST /prompt`: read, validated, and made an entry of the queue."""

from __future__ import annotations

import math
import random
import time
import uuid
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

import msgspec

from engine.errors import PromptError, WorkflowError
from engine.forecast.studied import study
from engine.graph.literals import HasFile
from engine.graph.object_info import ListFolder
from engine.graph.problems import Problem, Report, refusal
from engine.graph.prompt import Prompt, parse, to_api
from engine.graph.validate import missing_files, validate
from engine.graph.workflow import convert
from engine.json_text import JsonError, may_have_lone_surrogates, read_json, replace_lone_surrogates
from engine.server.answers import RefusalError, is_array, is_object
from engine.server.examined import Examined
from engine.server.notes import note_of
from engine.server.running import MOST_NODE_ERRORS, NODE_ERRORS
from engine.server.services import Services
from engine.store.entries import Entry, Texts, texts_of

_NOT_STORED = ("auth_token_comfy_org", "api_key_comfy_org", NODE_ERRORS)
"""Secrets, and keys that only the server sets."""
_LONGEST_ID = 200
_SMALL = 32 << 10
"""Bytes of a body that is decoded and validated within a fraction of a millisecond."""
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Submission:
    """A prompt that can run, and where in the queue it is wanted."""

    entry: Entry
    texts: Texts
    front: bool
    number: float | None
    node_errors: dict[str, Any]


class _FolderNeededError(Exception):
    """A folder has to be read, which may take long."""


def read_at_once(body: bytes, services: Services, previews: str = "none") -> Submission | None:
    """`read_submission` for a small body that names no files; None for any other.

    The others are examined in a thread: folders may be slow, and the event loop has other work.
    """
    if len(body) > _SMALL:
        return None

    def refuse(*_: str) -> NoReturn:
        raise _FolderNeededError

    try:
        return read_submission(body, services, refuse, refuse, previews=previews)
    except _FolderNeededError:
        return None


def read_submission(
    body: bytes,
    services: Services,
    list_folder: ListFolder,
    has_file: HasFile | None = None,
    *,
    previews: str = "none",
) -> Submission:
    """Parse and validate the body of a prompt.

    Args:
        body: of the request.
        services: the settings, the catalog and the folders.
        list_folder: lists files of a kind.
        has_file: whether there is a file of a kind.
        previews: the method for a prompt that leaves the choice to a server that makes none.

    Raises:
        RefusalError: it cannot run; the body names the node and the input.
    """
    has_file = has_file or services.files.has
    members = _members(body)
    text = members.get("prompt") if members and "partial_execution_targets" not in members else None
    examined = _find_examined(text, services, list_folder, has_file)
    if examined is None or members is None:
        asked = decode_body(body)
        targets = asked.get("partial_execution_targets")
        if targets is not None and not _is_texts(targets):
            message = "partial_execution_targets should be a list of node ids"
            raise refused("invalid_prompt", message)
        if (workflow := _saved_workflow(asked)) is not None:
            asked = _with_workflow(asked, workflow)
            text = None  # a text may be another one each time: {a|b}
        given = asked.get("prompt") if workflow is None else workflow
        examined = _examine(given, services, targets, list_folder, has_file)
        if text is not None:
            services.examined.add(bytes(text), services.catalog.schemas, examined)
    else:
        asked = {name: read_json(bytes(each)) for name, each in members.items() if name != "prompt"}
    entry = _entry(asked, examined, services, previews)
    return Submission(
        entry=entry,
        texts=texts_of(entry),
        front=bool(asked.get("front")),
        number=_number(asked.get("number")),
        node_errors=examined.report.node_errors_json(),
    )


def _examine(
    given: object,
    services: Services,
    targets: list[str] | None,
    list_folder: ListFolder,
    has_file: HasFile,
) -> Examined:
    """Parse and validate a prompt.

    Raises:
        RefusalError: it cannot run.
    """
    try:
        prompt = _prompt_of(given, services)
    except PromptError as error:
        raise RefusalError(400, refusal(error)) from error
    except WorkflowError as error:
        raise refused("invalid_workflow", str(error)) from error
    report = check(prompt, services, targets, list_folder, has_file)
    if report.error is not None:
        raise RefusalError(400, report.to_json())
    sent = is_object(given) and not is_array(given.get("nodes")) and report.prompt is prompt
    api: Any = given if sent else to_api(report.prompt)
    return Examined(api, report, study(report, services.catalog.schemas))


def _saved_workflow(asked: dict[str, Any]) -> dict[str, Any] | None:
    """The saved workflow that was sent in place of a prompt, or instead of the whole body."""
    sent = asked["prompt"] if "prompt" in asked else asked.get("workflow", asked)
    return sent if is_object(sent) and is_array(sent.get("nodes")) else None


def _with_workflow(asked: dict[str, Any], workflow: dict[str, Any]) -> dict[str, Any]:
    """Have saved files carry the workflow, unless the client sends another along."""
    asked = {} if asked is workflow else asked
    extra: Any = asked.get("extra_data") or {}
    metadata: Any = (extra.get("extra_pnginfo") if is_object(extra) else None) or {}
    if not is_object(extra) or not is_object(metadata):
        return asked
    metadata = {"workflow": workflow, **metadata}
    return {**asked, "extra_data": {**extra, "extra_pnginfo": metadata}}


def _prompt_of(given: object, services: Services) -> Prompt:
    if is_object(given) and is_array(given.get("nodes")):
        return convert(given, services.catalog.schemas, chance=random.Random()).prompt
    return parse(given)


def _find_examined(
    text: msgspec.Raw | None, services: Services, list_folder: ListFolder, has_file: HasFile
) -> Examined | None:
    """What was found out about the same prompt before, if the files that it names still exist."""
    catalog = services.catalog.schemas
    found = None if text is None else services.examined.find(bytes(text), catalog)
    if found is None or found.studied.is_quick:  # it names no files
        return found
    missing = missing_files(found.report.prompt, catalog, list_folder, has_file)
    return None if missing else found


def check(
    prompt: Prompt,
    services: Services,
    targets: list[str] | None,
    list_folder: ListFolder,
    has_file: HasFile,
) -> Report:
    """Validate a prompt for these outputs; None for all."""
    return validate(
        prompt,
        services.catalog.schemas,
        list_folder=list_folder,
        has_file=has_file,
        wanted=targets,
        most_bytes=services.memory,
    )


def _preview_method(asked: object, services: Services, previews: str) -> object:
    """The method of a prompt's previews: its own, or the server's where it leaves the choice."""
    default = services.settings.preview_method
    default = previews if default == "none" else default
    if asked in (None, "default"):
        return None if default == "none" else default
    return default if asked == "auto" and default != "none" else asked


def _entry(asked: dict[str, Any], examined: Examined, services: Services, previews: str) -> Entry:
    prompt, report = examined.prompt, examined.report
    prompt_id, client = asked.get("prompt_id"), asked.get("client_id")
    given: Any = asked.get("extra_data") or {}
    if not is_object(given):
        raise refused("invalid_prompt", "extra_data should be an object")
    if prompt_id is not None and not isinstance(prompt_id, str | int):
        raise refused("invalid_prompt", "prompt_id should be a string")
    if len(str(prompt_id)) > _LONGEST_ID or len(str(client)) > _LONGEST_ID:
        raise refused("invalid_prompt", f"an id has at most {_LONGEST_ID} characters")
    now = time.time()
    extra = {key: value for key, value in given.items() if key not in _NOT_STORED}
    if report.node_errors:
        # History says which outputs were not run, and why.
        listed = islice(report.node_errors.items(), MOST_NODE_ERRORS)
        extra[NODE_ERRORS] = {node_id: each.to_json() for node_id, each in listed}
    if client is not None:
        extra["client_id"] = client
    if method := _preview_method(extra.pop("preview_method", None), services, previews):
        extra["preview_method"] = method
    extra["create_time"] = round(now * 1000)
    return Entry(
        id=str(prompt_id) if prompt_id not in (None, "") else str(uuid.uuid4()),
        prompt=prompt,
        wanted=report.outputs,
        extra=extra,
        client=None if client is None else str(client),
        workflow=_workflow_id(extra),
        created=now,
        note=note_of(prompt, extra),
        studied=examined.studied,
    )


def _workflow_id(extra: dict[str, Any]) -> str | None:
    found: Any = extra
    for key in ("extra_pnginfo", "workflow", "id"):
        found = found.get(key) if is_object(found) else None
    return found if isinstance(found, str) else None


def _number(given: Any) -> float | None:
    if given is None:
        return None
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise refused("invalid_prompt", "number should be a number") from error
    if not math.isfinite(number):
        raise refused("invalid_prompt", "number should be a finite number")
    return number


def _members(body: bytes) -> dict[str, msgspec.Raw] | None:
    """The texts of the body's members; None where it is not a strict JSON object."""
    if may_have_lone_surrogates(body):
        return None
    try:
        return _MEMBERS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def decode_body(body: bytes) -> dict[str, Any]:
    """The body as an object.

    Raises:
        RefusalError: it is none.
    """
    try:
        found = read_json(body)
    except JsonError as error:
        message = f"the body is no JSON that can be read: {error}"
        raise refused("invalid_prompt", message) from error
    if not is_object(found):
        raise refused("invalid_prompt", "the body should be a JSON object with a prompt")
    if may_have_lone_surrogates(
        body
    ):  # outside the prompt they are replaced, in it they are a problem
        return {
            key: each if key == "prompt" else replace_lone_surrogates(each)
            for key, each in found.items()
        }
    return found


def refused(kind: str, message: str, *, status: int = 400) -> RefusalError:
    """An error about the whole body, in the API's form."""
    return RefusalError(status, {"error": Problem(kind, message, "").to_json(), "node_errors": {}})


def _is_texts(value: Any) -> bool:
    return is_array(value) and all(isinstance(each, str) for each in value)
