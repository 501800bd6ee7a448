"""Context windows."""

from engine.compat.host.context_windows import ContextFuseMethods, ContextSchedules
