"""The graph of a run."""

from engine.compat.core_nodes.execution_state import (
    DependencyCycleError,
    DynamicPrompt,
    NodeNotFoundError,
)
from engine.compat.core_nodes.graph_building import ExecutionBlocker, is_link
