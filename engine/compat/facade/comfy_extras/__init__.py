"""Built-in nodes under the modules that plugins import; see `engine.compat.core_nodes`."""

from engine.compat.core_nodes.plugin_names import submodule as __getattr__
