"""A small engine: nodes, a cache, and runs whose events are recorded."""

import pytest

from engine.execute.cache import Cache
from engine.execute.executor import Job, execute
from engine.graph.prompt import parse
from engine.nodekit.registry import Registry
from engine.wire import messages


class Engine:
    """Runs prompts one after another with one registry and one cache."""

    def __init__(self, files, nodes, classes, budget):
        self.registry = Registry(nodes)
        self.registry.add_classes(classes, python_module="custom_nodes.test")
        self.cache = Cache(budget)
        self.files = files
        self.events = []

    def run(self, graph, *outputs, stopped=None, retry=None, extra=None):
        """Run `{id: (class, {input: literal or [id, slot]})}`; all output nodes by default."""
        prompt = parse(
            {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in graph.items()}
        )
        wanted = outputs or [
            key
            for key, node in prompt.nodes.items()
            if node.class_type not in self.registry
            or self.registry[node.class_type].schema.is_output
        ]
        self.events = []
        return execute(
            Job("p", list(wanted), extra or {}),
            prompt,
            self.registry,
            self.cache,
            self.events.append,
            files=self.files,
            stopped=stopped or (lambda: False),
            retry=retry,
        )

    def of(self, kind):
        """This run's events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def called(self):
        """The ids of the nodes that were called, in order."""
        return [event.node.id for event in self.of(messages.Running)]


@pytest.fixture
def engine(files):
    def make(*nodes, classes=None, budget=1 << 30):
        return Engine(files, nodes, classes or {}, budget)

    return make
