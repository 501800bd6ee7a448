"""The schema of a node: its sockets, widgets and flags.

Plain frozen values that the validator, the converter and the editor read; `nodekit` makes them
from nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Section = Literal["required", "optional", "hidden"]
COMBO = "COMBO"
ANY = "*"
WIDGET_TYPES = frozenset(
    {"INT", "FLOAT", "STRING", "BOOLEAN", COMBO, "COLOR", "CURVE", "BOUNDING_BOX", "WEBCAM"}
)


@dataclass(frozen=True, slots=True)
class InputSchema:
    """One input of a node.

    Attributes:
        name: the keyword it is passed as, and the key in a prompt.
        type: a socket type such as `"MODEL"`, `"INT"`, `"IMAGE,MASK"`, `"*"`, or `"COMBO"`.
        section: `required`, `optional` or `hidden` (filled by the engine).
        options: the incumbent's options: `default min max step round multiline tooltip lazy
            forceInput control_after_generate image_upload ...`; unknown keys pass through.
        choices: the values of a combo, or None. For a combo of files see `folder`.
        folder: a combo over the files of this folder (`"checkpoints"`, `"input"` ...): the
            choices are listed on request, not when the catalog is made.
    """

    name: str
    type: str
    section: Section = "required"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    choices: tuple[Any, ...] | None = None
    folder: str | None = None

    @property
    def is_widget(self) -> bool:
        """Whether the editor draws a widget for it, so that it can hold a constant."""
        return self.type in WIDGET_TYPES and not self.options.get("forceInput", False)

    @property
    def lazy(self) -> bool:
        """Whether it is evaluated only when the node requests it."""
        return bool(self.options.get("lazy", False))


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """One output of a node; `is_list` outputs hand each element on separately.

    `match` names the template whose type it has, which inputs of that template decide.
    """

    type: str
    name: str
    is_list: bool = False
    tooltip: str | None = None
    match: str | None = None


@dataclass(frozen=True, slots=True)
class NodeSchema:
    """A node as the catalog lists it.

    Attributes:
        input_is_list: the function takes every input as a list and is called once.
        flexible: undeclared inputs are accepted (the incumbent's dict-subclass trick).
        checks_input_types: its own check replaces the link type check.
        any_slot: links from slots that are not declared are accepted, too (the incumbent's
            tuple-subclass trick); `outputs` then accepts any index.
        checks: names of inputs whose range and list checks its own check replaces
            (`"*"` for all).
        not_idempotent: never shares a cached result with another node.
    """

    class_type: str
    display_name: str
    category: str
    inputs: tuple[InputSchema, ...] = ()
    outputs: tuple[OutputSchema, ...] = ()
    description: str = ""
    python_module: str = "nodes"
    is_output: bool = False
    input_is_list: bool = False
    deprecated: bool = False
    experimental: bool = False
    not_idempotent: bool = False
    flexible: bool = False
    any_slot: bool = False
    checks_input_types: bool = False
    checks: frozenset[str] = frozenset()

    def input(self, name: str) -> InputSchema | None:
        """The input of that name, or None."""
        return next((each for each in self.inputs if each.name == name), None)


Catalog = Mapping[str, NodeSchema]
