"""Markers for a node's annotations: `Annotated[int, Range(1, 100)]`.

Pure values. `annotations.py` reads them from a typed function and makes the inputs and outputs of
a `NodeSchema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Socket:
    """A wire type: `Annotated[Tensor, Socket("IMAGE")]`. As an output it may carry a tooltip."""

    type: str
    tooltip: str | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of an INT or FLOAT widget; `round` is what a FLOAT is rounded to (False: not).

    A maximum of None: without one.
    """

    minimum: float
    maximum: float | None
    step: float | None = None
    round: float | bool | None = None
    control_after_generate: bool = False
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A STRING widget; `dynamic_prompts` expands `{a|b}` when a run is requested.

    `multiline=None` leaves the incumbent's option out, as most of its older nodes do.
    """

    multiline: bool | None = False
    dynamic_prompts: bool = False
    placeholder: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A combo over fixed values."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, "values", values)


@dataclass(frozen=True, slots=True)
class FileChoice:
    """A combo over the files of a folder (`checkpoints`, `vae`, `input` ...).

    Attributes:
        upload: the incumbent's option that gives the widget an upload button: `image_upload`.
        also: choices besides the files, listed after them.
    """

    folder: str
    upload: str | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchType:
    """An input or output whose type is that of all others of its template, whatever is joined.

    Attributes:
        template: its name within the node.
        types: those that may be joined; `*` for any.
    """

    template: str
    types: str = "*"


@dataclass(frozen=True, slots=True)
class Autogrow:
    """Inputs that multiply as they are used: `prefix0, prefix1, ...`, passed as one dict.

    In a prompt the keys are dotted: `images.image0`. With `names` these are the keys. Those of a
    `MatchType` have the type of all others of its template.
    """

    prefix: str
    type: str | MatchType
    minimum: int = 1
    maximum: int = 100
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DynamicCombo:
    """A combo each of whose choices brings inputs: the fields of a NamedTuple, with defaults.

    The function receives a dict: the choice under the input's own name, and its inputs. In a prompt
    their names are dotted: `format.quality`.
    """

    choices: Mapping[str, type]


@dataclass(frozen=True, slots=True)
class Names:
    """Of `**ratios`: an input of this kind for each of the names, such as `input_blocks.1.`."""

    values: tuple[str, ...]

    def __init__(self, *values: str) -> None:
        object.__setattr__(self, "values", values)


@dataclass(frozen=True, slots=True)
class Options:
    """Anything else the incumbent's option dictionaries hold, passed through unchanged.

    `Options(tooltip=..., lazy=True, forceInput=True, advanced=True)`.
    """

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "values", values)


@dataclass(frozen=True, slots=True)
class InOptionalSection:
    """Lists the input under `optional`; without it `X | None = None` says the same."""


@dataclass(frozen=True, slots=True)
class ListOutput:
    """This output is a list whose elements are handed on one by one; `list[X]` says the same."""
