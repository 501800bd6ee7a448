"""Puts itself first on `sys.path`, where another pack has modules of the same names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
for _name in ("utils", "helper_of_faults"):
    sys.modules.pop(_name, None)
import helper_of_faults  # noqa: E402 - found by what is above

from . import nodes  # noqa: E402

assert helper_of_faults.OWNER == "b"
NODE_CLASS_MAPPINGS = {"FaultSameB": nodes.Same}
