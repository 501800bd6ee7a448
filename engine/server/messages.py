"""What browsers receive over their socket: JSON frames by name, and binary previews.

The names and fields are those of ComfyUI's API, except those marked ours. TypeScript's types are
generated from `MESSAGES`.
`running.py` decides when a message is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from engine.wire.messages import NodeRef

_PREVIEW = 1
_PREVIEW_WITH_METADATA = 4
_JPEG = 1


class ExecInfo(msgspec.Struct, frozen=True):
    """How many prompts are pending or running."""

    queue_remaining: int


class StatusBody(msgspec.Struct, frozen=True):
    """The content of `status`."""

    exec_info: ExecInfo


class Status(msgspec.Struct, frozen=True):
    """`status`: to all, whenever the queue changes; `sid` only as the first message."""

    status: StatusBody
    sid: str | UnsetType = UNSET


class ExecutionStart(msgspec.Struct, frozen=True):
    """`execution_start`; timestamps are milliseconds since 1970."""

    prompt_id: str
    timestamp: int


class ExecutionCached(msgspec.Struct, frozen=True):
    """`execution_cached`: the nodes whose results are cached."""

    nodes: tuple[str, ...]
    prompt_id: str
    timestamp: int


class Executing(msgspec.Struct, frozen=True):
    """`executing`: a node is called; None at the end of a run."""

    node: str | None
    display_node: str | UnsetType = UNSET
    prompt_id: str | UnsetType = UNSET


class NodeProgress(msgspec.Struct, frozen=True):
    """One node in `progress_state`; `seconds` and `memory` are ours, of one that finished."""

    value: float
    max: float
    state: Literal["running", "finished", "error"]
    node_id: str
    prompt_id: str
    display_node_id: str
    parent_node_id: str | None
    real_node_id: str
    seconds: float | UnsetType = UNSET
    memory: int | UnsetType = UNSET


class ProgressState(msgspec.Struct, frozen=True):
    """`progress_state`: the nodes that run, and those that changed since the last one."""

    prompt_id: str
    nodes: dict[str, NodeProgress]


class Progress(msgspec.Struct, frozen=True):
    """`progress`: a step of a node."""

    value: float
    max: float
    prompt_id: str
    node: str


class Executed(msgspec.Struct, frozen=True):
    """`executed`: what to draw under a node."""

    node: str
    display_node: str
    output: dict[str, Any] | None
    prompt_id: str


class ExecutionSuccess(msgspec.Struct, frozen=True):
    """`execution_success`."""

    prompt_id: str
    timestamp: int


class ExecutionError(msgspec.Struct, frozen=True):
    """`execution_error`; without a timestamp where the run goes on."""

    prompt_id: str
    node_id: str
    node_type: str
    executed: tuple[str, ...]
    exception_message: str
    exception_type: str
    traceback: tuple[str, ...]
    current_inputs: dict[str, list[Any]]
    current_outputs: tuple[str, ...]
    timestamp: int | UnsetType = UNSET


class ExecutionInterrupted(msgspec.Struct, frozen=True):
    """`execution_interrupted`; the node is None where it was between two."""

    prompt_id: str
    node_id: str | None
    node_type: str | None
    executed: tuple[str, ...]
    timestamp: int


class LogEntry(msgspec.Struct, frozen=True):
    """A line of the log: when, and what."""

    t: str
    m: str


class Logs(msgspec.Struct, frozen=True):
    """`logs`, to those who subscribed; `size` is that of the terminal, None where there is none."""

    entries: tuple[LogEntry, ...]
    size: dict[str, int] | None = None


class FeatureFlags(msgspec.Struct, frozen=True):
    """`feature_flags`, and what `GET /features` answers."""

    supports_preview_metadata: bool
    max_upload_size: int
    extension: dict[str, Any]


class DownloadState(msgspec.Struct, frozen=True):
    """A download: `name` below the folder of models `kind`, sizes in bytes, `speed` per second.

    In the state `asks` the user has to allow `asks_host`, which is one of the user's own network
    if `asks_private`.
    """

    id: str
    name: str
    kind: str
    url: str
    host: str
    folder: str
    state: Literal["queued", "running", "asks", "paused", "failed", "done"]
    size: int | None
    received: int
    speed: float
    sha256: str | None
    found_sha256: str | None
    license: str | None
    message: str | None
    asks_host: str | None
    asks_private: bool


class DownloadsChanged(msgspec.Struct, frozen=True):
    """`downloads_changed` (ours), to all: downloads that changed, and the ids of removed ones."""

    changed: tuple[DownloadState, ...]
    gone: tuple[str, ...]


Body = (
    Status
    | ExecutionStart
    | ExecutionCached
    | Executing
    | ProgressState
    | Progress
    | Executed
    | ExecutionSuccess
    | ExecutionError
    | ExecutionInterrupted
    | Logs
    | FeatureFlags
    | DownloadsChanged
)
MESSAGES: Mapping[str, type[Body]] = MappingProxyType(
    {
        "status": Status,
        "execution_start": ExecutionStart,
        "execution_cached": ExecutionCached,
        "executing": Executing,
        "progress_state": ProgressState,
        "progress": Progress,
        "executed": Executed,
        "execution_success": ExecutionSuccess,
        "execution_error": ExecutionError,
        "execution_interrupted": ExecutionInterrupted,
        "logs": Logs,
        "feature_flags": FeatureFlags,
        "downloads_changed": DownloadsChanged,
    }
)
"""Every message by its `type`."""
_NAMES: Mapping[type[Body], str] = MappingProxyType({kind: name for name, kind in MESSAGES.items()})


def name_of(body: Body) -> str:
    """A message's `type`."""
    return _NAMES[type(body)]


def text_frame(body: Body) -> str:
    """`{"type": ..., "data": ...}`; clients look at the first eight characters."""
    return f'{{"type":"{name_of(body)}","data":{msgspec.json.encode(body, enc_hook=str).decode()}}}'


def preview_frame(image: bytes) -> bytes:
    """A JPEG preview as clients without `supports_preview_metadata` read it."""
    return _PREVIEW.to_bytes(4) + _JPEG.to_bytes(4) + image


def preview_frame_with_metadata(image: bytes, prompt_id: str, node: NodeRef) -> bytes:
    """A JPEG preview that says which node it belongs to."""
    metadata = msgspec.json.encode(
        {
            "node_id": node.id,
            "prompt_id": prompt_id,
            "display_node_id": node.display_id,
            "parent_node_id": node.parent_id,
            "real_node_id": node.real_id,
            "image_type": "image/jpeg",
        }
    )
    size = len(metadata).to_bytes(4)
    return _PREVIEW_WITH_METADATA.to_bytes(4) + size + metadata + image
