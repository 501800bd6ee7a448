"""JSON values."""

from engine.compat.host.small_modules import merge_json_recursive
