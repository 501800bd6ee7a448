"""The editor's settings: one JSON object in `settings.json`, written atomically."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.atomic import write_atomically
from engine.errors import FilesError


class Preferences:
    """The settings of the one user."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def read(self) -> dict[str, Any]:
        """All of them; none where there is no file yet.

        Raises:
            FilesError: the file is damaged.
        """
        return await asyncio.to_thread(self._read)

    async def merge(self, changes: Mapping[str, Any]) -> None:
        """Change some.

        Raises:
            FilesError: the file is damaged, or cannot be written.
        """
        async with self._lock:
            found = {**await self.read(), **changes}
            content = json.dumps(found, indent=2, ensure_ascii=False).encode("utf-8")
            await asyncio.to_thread(write_atomically, self._path, content)

    def _read(self) -> dict[str, Any]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            raise FilesError(
                f"{self._path.name} cannot be read: {type(error).__name__}; mend or remove it"
            ) from error
