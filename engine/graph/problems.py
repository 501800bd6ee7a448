"""What is wrong with a prompt, in the words and shapes of ComfyUI's API.

Plain values, which `validate` creates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import PromptError
from engine.graph.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        type: the API's error type, such as `value_not_in_list`.
        message: what it is, for every problem of this type the same.
        details: what exactly.
        extra_info: the same for programs: `input_name`, `received_value` and so on.
    """

    type: str
    message: str
    details: str
    extra_info: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        """As the API sends it."""
        return {
            "type": self.type,
            "message": self.message,
            "details": self.details,
            "extra_info": dict(self.extra_info),
        }


@dataclass(frozen=True, slots=True)
class NodeProblems:
    """All that is wrong with one node, and the output nodes that cannot run because of it."""

    class_type: str
    errors: tuple[Problem, ...]
    dependent_outputs: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As the API sends it."""
        return {
            "errors": [error.to_json() for error in self.errors],
            "dependent_outputs": list(self.dependent_outputs),
            "class_type": self.class_type,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found.

    Attributes:
        prompt: the prompt with its literals coerced to the types of the inputs.
        outputs: the output nodes that can run.
        error: why nothing can run; None as soon as one output can.
        node_errors: what is wrong with single nodes, by node id.
        ordered: the nodes that `outputs` need, each after what it needs; empty if a requested
            output cannot run.
    """

    prompt: Prompt
    outputs: tuple[str, ...]
    error: Problem | None
    node_errors: Mapping[str, NodeProblems]
    ordered: Sequence[str] = ()

    def node_errors_json(self) -> dict[str, Any]:
        """As the API sends it, also for a prompt that was accepted."""
        return {node_id: each.to_json() for node_id, each in self.node_errors.items()}

    def to_json(self) -> dict[str, Any]:
        """The body of the API's refusal; only of use when there is an `error`."""
        error = self.error.to_json() if self.error else None
        return {"error": error, "node_errors": self.node_errors_json()}


def refusal(error: PromptError) -> dict[str, Any]:
    """The body of the API's response to a prompt that could not be parsed."""
    problem = Problem(error.kind, str(error), error.details)
    return {"error": problem.to_json(), "node_errors": {}}
