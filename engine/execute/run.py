"""One run of a graph, step by step: signatures, cached results, dependencies, calls.

A node is *demanded* when something needs its outputs, *parked* while its coroutines are awaited,
and *settled* when its outputs are there. Values are not inspected.
"""

from __future__ import annotations

from asyncio import Task
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import Any

from engine.errors import NodeError, Stopped, error_text, is_from_user
from engine.execute.cache import NodeResult
from engine.execute.calls import Running, begin, merge, merge_shown
from engine.execute.consumers import Consumers
from engine.execute.coroutines import Coroutines
from engine.execute.expansion import ExpandedCall, Expanding, collect
from engine.execute.failures import NodeFailure, explained, failure
from engine.execute.inputs import ClassInfo, Inputs, blocked, calls, gather
from engine.execute.live import GrowingGraph
from engine.execute.run_results import Outputs, RunResults
from engine.execute.run_services import RunServices
from engine.execute.schedule import Schedule
from engine.execute.signer import Signer
from engine.graph.order import order
from engine.graph.prompt import Link, Prompt
from engine.graph.signature import Signature
from engine.nodekit.node import Outcome
from engine.wire import messages
from engine.wire.messages import NodeRef

NO_SIGNATURES: Mapping[str, Signature] = MappingProxyType({})
_TICK = 0.05
"""Seconds between two checks of the stop button while every node is pending."""
_NAMED = 10


class GraphRun:
    """The state of one run. `executor.execute` creates, runs and closes it.

    Attributes:
        shown: what output nodes showed, by node id.
        executed: the nodes called so far, in the order they finished.
    """

    def __init__(self, prompt: Prompt, given: RunServices) -> None:
        self.shown: dict[str, Mapping[str, Any]] = {}
        self.executed: list[str] = []
        self._given = given
        self._graph = GrowingGraph(prompt)
        self._nodes = self._graph.prompt.nodes
        self._coroutines = Coroutines()
        self._signer = Signer(self._graph, given, self._coroutines, self.executed)
        self._signatures = self._signer.signatures
        self._results = RunResults(given.cache, given.files_exist)
        outputs = Outputs(self._results, self._signer)
        self._outputs = outputs.by_node
        self._ranks: dict[str, int] = {}
        self._schedule = Schedule(self._ranks)
        self._consumers = Consumers(
            self._nodes,
            demanded=self._schedule,
            settled=self._outputs,
            on_live=outputs.use,
            on_unused=outputs.release,
        )
        self._begun: dict[Signature, str] = {}
        self._parked: dict[str, Running] = {}
        self._awaited: dict[Task[Outcome], str] = {}
        self._expanding: dict[str, Expanding] = {}
        self._asked: dict[str, set[str]] = {}
        self._current: str | None = None

    def sign(self, ordered: Iterable[str], known: Mapping[str, Signature] = NO_SIGNATURES) -> None:
        """Sign these nodes, each of which comes after its sources; they are called in this order.

        Args:
            ordered: the nodes.
            known: signatures that need not be computed again.

        Raises:
            NodeFailure: there is no class of that name, or it cannot be read.
        """
        for node_id in ordered:
            self._ranks.setdefault(node_id, len(self._ranks))
            self._signer.sign(node_id, known.get(node_id))

    def cached_nodes(self, ordered: Sequence[str]) -> tuple[str, ...]:
        """Those of these nodes whose results an earlier run cached."""
        return tuple(
            node_id
            for node_id in ordered
            if self._results.is_cached(self._signatures[node_id])
            or (self._record(node_id) and not self._takers(node_id, ordered))
        )

    def signatures(self) -> dict[str, Signature]:
        """The signatures so far, by node id."""
        return dict(self._signatures)

    def demand(self, wanted: Sequence[str]) -> None:
        """Ensure that these nodes, and what they need, will be settled.

        A node whose outputs were evicted is not called to show its result again, unless another
        node takes its outputs.
        """
        self._consumers.want(wanted)
        records = {each: self._record(each) for each in wanted if each not in self._outputs}
        self._demand([each for each in wanted if records.get(each) is None])
        for node_id, record in records.items():
            if record and node_id not in self._outputs and node_id not in self._schedule:
                self._show(node_id, record)
                self._consumers.settle(node_id)

    def _demand(self, wanted: Iterable[str]) -> None:
        stack = [*dict.fromkeys(wanted)][::-1]
        self._consumers.add(stack)
        while stack:
            node_id = stack.pop()
            if node_id in self._outputs or node_id in self._schedule:
                continue
            result = self._results.find(self._signatures[node_id])
            if result is not None:
                self._settle_cached(node_id, result)
                continue
            info = self._signer.info(node_id)
            sources = [
                value.node
                for name, value in self._nodes[node_id].inputs.items()
                if type(value) is Link and not info.is_lazy(name) and name not in info.raw
            ]
            stack += self._wait(node_id, sources)

    def work(self) -> None:
        """Call nodes until everything that was demanded is settled.

        Raises:
            NodeFailure: a node raised.
            Stopped: the user pressed stop.
        """
        stopped, following = self._given.stopped, self._schedule.next
        while True:
            self._current = None
            if stopped():
                raise Stopped
            node_id = following()
            if node_id is not None:
                self._current = node_id
                self._guarded(node_id, self._visit)
            elif not self._parked:
                break
            if self._parked:
                self._turn(0 if node_id is not None else _TICK)
        stuck = list(self._schedule)[:_NAMED]
        if stuck:
            waiting = f"{', '.join(stuck)} wait for each other; an expansion needs its own outcome"
            raise self._failure(stuck[0], NodeError(waiting))

    def current(self) -> tuple[NodeRef | None, str | None]:
        """The node being called, and its class."""
        if self._current is None:
            return None, None
        return self._graph.node_ref(self._current), self._nodes[self._current].class_type

    def close(self) -> None:
        """Cancel what is still awaited."""
        self._coroutines.close()

    def _guarded(self, node_id: str, step: Callable[[str], None]) -> None:
        """Run a step of a node; what it raises, except for a stop, is the node's failure."""
        try:
            step(node_id)
        except (Stopped, NodeFailure):
            raise
        except (Exception, SystemExit) as error:
            raise self._failure(node_id, error) from error
        except KeyboardInterrupt as error:
            if is_from_user(error):
                raise
            raise self._failure(node_id, NodeError(error_text(error))) from error

    def _failure(self, node_id: str, error: Exception | SystemExit) -> NodeFailure:
        running = self._parked.get(node_id)
        inputs: Inputs = running.inputs if running else {}
        info = self._signer.infos.get(self._nodes[node_id].class_type)
        if info is not None and not running:
            try:
                asked = self._asked.get(node_id, ())
                inputs = gather(self._nodes[node_id], info, self._outputs, asked)
            except NodeError:
                inputs = {}
        return failure(
            self._given.prompt_id,
            self._graph.node_ref(node_id),
            self._nodes[node_id].class_type,
            error,
            inputs=inputs,
            executed=self.executed,
            message=explained(error, self._given.explain),
        )

    def _record(self, node_id: str) -> NodeResult | None:
        """What an output node showed in an earlier run, where its outputs were evicted since."""
        if not self._signer.info(node_id).schema.is_output:
            return None
        return self._results.record(self._signatures[node_id])

    def _takers(self, node_id: str, ordered: Iterable[str]) -> bool:
        """Whether some of these nodes take outputs of a node."""
        links = (link for each in ordered for _, link in self._nodes[each].links())
        return any(link.node == node_id for link in links)

    def _wait(self, node_id: str, sources: Iterable[str]) -> list[str]:
        """Let a node wait for those of the sources that are not settled, and return them."""
        outputs = self._outputs
        missing = [source for source in sources if source not in outputs]
        self._schedule.wait(node_id, missing)
        return missing

    def _demand_for(self, node_id: str, sources: Sequence[str], also: Sequence[str] = ()) -> None:
        """Demand nodes that may be new: a node waits for `sources`, and not for `also`."""
        signatures, nodes = self._signatures, self._nodes
        wanted = [*also, *sources]
        unsigned = [each for each in wanted if each not in signatures]
        if unsigned:

            def counts(node_id: str, name: str) -> bool:
                return nodes[node_id].inputs[name].node not in signatures

            self.sign(order(self._graph.prompt, unsigned, counts=counts))
        if node_id in self._expanding:
            self._consumers.hold(sources)  # until `_collect`
        self._wait(node_id, sources)
        self.demand(also)
        self._demand(sources)

    def _visit(self, node_id: str) -> None:
        """All dependencies of a node are done: call it, unless its result is cached."""
        expanding = self._expanding.pop(node_id, None)
        if expanding is not None:
            self._collect(node_id, expanding)
            return
        result = self._results.find(self._signatures[node_id])
        if result is not None:
            self._settle_cached(node_id, result)
            return
        signature = self._signatures[node_id]
        twin = self._begun.get(signature)
        if twin is not None:
            self._wait(node_id, [twin])
            return
        info = self._signer.info(node_id)
        inputs = self._inputs(node_id, info)
        if inputs is None:
            return
        self._begun[signature] = node_id
        given, running = self._given, Running(node_id, info, inputs)
        given.report(messages.Running(given.prompt_id, self._graph.node_ref(node_id)))
        begin(
            running,
            lambda index: given.context(node_id, self._graph, index),
            self._coroutines.start,
            given.retry,
        )
        if running.over:
            self._coroutines.forget(running.tasks)
            self._finish(running)
        else:
            self._parked[node_id] = running
            running.unfinished = len(running.tasks)
            self._awaited.update(dict.fromkeys(running.tasks, node_id))

    def _inputs(self, node_id: str, info: ClassInfo) -> Inputs | None:
        """A node's inputs; None while it waits for lazy ones that it requested.

        Lazy inputs that it did not request are None, whether or not something else evaluated them,
        so that a result does not depend on what else is in the graph.
        """
        node = self._nodes[node_id]
        if not info.traits.chooses:
            return gather(node, info, self._outputs)
        asked = self._asked.setdefault(node_id, set())
        while True:
            inputs = gather(node, info, self._outputs, asked)
            more: set[str] = set()
            for index, arguments in enumerate(calls(inputs, info)):
                if blocked(arguments, info) is None:
                    answer = info.node.needed(
                        arguments, self._given.context(node_id, self._graph, index)
                    )
                    more.update(self._coroutines.now(answer))
            more &= info.lazy - asked
            if not more:
                return inputs
            asked |= more
            links = [node.inputs.get(name) for name in node.inputs if name in more]
            sources = [each.node for each in links if type(each) is Link]
            missing = [source for source in sources if source not in self._outputs]
            if missing:
                self._demand_for(node_id, missing)
                return None

    def _turn(self, seconds: float) -> None:
        """Let parked nodes continue, and finish those that are done."""
        for task in self._coroutines.turn(seconds):
            node_id = self._awaited.pop(task, None)
            running = self._parked.get(node_id) if node_id is not None else None
            if node_id is None or running is None:
                continue
            running.unfinished -= 1
            if running.unfinished and not task.cancelled() and task.exception() is None:
                continue
            self._current = node_id
            self._guarded(node_id, lambda _, running=running: self._finish(running))
            self._parked.pop(node_id)

    def _finish(self, running: Running) -> None:
        """A node's calls are over."""
        node_id, info, given = running.node_id, running.info, self._given
        seconds = perf_counter() - running.began
        outcomes = running.outcomes()
        if running.block is not None:
            place = self._graph.node_ref(node_id)
            given.report(
                messages.Blocked(given.prompt_id, place, info.schema.class_type, running.block)
            )
        shown = merge_shown(running, outcomes)
        if any(outcome.expansion is not None for outcome in outcomes):
            self._expand(node_id, Expanding(info, [*outcomes], [], shown, seconds))
            return
        outputs = merge([outcome.values for outcome in outcomes], info)
        self._settle(node_id, NodeResult(outputs, shown, seconds))

    def _expand(self, node_id: str, expanding: Expanding) -> None:
        """Replace a node by its expansion, and wait for the sources of its outputs."""
        showing: list[str] = []
        for index, outcome in enumerate(expanding.answers):
            if isinstance(outcome, Outcome) and outcome.expansion is not None:
                added, result = self._graph.grow(node_id, index, outcome.expansion)
                expanding.answers[index] = ExpandedCall(result)
                self._ranks.update(dict.fromkeys(added, self._ranks[node_id]))
                expanding.sources.extend(each.node for each in result if isinstance(each, Link))
                showing += [each for each in added if self._signer.info(each).schema.is_output]
        self._expanding[node_id] = expanding
        self._demand_for(node_id, list(dict.fromkeys(expanding.sources)), also=showing)

    def _collect(self, node_id: str, expanding: Expanding) -> None:
        """All that a node expanded to is settled: its outputs are there."""
        seconds = expanding.seconds + sum(
            self._results.seconds(self._signatures[each]) for each in set(expanding.sources)
        )
        outputs = collect(expanding.answers, expanding.info, self._outputs)
        self._settle(node_id, NodeResult(outputs, expanding.shown, seconds))
        self._consumers.drop(dict.fromkeys(expanding.sources))

    def _settle(self, node_id: str, result: NodeResult) -> None:
        """A node was called and has its outputs."""
        given, signature = self._given, self._signatures[node_id]
        self._results.put(signature, result)
        self._outputs[node_id] = result.outputs
        self._begun.pop(signature, None)
        self.executed.append(node_id)
        place = self._graph.node_ref(node_id)
        if result.shown:
            self._show(node_id, result)
        given.report(messages.Finished(given.prompt_id, place, result.seconds))
        self._schedule.settle(node_id)
        self._consumers.settle(node_id)

    def _settle_cached(self, node_id: str, result: NodeResult) -> None:
        """A node need not be called; an output node shows its result again."""
        self._outputs[node_id] = result.outputs
        if self._signer.info(node_id).schema.is_output:
            self._show(node_id, result)
        self._schedule.settle(node_id)
        self._consumers.settle(node_id)

    def _show(self, node_id: str, result: NodeResult) -> None:
        shown = dict(result.shown) if result.shown else None
        if shown is not None:
            self.shown[node_id] = shown
        given = self._given
        given.report(messages.NodeOutput(given.prompt_id, self._graph.node_ref(node_id), shown))
