"""The progress that plugins report."""

from engine.compat.core_nodes.execution_state import (
    NodeState,
    ProgressHandler,
    ProgressRegistry,
    add_progress_handler,
    get_progress_state,
    reset_progress_state,
)
