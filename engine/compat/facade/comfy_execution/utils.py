"""Which node is running."""

from engine.compat.core_nodes.execution_state import (
    CurrentNodeContext,
    ExecutionContext,
    get_executing_context,
)
