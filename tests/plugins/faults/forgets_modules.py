"""Deletes modules that others have imported: the host's, ours, Python's."""

import sys

for _name in [*sys.modules]:
    if _name.partition(".")[0] in {"nodes", "folder_paths", "server", "engine", "json", "comfy"}:
        del sys.modules[_name]
sys.path.clear()
NODE_CLASS_MAPPINGS = {}
