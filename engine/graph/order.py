"""Which nodes come before which.

Uses links and ids only. Loops, no recursion: a chain may be as long as memory allows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from engine.errors import CircleError, PromptError
from engine.graph.prompt import Prompt

Counts = Callable[[str, str], bool]
"""Given a node id and the name of a linked input: whether that link counts."""
OnCircle = Callable[[str, str, Collection[str]], None]
"""Given a node, one of its sources that itself needs the node, and the path from a requested node
down to the node: called for a circle, whose last link is then left out."""


def order(
    prompt: Prompt,
    wanted: Iterable[str],
    *,
    counts: Counts | None = None,
    on_circle: OnCircle | None = None,
) -> list[str]:
    """The requested nodes and all that they need, each after what it needs.

    The same prompt and the same `wanted` give the same order: depth first, inputs in the order they
    were given. Links for which `counts` returns False are not followed.

    Raises:
        CircleError: the links that count run in a circle, and there is no `on_circle`.
        PromptError: a requested node, or the source of a link, is not in the prompt.
    """
    done: list[str] = []
    finished: set[str] = set()
    for node_id in wanted:
        if node_id not in prompt.nodes:
            raise PromptError(f"node {node_id} was asked for, but the prompt does not hold it")
        if node_id not in finished:
            _visit(prompt, node_id, counts, on_circle or _refuse, done, finished)
    return done


def circle(path: Collection[str], source: str) -> list[str]:
    """The circle in the direction in which values flow, starting and ending at `source`.

    `path` runs against the links, from a node to what it needs; its last node needs `source`.
    """
    against = list(path)
    return [source, *reversed(against[against.index(source) :])]


def _visit(
    prompt: Prompt,
    start: str,
    counts: Counts | None,
    on_circle: OnCircle,
    done: list[str],
    finished: set[str],
) -> None:
    """Append `start` and its unfinished ancestors to `done`, sources first."""
    path: dict[str, Iterator[str]] = {start: _sources(prompt, start, counts)}
    while path:
        current, sources = next(reversed(path.items()))
        for source in sources:
            if source in path:
                on_circle(current, source, path.keys())
            elif source not in finished:
                path[source] = _sources(prompt, source, counts)
                break
        else:
            path.popitem()
            finished.add(current)
            done.append(current)


def _sources(prompt: Prompt, node_id: str, counts: Counts | None) -> Iterator[str]:
    for name, link in prompt.nodes[node_id].links():
        if counts is not None and not counts(node_id, name):
            continue
        if link.node not in prompt.nodes:
            raise PromptError(
                f"input {name} of node {node_id} takes its value from node {link.node}, "
                "which the prompt does not hold",
                details=f"Node ID '#{node_id}', {name}",
            )
        yield link.node


def _refuse(_node_id: str, source: str, path: Collection[str]) -> None:
    raise CircleError(circle(path, source))
