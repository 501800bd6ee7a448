"""`PromptServer.instance.prompt_queue`: the server's queue and history, under a plugin's names.

The queue is in the server process: each call asks it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.compat.serving.link import ServerLink
from engine.wire.messages import Run

Item = tuple[Any, ...]
"""`(number, prompt id, prompt, extra data, outputs, secrets)`."""


class PromptQueue:
    """What plugins do with the queue.

    Attributes:
        mutex: for plugins that take it; nothing of ours does.
        flags: what plugins have set and nobody has taken.
    """

    def __init__(self, server: Any, link: ServerLink) -> None:
        self.server = server
        self.mutex = threading.RLock()
        self.not_empty = threading.Condition(self.mutex)
        self.flags: dict[str, Any] = {}
        self._link = link
        self._running: dict[int, Item] | None = {}
        self._job: Run | None = None

    @property
    def currently_running(self) -> dict[int, Item]:
        """The prompt that runs, under some number; empty between two."""
        if self._running is None:
            self._running = {} if self._job is None else {0: item_of(self._job)}
        return self._running

    @property
    def queue(self) -> list[Item]:
        """The pending prompts."""
        return self.get_current_queue()[1]

    @property
    def history(self) -> dict[str, Any]:
        """The prompts that have ended, by id, oldest first."""
        return self.get_history()

    @property
    def task_counter(self) -> int:
        """How many prompts have begun in this process."""
        return int(self.server.number)

    def set_running(self, job: Run | None) -> None:
        """A prompt begins, or None: it has ended."""
        self._job, self._running = job, None

    def put(self, item: Sequence[Any]) -> None:
        """Queue a prompt; it is checked like any other.

        Raises:
            RuntimeError: it cannot run, with the reason.
        """
        number, prompt_id, prompt, extra, outputs = item[:5]
        value = {
            "number": number,
            "prompt_id": prompt_id,
            "prompt": prompt,
            "extra_data": extra or {},
            "client_id": (extra or {}).get("client_id"),
            "partial_execution_targets": list(outputs) or None,
        }
        self._link.ask("put", value)

    def get_tasks_remaining(self) -> int:
        """How many prompts are pending or run."""
        return self._link.ask("remaining") or 0

    def get_current_queue(self) -> tuple[list[Item], list[Item]]:
        """The running prompts, and the pending ones."""
        found = self._link.ask("queue") or {"queue_running": [], "queue_pending": []}
        running, pending = ([(*each, {}) for each in found[key]] for key in sorted(found)[::-1])
        return running, pending

    def get_current_queue_volatile(self) -> tuple[list[Item], list[Item]]:
        """The same."""
        return self.get_current_queue()

    def get_history(
        self,
        prompt_id: str | None = None,
        max_items: int | None = None,
        offset: int = -1,
        map_function: Callable[[Any], Any] | None = None,
    ) -> dict[str, Any]:
        """The prompts that have ended, by id, oldest first; or only this one."""
        value = {"prompt_id": prompt_id, "max_items": max_items, "offset": offset}
        found: dict[str, Any] = self._link.ask("history", value) or {}
        if map_function is not None:
            return {key: map_function(each) for key, each in found.items()}
        return found

    def wipe_queue(self) -> None:
        """Delete all pending prompts."""
        self._link.ask("delete_queue", {"clear": True})

    def delete_queue_item(self, function: Callable[[Item], bool]) -> bool:
        """Delete the first pending prompt that the function accepts; whether there was one."""
        found = next((each for each in self.queue if function(each)), None)
        if found is not None:
            self._link.ask("delete_queue", {"delete": [found[1]]})
        return found is not None

    def wipe_history(self) -> None:
        """Delete the history."""
        self._link.ask("delete_history", {"clear": True})

    def delete_history_item(self, id_to_delete: str) -> None:
        """Delete one prompt of it."""
        self._link.ask("delete_history", {"delete": [id_to_delete]})

    def set_flag(self, name: str, data: Any) -> None:
        """`unload_models`, `free_memory`: done as soon as nothing runs. Others are kept."""
        if name in {"unload_models", "free_memory"}:
            if data:
                self._link.ask("free", {name: True})
            return
        self.flags[name] = data

    def get_flags(self, reset: bool = True) -> dict[str, Any]:
        """The flags that plugins have set."""
        found = dict(self.flags)
        if reset:
            self.flags.clear()
        return found


def item_of(job: Run) -> Item:
    """A running prompt as plugins read it."""
    extra: dict[str, Any] = {"extra_pnginfo": msgspec.json.decode(job.extra)}
    if job.client is not None:
        extra["client_id"] = job.client
    prompt = msgspec.json.decode(job.prompt)
    return (job.number, job.prompt_id, prompt, extra, list(job.outputs), {})
