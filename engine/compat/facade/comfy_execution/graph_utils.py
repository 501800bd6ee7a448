"""Graphs that nodes return, and values that block."""

from engine.compat.core_nodes.graph_building import (
    ExecutionBlocker,
    GraphBuilder,
    Node,
    add_graph_prefix,
    is_link,
)
