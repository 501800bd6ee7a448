"""Whether a prompt can run, and if not, why not: the one validator.

Asks the catalog and, for combos of files, the folders. Runs no node and knows none. Loops, no
recursion: a chain may be as long as memory allows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from engine.graph.dynamic import concrete_inputs
from engine.graph.literals import Literals, shown
from engine.graph.object_info import ListFolder, input_entry
from engine.graph.order import circle, order
from engine.graph.problems import NodeProblems, Problem, Report
from engine.graph.prompt import BadLink, Link, Prompt, PromptNode
from engine.graph.schema import Catalog, InputSchema
from engine.graph.sockets import joins

Complain = Callable[[str, PromptNode], Iterable[str]]
"""A node's own check of its constants, where it has one: sentences, none when all is well."""

_NAMED = 10
"""So many classes, circles or nodes of a circle are named; a hostile prompt may hold thousands."""
_MOST_OUTPUTS = 100
"""So many failed outputs are listed with each node at fault, for the same reason."""


def validate(
    prompt: Prompt,
    catalog: Catalog,
    *,
    list_folder: ListFolder | None = None,
    wanted: Collection[str] | None = None,
    complain: Complain | None = None,
) -> Report:
    """Check every node that an output node needs.

    Args:
        prompt: what to run.
        catalog: what every class looks like.
        list_folder: the files to choose from; without it, combos of files are not checked.
        wanted: run no other output nodes than these; None for all.
        complain: asks a node's own check, for nodes in which nothing else is wrong.

    Returns:
        a report whose `error` is None when at least one output node can run.
    """
    missing = [key for key, node in prompt.nodes.items() if node.class_type not in catalog]
    if missing:
        return _refused(prompt, _missing_classes(prompt, missing))
    outputs = [
        key
        for key, node in prompt.nodes.items()
        if catalog[node.class_type].is_output and (wanted is None or key in wanted)
    ]
    if not outputs:
        return _refused(prompt, _no_outputs(wanted))
    return _Validation(prompt, catalog, Literals(list_folder), complain).report(outputs)


class _Validation:
    """One validation under way: what was found so far, by node id."""

    def __init__(
        self, prompt: Prompt, catalog: Catalog, literals: Literals, complain: Complain | None
    ) -> None:
        self._prompt = prompt
        self._catalog = catalog
        self._literals = literals
        self._complain = complain
        self._circles: dict[str, list[Problem]] = {}
        self._errors: dict[str, list[Problem]] = {}
        self._coerced: dict[str, PromptNode] = {}
        self._invalid: set[str] = set()

    def report(self, outputs: list[str]) -> Report:
        """Check what these outputs need, and sum up."""
        nodes = self._prompt.nodes
        ordered = order(
            self._prompt,
            outputs,
            counts=lambda node_id, name: nodes[node_id].inputs[name].node in nodes,
            on_circle=self._note_circle,
        )
        for node_id in ordered:
            self._check_node(node_id)
        good = tuple(key for key in outputs if key not in self._invalid)
        bad = [key for key in outputs if key in self._invalid]
        dependents = self._dependents(ordered, bad)
        errors = {
            key: NodeProblems(nodes[key].class_type, tuple(found), dependents[key])
            for key, found in self._errors.items()
        }
        coerced = Prompt({**nodes, **self._coerced}) if self._coerced else self._prompt
        return Report(coerced, good, None if good else _all_failed(errors), errors)

    def _note_circle(self, node_id: str, source: str, path: Collection[str]) -> None:
        named = len(self._circles) < _NAMED
        found = circle(path, source) if named else [source, node_id]
        self._circles.setdefault(node_id, []).append(_runs_in_circle(found))

    def _check_node(self, node_id: str) -> None:
        node = self._prompt.nodes[node_id]
        schema = self._catalog[node.class_type]
        found = self._circles.get(node_id, [])
        coerced: dict[str, Any] = {}
        inputs = node.inputs
        checks = schema.checks
        all_free = "*" in checks
        declared = concrete_inputs(schema, inputs)
        for given in declared:
            name = given.name
            if given.section == "hidden":
                continue
            if name not in inputs:
                if given.section == "required":
                    found.append(_required(name))
                continue
            value = inputs[name]
            if isinstance(value, Link):
                problem = self._check_link(given, value, typed=not schema.checks_input_types)
            elif isinstance(value, BadLink):
                problem = _bad_link(given, value)
            else:
                free = all_free or name in checks
                read, problem = self._literals.check(given, value, free=free)
                if read is not value:
                    coerced[name] = read
            if problem is not None:
                found.append(problem)
        found.extend(self._undeclared(declared, node))
        if coerced:
            node = PromptNode(node.class_type, {**inputs, **coerced}, node.title)
            self._coerced[node_id] = node
        if not found and self._complain is not None:
            found.extend(_own_check(text) for text in self._complain(node_id, node))
        if found:
            self._errors[node_id] = found
        if found or any(link.node in self._invalid for _, link in node.links()):
            self._invalid.add(node_id)

    def _check_link(self, given: InputSchema, link: Link, *, typed: bool) -> Problem | None:
        source = self._prompt.nodes.get(link.node)
        if source is None:
            return _no_source(given.name, link, "the prompt holds no such node")
        outputs = self._catalog[source.class_type].outputs
        try:
            # Indexed, not measured: plugins make tuples that answer to any index.
            received = outputs[link.slot].type
        except IndexError:
            return _no_source(
                given.name, link, f"{source.class_type} has {len(outputs)} output(s), from 0 on"
            )
        if typed and not joins(received, given.type):
            return _type_mismatch(given, link, received)
        return None

    def _undeclared(self, declared: Sequence[InputSchema], node: PromptNode) -> Iterable[Problem]:
        """What is wrong with links to inputs that the class does not declare."""
        for name, link in node.links():
            if link.node not in self._prompt.nodes and all(each.name != name for each in declared):
                yield _no_source(name, link, "the prompt holds no such node")

    def _dependents(self, ordered: list[str], bad: list[str]) -> Mapping[str, tuple[str, ...]]:
        """For each node, which of the failed outputs need it.

        Sets are bit masks: from the outputs up to their sources, each node passes its mask on.
        """
        if not bad:
            return {}
        masks = {key: 1 << bit for bit, key in enumerate(bad)}
        for node_id in reversed(ordered):
            mask = masks.get(node_id, 0)
            for _, link in self._prompt.nodes[node_id].links() if mask else ():
                masks[link.node] = masks.get(link.node, 0) | mask
        return {
            key: tuple(bad[bit] for bit in islice(_bits(masks.get(key, 0)), _MOST_OUTPUTS))
            for key in self._errors
        }


def _bits(mask: int) -> Iterator[int]:
    """The places of the ones, the lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _refused(prompt: Prompt, error: Problem) -> Report:
    return Report(prompt, (), error, {})


def _missing_classes(prompt: Prompt, missing: list[str]) -> Problem:
    names = sorted({prompt.nodes[key].class_type for key in missing})
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    first = missing[0]
    return Problem(
        "invalid_prompt",
        f"No such node class: {', '.join(names[:_NAMED])}{more}. "
        "Install the plugin that brings it, or take these nodes out",
        f"Node ID '#{first}'",
        {"node_id": first, "class_type": prompt.nodes[first].class_type},
    )


def _no_outputs(wanted: Collection[str] | None) -> Problem:
    details = "" if wanted is None else f"asked for: {', '.join(sorted(wanted)[:_NAMED])}"
    return Problem(
        "prompt_no_outputs", "The prompt has no output node, so nothing would be saved", details
    )


def _all_failed(errors: Mapping[str, NodeProblems]) -> Problem:
    lines = [f"{each.message}: {each.details}" for node in errors.values() for each in node.errors]
    return Problem("prompt_outputs_failed_validation", "No output node can run", "\n".join(lines))


def _required(name: str) -> Problem:
    return Problem(
        "required_input_missing", "Required input is missing", name, {"input_name": name}
    )


def _bad_link(given: InputSchema, value: BadLink) -> Problem:
    return Problem(
        "bad_linked_input",
        "A list should be a link of two: a node id as a string and an output's number",
        f"{given.name}, received {shown(value.received)}",
        {
            "input_name": given.name,
            "input_config": input_entry(given),
            "received_value": value.received,
        },
    )


def _no_source(name: str, link: Link, reason: str) -> Problem:
    return Problem(
        "exception_during_validation",
        "A link leads nowhere",
        f"{name}, linked to output {link.slot} of node {link.node}: {reason}",
        {"input_name": name, "linked_node": [link.node, link.slot]},
    )


def _type_mismatch(given: InputSchema, link: Link, received: Any) -> Problem:
    return Problem(
        "return_type_mismatch",
        "The types of an output and the input it is linked to differ",
        f"{given.name}, received_type({received}) mismatch input_type({given.type})",
        {
            "input_name": given.name,
            "input_config": input_entry(given),
            "received_type": received,
            "linked_node": [link.node, link.slot],
        },
    )


def _own_check(text: str) -> Problem:
    return Problem("custom_validation_failed", "The node's own check failed", text)


def _runs_in_circle(found: list[str]) -> Problem:
    named = found if len(found) <= 2 * _NAMED else [*found[:_NAMED], "...", *found[-_NAMED:]]
    return Problem(
        "dependency_cycle",
        "The links run in a circle; remove one of them",
        " -> ".join(named),
        {"cycle_nodes": named},
    )
