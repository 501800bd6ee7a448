"""`comfy_execution.validation`: which outputs may be joined to which inputs."""

from __future__ import annotations

from typing import Any

from engine.graph.sockets import joins


def validate_node_input(received_type: Any, input_type: Any, strict: bool = False) -> bool:
    """Whether an output of one type, or union, may be joined to an input of another.

    Args:
        received_type: the output's type.
        input_type: the input's.
        strict: every type the output may have must be one that the input takes.
    """
    if strict and isinstance(received_type, str) and isinstance(input_type, str):
        given = {each.strip() for each in received_type.split(",")}
        taken = {each.strip() for each in input_type.split(",")}
        if "*" not in given | taken:
            return given <= taken
    return joins(received_type, input_type)
