"""Names of the host that a pack needs while it is imported, and that nobody has known before.

Packs are ahead of the version that `known_names.json` describes. A name that is missing where the
pack does not catch it would cost the whole pack; so the import is tried again with a placeholder of
that name, which raises when it is called. Packs that do catch it never come here, and other packs
do not see it: that the name is missing is how they choose what to do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

from engine.compat import placeholders

_MOST = 40
_NOT_IN_MODULE = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
T = TypeVar("T")


def with_placeholders(import_it: Callable[[], T], warn: Callable[[str], None]) -> T:
    """What `import_it` returns, tried again for each name of the host that it lacks.

    Args:
        import_it: imports a pack; leaves nothing of it where it raises.
        warn: gets a sentence for each name.

    Raises:
        BaseException: what it raised, where no further name is the reason.
    """
    lent: list[tuple[str, str]] = []
    try:
        while True:
            try:
                found = import_it()
            except (ImportError, AttributeError) as error:
                missing = _missing(error)
                if missing is None or missing in lent or len(lent) == _MOST:
                    raise
                lent.append(missing)
                placeholders.lend(*missing)
            else:
                for module, name in lent:
                    full = f"{module}.{name}" if name else module
                    warn(f"it names {full}, which Calotype does not have: a call of it fails")
                return found
    finally:
        placeholders.take_back()


def _missing(error: ImportError | AttributeError) -> tuple[str, str] | None:
    """(module, name) that the host lacks; the name is empty for a whole module."""
    if isinstance(error, ModuleNotFoundError):
        name = error.name or ""
        return (name, "") if placeholders.is_below_the_host(name) else None
    if isinstance(error, AttributeError):
        module = error.obj
        if isinstance(module, placeholders.HostModule) and isinstance(module, ModuleType):
            return module.__name__, error.name or ""
        return None
    found = _NOT_IN_MODULE.search(str(error))
    if found is None or not isinstance(sys.modules.get(found[2]), placeholders.HostModule):
        return None
    return found[2], found[1]
