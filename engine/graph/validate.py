"""Whether a prompt can run, and if not, why not: the one validator.

Reads the catalog and, for combos of files, the folders. Runs no node. Loops, no recursion: a
chain may be as long as memory allows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.graph.absent_classes import absences, advice
from engine.graph.dynamic import concrete_inputs
from engine.graph.findings import Findings, described
from engine.graph.literals import HasFile, Literals, echoed, out_of_bounds, shown
from engine.graph.object_info import ListFolder, input_entry
from engine.graph.order import circle, order
from engine.graph.problems import NodeProblems, Problem, Report
from engine.graph.prompt import BadLink, Link, Prompt, PromptNode
from engine.graph.schema import ANY, Catalog, InputSchema, NodeSchema
from engine.graph.sizes import SIZES, constant_of, pixels_of, too_much
from engine.graph.sockets import MATCH, joins

Complain = Callable[[str, PromptNode], Iterable[str]]
"""A node's own check of its constants, where it has one: sentences; none if there is no problem."""

_MOST_MISSING = 100
"""Nodes of missing classes that are reported one by one."""
_NAMED = 10
"""Classes, circles and nodes of a circle that are named; a hostile prompt may hold thousands."""
_MOST_LINES = 100
"""Problems that the error of the whole prompt repeats."""


def validate(
    prompt: Prompt,
    catalog: Catalog,
    *,
    list_folder: ListFolder | None = None,
    has_file: HasFile | None = None,
    wanted: Collection[str] | None = None,
    complain: Complain | None = None,
    most_bytes: int | None = None,
    ordered: Sequence[str] = (),
) -> Report:
    """Check every node that an output node needs.

    Args:
        prompt: what to run.
        catalog: the schema of every class.
        list_folder: the files to choose from; without it, combos of files are not checked.
        has_file: whether an unlisted file exists; used for inputs that a node checks.
        wanted: run no other output nodes than these; None for all.
        complain: runs a node's own check, for nodes in which nothing else is wrong.
        most_bytes: the memory that pictures may take; None for any.
        ordered: the nodes that the outputs need, each after what it needs, if an earlier check has
            determined them.

    Returns:
        a report whose `error` is None when at least one output node can run.
    """
    missing = [key for key, node in prompt.nodes.items() if node.class_type not in catalog]
    if missing:
        error = _missing_classes(prompt, missing, catalog)
        return Report(prompt, (), error, dict(_missing_nodes(prompt, missing, catalog)))
    outputs = [
        key
        for key, node in prompt.nodes.items()
        if catalog[node.class_type].is_output and (wanted is None or key in wanted)
    ]
    if not outputs:
        return _refused(prompt, _no_outputs(wanted))
    literals = Literals(list_folder, has_file)
    return _Validation(prompt, catalog, literals, complain, most_bytes).report(outputs, ordered)


def missing_files(
    prompt: Prompt, catalog: Catalog, list_folder: ListFolder, has_file: HasFile | None = None
) -> Mapping[str, NodeProblems]:
    """The missing files that a prompt names, by node.

    Also for prompts that cannot be validated because classes are missing: a user who downloads
    plugins can download models at the same time.
    """
    literals, findings = Literals(list_folder, has_file), Findings()
    for node_id, node in prompt.nodes.items():
        schema = catalog.get(node.class_type)
        for given in concrete_inputs(schema, node.inputs) if schema else ():
            value = node.inputs.get(given.name)
            if given.folder is None or not isinstance(value, str):
                continue
            free = schema is not None and ("*" in schema.checks or given.name in schema.checks)
            _, problem = literals.check(given, value, free=free)
            if problem is not None:
                findings.add(node_id, problem)
    return findings.by_node(prompt, [*prompt.nodes], ())


class _Validation:
    """One validation: what was found so far, by node id."""

    def __init__(
        self,
        prompt: Prompt,
        catalog: Catalog,
        literals: Literals,
        complain: Complain | None,
        most_bytes: int | None,
    ) -> None:
        self._prompt = prompt
        self._catalog = catalog
        self._literals = literals
        self._complain = complain
        self._most_bytes = most_bytes
        self._pixels: dict[str, int] = {}
        self._findings = Findings()
        self._circles = 0
        self._is_complete = True
        """Whether all links were followed."""
        self._coerced: dict[str, PromptNode] = {}
        self._matched: dict[tuple[str, str], str] = {}
        """The type that the first link gave to a node's template."""

    def report(self, outputs: list[str], known: Sequence[str] = ()) -> Report:
        """Check what these outputs need, and sum up; `known` is that in its order."""
        nodes, findings = self._prompt.nodes, self._findings
        ordered = known or order(
            self._prompt,
            outputs,
            counts=self._has_source,
            on_circle=self._note_circle,
        )
        for node_id in ordered:
            self._check_node(node_id)
        good = tuple(key for key in outputs if key not in findings.failed)
        errors = findings.by_node(self._prompt, ordered, outputs)
        coerced = Prompt({**nodes, **self._coerced}) if self._coerced else self._prompt
        failed = None if good else _all_failed(errors, findings.omitted)
        every = tuple(ordered) if self._is_complete and not findings.failed else ()
        return Report(coerced, good, failed, errors, every)

    def _has_source(self, node_id: str, name: str) -> bool:
        nodes = self._prompt.nodes
        if nodes[node_id].inputs[name].node in nodes:
            return True
        self._is_complete = False
        return False

    def _note_circle(self, node_id: str, source: str, path: Collection[str]) -> None:
        if self._findings.is_full:
            self._findings.omit(node_id)
            return
        found = circle(path, source) if self._circles < _NAMED else [source, node_id]
        self._circles += 1
        self._findings.add(node_id, _runs_in_circle(found))

    def _check_node(self, node_id: str) -> None:
        node, findings = self._prompt.nodes[node_id], self._findings
        schema = self._catalog[node.class_type]
        coerced: dict[str, Any] = {}
        inputs = node.inputs
        declared = concrete_inputs(schema, inputs)
        for given in declared:
            name = given.name
            if given.section == "hidden":
                continue
            if name not in inputs:
                if given.section == "required":
                    findings.add(node_id, _required(name))
                continue
            value = inputs[name]
            if isinstance(value, Link):
                typed = not schema.checks_input_types
                problem = self._check_link(node_id, given, value, typed=typed)
                problem = problem or self._check_size(given, value)
            elif isinstance(value, BadLink):
                problem = _bad_link(given, value)
            else:
                free = "*" in schema.checks or name in schema.checks
                read, problem = self._literals.check(given, value, free=free)
                if read is not value:
                    coerced[name] = read
            if problem is not None:
                findings.add(node_id, problem)
        for problem in self._undeclared(declared, node):
            findings.add(node_id, problem)
        if coerced:
            node = PromptNode(node.class_type, {**inputs, **coerced}, node.title)
            self._coerced[node_id] = node
        self._check_memory(node_id, node, schema)
        if node_id not in findings.failed and self._complain is not None:
            for text in self._complain(node_id, node):
                findings.add(node_id, _own_check(text))
        if any(link.node in findings.failed for _, link in node.links()):
            findings.failed.add(node_id)

    def _check_link(
        self, node_id: str, given: InputSchema, link: Link, *, typed: bool
    ) -> Problem | None:
        source = self._prompt.nodes.get(link.node)
        if source is None:
            return _no_source(given.name, link, "the prompt holds no such node")
        outputs = self._catalog[source.class_type].outputs
        try:
            # Indexed without a length check: plugins make tuples that accept any index.
            output = outputs[link.slot]
        except IndexError:
            return _no_source(
                given.name, link, f"{source.class_type} has {len(outputs)} output(s), from 0 on"
            )
        received = output.type
        if output.match is not None:
            received = self._matched.get((link.node, output.match), received)
        if typed and given.type == MATCH:
            return self._check_match(node_id, given, link, received)
        if typed and not joins(received, given.type):
            return _type_mismatch(given, link, received, given.type)
        return None

    def _check_match(
        self, node_id: str, given: InputSchema, link: Link, received: Any
    ) -> Problem | None:
        """All inputs of a template have one type, which the first of them decides."""
        template: Mapping[str, Any] = given.options.get("template") or {}
        allowed = template.get("allowed_types", ANY)
        if not joins(received, allowed):
            return _type_mismatch(given, link, received, allowed)
        place = node_id, str(template.get("template_id", given.name))
        matched = self._matched.setdefault(place, received)
        if not joins(received, matched):
            return _type_mismatch(given, link, received, matched)
        if matched in (ANY, MATCH):
            self._matched[place] = received
        return None

    def _check_size(self, given: InputSchema, link: Link) -> Problem | None:
        """A constant that comes over a link and becomes a size has the bounds of its input."""
        if given.name not in SIZES:
            return None
        found = constant_of(self._prompt, link)
        return None if found is None else out_of_bounds(given, found)

    def _check_memory(self, node_id: str, node: PromptNode, schema: NodeSchema) -> None:
        if self._most_bytes is None or node_id in self._findings.failed:
            return
        sources = [self._pixels.get(link.node, 0) for _, link in node.links()]
        self._pixels[node_id] = pixels_of(self._prompt, node, sources)
        problem = too_much(schema, self._pixels[node_id], self._most_bytes)
        if problem is not None:
            self._pixels[node_id] = 0  # reported once, not for every node after it
            self._findings.add(node_id, problem)

    def _undeclared(self, declared: Sequence[InputSchema], node: PromptNode) -> Iterable[Problem]:
        """What is wrong with links to inputs that the class does not declare."""
        names = {each.name for each in declared}
        for name, link in node.links():
            if link.node not in self._prompt.nodes and name not in names:
                yield _no_source(name, link, "the prompt holds no such node")


def _refused(prompt: Prompt, error: Problem) -> Report:
    return Report(prompt, (), error, {})


def _missing_classes(prompt: Prompt, missing: list[str], catalog: Catalog) -> Problem:
    names = sorted({shown(prompt.nodes[key].class_type) for key in missing})
    what_to_do = advice(names, absences(names[:_NAMED], catalog))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    first = missing[0]
    return Problem(
        "invalid_prompt",
        f"No such node class: {', '.join(names[:_NAMED])}{more}. {what_to_do}",
        f"Node ID '#{first}'",
        {"node_id": first, "class_type": shown(prompt.nodes[first].class_type)},
    )


def _missing_nodes(
    prompt: Prompt, missing: list[str], catalog: Catalog
) -> Iterator[tuple[str, NodeProblems]]:
    """The same node by node, in the form that newer clients read; not more than they can show."""
    known = absences({prompt.nodes[key].class_type for key in missing}, catalog)
    for key in missing[:_MOST_MISSING]:
        node = prompt.nodes[key]
        name = shown(node.class_type)
        extra = {"node_id": key, "class_type": name, "node_title": node.title}
        problem = Problem(
            "missing_node_type",
            known.get(name, "There is no node of this class; install the plugin that brings it"),
            f"Node ID '#{key}', {name}",
            extra,
        )
        yield key, NodeProblems(name, (problem,), ())


def _no_outputs(wanted: Collection[str] | None) -> Problem:
    details = (
        ""
        if wanted is None
        else f"asked for: {', '.join(shown(each) for each in sorted(wanted)[:_NAMED])}"
    )
    return Problem(
        "prompt_no_outputs", "The prompt has no output node, so nothing would be saved", details
    )


def _all_failed(errors: Mapping[str, NodeProblems], omitted: int) -> Problem:
    details = described(errors.values(), omitted, _MOST_LINES)
    return Problem("prompt_outputs_failed_validation", "No output node can run", details)


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
            "received_value": echoed(value.received),
        },
    )


def _no_source(name: str, link: Link, reason: str) -> Problem:
    return Problem(
        "exception_during_validation",
        "A link leads nowhere",
        f"{shown(name)}, linked to output {link.slot} of node {shown(link.node)}: {reason}",
        {"input_name": shown(name), "linked_node": [shown(link.node), link.slot]},
    )


def _type_mismatch(given: InputSchema, link: Link, received: Any, wanted: Any) -> Problem:
    return Problem(
        "return_type_mismatch",
        "The types of an output and the input it is linked to differ",
        f"{given.name}, received_type({received}) mismatch input_type({wanted})",
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
