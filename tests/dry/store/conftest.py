"""A queue whose prompts are begun and ended one at a time, as by a worker."""

import json

import pytest

from engine.store.queue import Queue


class SteppedQueue(Queue):
    """The queue, with the operations of the server."""

    async def claim_next(self, now):
        """Begin the next prompt, and return it; None where there is none."""
        following = await self.next()
        if following.entry is not None:
            assert self.claim(following)
            recorded = await self.record({following.entry.id: now}, [])
            if recorded.error is not None:
                raise recorded.error
        return following.entry

    async def finish(self, end):
        """Record an end; returns whether that changed anything."""
        before = await self._state(end.id)
        recorded = await self.record({}, [end])
        if recorded.error is not None:
            raise recorded.error
        return before == "running"

    async def ids(self, state="queued"):
        return [item[1] for item in json.loads(await self.items(state))]

    async def _state(self, name):
        found = await self.entry(name)
        return None if found is None else found.state


@pytest.fixture
def stepped():
    return SteppedQueue
