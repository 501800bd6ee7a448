"""Which outputs may be joined to which inputs."""

from engine.compat.core_nodes.joining import validate_node_input
