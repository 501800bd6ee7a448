"""Runs a graph: nodes with cached results are skipped, the others called, events reported.

Evaluates by demand, from the wanted nodes back along their links, with a count of each node's
pending dependencies; no recursion, so a chain may be as long as memory allows. Values are never
inspected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from time import time
from typing import Any

from engine.errors import Stopped
from engine.execute.cache import Cache
from engine.execute.calls import Explain, Retry
from engine.execute.failures import NodeFailure
from engine.execute.inputs import ClassInfo
from engine.execute.run import GraphRun
from engine.execute.run_services import RunServices
from engine.files import Files
from engine.graph.order import order
from engine.graph.prompt import Prompt
from engine.graph.signature import Signature
from engine.nodekit.registry import Registry
from engine.wire.messages import (
    AnyEvent,
    Cached,
    Ended,
    Interrupted,
    Signatures,
    Started,
    Succeeded,
)

Report = Callable[[AnyEvent], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A requested run.

    Attributes:
        prompt_id: how events name it.
        outputs: the nodes that are wanted; all they need is run too.
        extra: what the client sent along for pictures' metadata, `workflow` among it.
        ordered: the outputs and all they need, each after what it needs; empty where that is not
            known.
        previews: the method of samplers' previews, see `engine.wire.messages.Run`.
        signatures: of its nodes, where a run of the same prompt has found them, and no node has a
            fingerprint.
        metadata: whether the files that are saved carry how they were made.
    """

    prompt_id: str
    outputs: Sequence[str]
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ordered: Sequence[str] = ()
    previews: str = "none"
    signatures: Mapping[str, Signature] = field(default_factory=dict[str, Signature])
    metadata: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended.

    Attributes:
        end: the last event: `Succeeded`, `Failed` or `Interrupted`.
        shown: what output nodes showed, by node id.
        executed: the nodes that were called, in the order they finished.
    """

    end: Ended
    shown: Mapping[str, Mapping[str, Any]]
    executed: tuple[str, ...]


def never_stopped() -> bool:
    """The default of `stopped`."""
    return False


def execute(
    job: Job,
    prompt: Prompt,
    registry: Registry,
    cache: Cache,
    report: Report,
    *,
    files: Files,
    stopped: Callable[[], bool] = never_stopped,
    retry: Retry | None = None,
    explain: Explain | None = None,
    infos: dict[str, ClassInfo] | None = None,
) -> Result:
    """Run the wanted nodes of a valid prompt and all they need.

    The first node that raises ends the run. Everything else that can happen to it is an event too:
    `Started` is the first, and one of `Succeeded`, `Failed` and `Interrupted` the last.

    Args:
        job: what is wanted.
        prompt: literals coerced, as `validate` returns it.
        registry: the nodes by class.
        cache: results of earlier runs; those of this one are added.
        report: receives the events, in this thread.
        files: the user's folders, for nodes that use them.
        stopped: whether the user pressed stop; called between nodes, and by nodes.
        retry: called when a node raised; if true, that call is made once more.
        explain: a clearer message for the node's error that ends the run, or None.
        infos: what was read from classes in earlier runs; what this one reads is added.

    Raises:
        CircleError: the links form a cycle; nothing was reported.
        PromptError: a wanted node or the source of a link is missing; nothing was reported.
    """
    ordered = job.ordered or order(prompt, job.outputs)
    registry.forget_instances(lambda node_id: node_id.partition(".")[0] in prompt.nodes)
    given = RunServices(
        prompt_id=job.prompt_id,
        registry=registry,
        cache=cache,
        report=report,
        files=files,
        extra=job.extra,
        stopped=stopped,
        retry=retry,
        explain=explain,
        previews=job.previews,
        infos={} if infos is None else infos,
    )
    run = GraphRun(prompt, given)
    with cache.pinning():
        report(Started(job.prompt_id, time()))
        # In a separate context, so that no node remains the current one after the run.
        end = copy_context().run(_end, run, job, ordered, report)
        report(end)
    return Result(end, run.shown, tuple(run.executed))


def _end(run: GraphRun, job: Job, ordered: Sequence[str], report: Report) -> Ended:
    """Run, and return the final event."""
    try:
        run.sign(ordered, job.signatures)
        report(Signatures(job.prompt_id, run.signatures()))
        report(Cached(job.prompt_id, run.cached_nodes(ordered), time()))
        run.demand(job.outputs)
        run.work()
    except Stopped:
        node, class_type = run.current()
        return Interrupted(job.prompt_id, node, class_type, tuple(run.executed), time())
    except NodeFailure as failed:
        return failed.event
    finally:
        run.close()
    return Succeeded(job.prompt_id, time())
