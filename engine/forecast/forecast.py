"""What a run would do: which nodes run and which are cached, how long, how much memory.

A mirror of the results that the worker has cached, and the costs of past runs. The worker is never
queried: it reports changes, so a forecast is immediate even while it loads a model. Thread-safe.
Independent of HTTP and of processes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import inf
from typing import Any, Literal

import msgspec

from engine.errors import CalotypeError, FilesError
from engine.files import Files
from engine.forecast.costs import Costs
from engine.forecast.node_states import keys_of, predict_states
from engine.forecast.studied import StudiedPrompt
from engine.forecast.work import Work, works
from engine.graph.order import order
from engine.graph.prompt import Prompt, is_list, is_mapping, parse
from engine.graph.schema import Catalog
from engine.graph.signature import Signature
from engine.paths import split_annotation
from engine.store.costs import CostRow, CostStore
from engine.store.entries import Entry
from engine.wire.messages import CacheChanged, Finished, NodeOutput, Signatures

MOST_KEYS = 50_000
ForecastEvent = Signatures | Finished | NodeOutput
"""The events of a run that a forecast learns from."""
_LOGGER = logging.getLogger(__name__)


class NodePlan(msgspec.Struct, frozen=True):
    """What a run would do with one node, and what that took lately; null where unknown."""

    state: Literal["run", "maybe", "cached", "unneeded"]
    seconds: float | None
    memory: int | None


class Plan(msgspec.Struct, frozen=True):
    """What a run would do. `seconds` is of the nodes that run and are known, `unknown` the rest."""

    nodes: dict[str, NodePlan]
    run: int
    cached: int
    seconds: float | None
    memory: int | None
    unknown: int


NO_PLAN = Plan({}, 0, 0, None, None, 0)


@contextmanager
def _never_failing(what: str) -> Generator[None]:
    """Log an exception and continue: a forecast is a convenience, a run is not."""
    try:
        yield
    except Exception:
        _LOGGER.exception("forecast: %s; runs go on without it", what)


class Forecast:
    """Forecasts runs, from the events of the worker. Nothing here raises to the caller.

    Args:
        catalog: gives the nodes as they are now.
        files: the user's folders.
        store: where costs are stored.
    """

    def __init__(self, catalog: Callable[[], Catalog], files: Files, store: CostStore) -> None:
        self._catalog = catalog
        self._files = files
        self._store = store
        self._costs = Costs()
        self._lock = threading.Lock()
        self._held: set[Signature] = set()
        self._signatures: dict[Signature, Signature] = {}
        self._shown: dict[Signature, tuple[Mapping[str, object], ...]] = {}
        self._works: dict[str, Work] | None = {}
        """Of the running prompt; None until one of its nodes has finished, if that is quick."""
        self._running: tuple[Prompt, Sequence[str]] | None = None
        self._keys: dict[str, Signature] = {}
        self._learnt: dict[tuple[Work, bool], CostRow] = {}
        self._latest: tuple[StudiedPrompt, Catalog, dict[str, Signature]] | None = None
        """Of a quick prompt, whose keys depend on no file."""

    async def load(self) -> None:
        """Read what past runs cost."""
        with _never_failing("what past runs cost could not be read"):
            self._costs = Costs(reversed(await self._store.load()))

    def begin_process(self) -> None:
        """A fresh worker holds nothing."""
        self._costs.decay()
        with self._lock:
            self._held.clear()
            self._signatures.clear()
            self._shown.clear()

    async def begin(self, entry: Entry) -> None:
        """A prompt is about to be sent to the worker."""
        self._forget_running()
        # What is wrong with a prompt is reported by the worker.
        with _never_failing("a prompt could not be foreseen"), suppress(CalotypeError):
            self._works, self._keys = await asyncio.to_thread(self._study_with_works, entry)

    def begin_quick(self, entry: Entry) -> bool:
        """`begin` for a prompt that takes no thread; False where nothing was done."""
        studied, catalog = entry.studied, self._catalog()
        if not isinstance(studied, StudiedPrompt) or not studied.is_quick:
            return False
        self._forget_running()
        with _never_failing("a prompt could not be foreseen"):
            latest = self._latest
            if latest is None or latest[0] is not studied or latest[1] is not catalog:
                _, keys = self._study(entry)
                latest = self._latest = (studied, catalog, keys)
            self._running, self._keys = (studied.prompt, studied.ordered), latest[2]
        return True

    def observe(self, event: ForecastEvent) -> None:
        """Learn from an event of the running prompt."""
        with _never_failing("what a node cost could not be noted"):
            if isinstance(event, Signatures):
                self._note(event.signatures)
            elif isinstance(event, Finished):
                self._learn(event)
            else:
                self._note_files(event)

    def update_cached(self, change: CacheChanged) -> None:
        """The set of cached results has changed."""
        with self._lock:
            self._held.update(change.added)
            self._held.difference_update(change.dropped)

    def end(self) -> None:
        """A prompt has ended: its costs are stored in the background."""
        learnt, self._learnt = self._learnt, {}
        if learnt:
            with _never_failing("what a run cost could not be kept"):
                self._store.save([*learnt.values()], time.time())

    def plan(self, prompt: Prompt, wanted: Sequence[str]) -> Plan:
        """What a run of a valid prompt for these outputs would do; `NO_PLAN` where that fails."""
        if wanted:
            with _never_failing("a plan could not be made"):
                return self._plan(prompt, wanted)
        return NO_PLAN

    def _plan(self, prompt: Prompt, wanted: Sequence[str]) -> Plan:
        catalog = self._catalog()
        ordered = order(prompt, wanted)
        keys = keys_of(prompt, catalog, ordered, self._stamp)
        with self._lock:
            known = {each for each in ordered if self._signatures.get(keys[each]) in self._held}
            shown = {each: self._shown[keys[each]] for each in known if keys[each] in self._shown}
        # The worker makes a result again whose files were deleted.
        known.difference_update(
            each for each, items in shown.items() if not all(map(self._files.has_shown, items))
        )
        states = predict_states(prompt, catalog, wanted, ordered, known.__contains__)
        twins: set[Signature] = set()
        for each in ordered:
            if states[each] == "run" and keys[each] in twins:
                states[each] = "cached"
            twins.add(keys[each])
        return self._sum_up(states, works(prompt, catalog, ordered))

    def _learn(self, event: Finished) -> None:
        if self._works is None and self._running is not None:
            prompt, ordered = self._running
            self._works = works(prompt, self._catalog(), ordered)
        work = (self._works or {}).get(event.node.id)
        if work is not None and 0 < event.seconds < inf:
            row = self._costs.learn(work, event.seconds, event.memory)
            self._learnt[work, row.warm] = row

    def _sum_up(self, states: Mapping[str, Any], work: Mapping[str, Work]) -> Plan:
        nodes: dict[str, NodePlan] = {}
        for node_id, state in states.items():
            if node_id in work:
                cost = self._costs.of(work[node_id])
                nodes[node_id] = NodePlan(state, cost.seconds, cost.memory)
            else:
                nodes[node_id] = NodePlan(state, None, None)
        run = [each for each in nodes.values() if each.state == "run"]
        seconds = [each.seconds for each in run if each.seconds is not None]
        memory = [each.memory for each in run if each.memory is not None]
        return Plan(
            nodes,
            run=len(run),
            cached=sum(each.state == "cached" for each in nodes.values()),
            seconds=sum(seconds) if seconds else None,
            memory=max(memory, default=None),
            unknown=len(run) - len(seconds),
        )

    def _forget_running(self) -> None:
        self._works, self._keys, self._running = None, {}, None

    def _study(self, entry: Entry) -> tuple[tuple[Prompt, Sequence[str]], dict[str, Signature]]:
        studied, catalog = entry.studied, self._catalog()
        if isinstance(studied, StudiedPrompt):
            prompt, ordered = studied.prompt, studied.ordered
        else:
            prompt, ordered = parse(entry.prompt), ()
        ordered = ordered or order(prompt, entry.wanted)
        return (prompt, ordered), keys_of(prompt, catalog, ordered, self._stamp)

    def _study_with_works(self, entry: Entry) -> tuple[dict[str, Work], dict[str, Signature]]:
        (prompt, ordered), keys = self._study(entry)
        return works(prompt, self._catalog(), ordered), keys

    def _note(self, signatures: Mapping[str, Signature]) -> None:
        """Remember under which keys a run's results can be found."""
        with self._lock:
            if len(self._signatures) > MOST_KEYS:
                kept = self._held
                self._signatures = {k: s for k, s in self._signatures.items() if s in kept}
                self._shown = {k: f for k, f in self._shown.items() if k in self._signatures}
            self._signatures.update(
                (key, signatures[each]) for each, key in self._keys.items() if each in signatures
            )

    def _note_files(self, event: NodeOutput) -> None:
        """Remember which files a node's result shows."""
        key = self._keys.get(event.node.id)
        lists = [each for each in (event.shown or {}).values() if is_list(each)]
        items = tuple(item for each in lists for item in each if is_mapping(item))
        if key is not None and items:
            with self._lock:
                self._shown[key] = items

    def _stamp(self, kind: str, name: str) -> object:
        """The state of a file, found without listing folders: this is called often."""
        name, place = split_annotation(name)
        with suppress(OSError, ValueError, FilesError):
            path = self._files.locate(place or kind, name)
            if path is not None:
                state = path.stat()
                return (str(path), state.st_mtime_ns, state.st_size)
        return None
