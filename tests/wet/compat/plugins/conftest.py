"""Packs of `tests/plugins`, imported as a worker imports one, and run by the executor."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

import nodes
from engine.compat.boundary import plugin_boundary
from engine.compat.host import state
from engine.compat.install import install_facade
from engine.execute.cache import Cache
from engine.execute.checks import own_checks
from engine.execute.executor import Job, execute
from engine.graph.prompt import parse
from engine.graph.validate import validate
from engine.nodekit.registry import Registry
from engine.wire import messages

PLUGINS = Path(__file__).parents[3] / "plugins"


class Engine:
    """Built-in nodes and those of a pack; runs prompts and records events."""

    def __init__(self, files, module):
        classes = getattr(module, "NODE_CLASS_MAPPINGS", None)
        if classes is None:
            found = asyncio.run(listed(module))
            classes = {each.define_schema().node_id: each for each in found}
        self.registry = Registry(nodes.builtin_nodes(), boundary=plugin_boundary())
        self.registry.add_classes(classes, python_module=f"custom_nodes.{module.__name__}")
        self.files, self.module = files, module
        self.cache = Cache(1 << 30)
        self.events = []

    def check(self, graph):
        """The validator's report on `{id: (class, {input: literal or [id, slot]})}`."""
        prompt = parse(
            {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in graph.items()}
        )
        complain = own_checks(self.registry, prompt, self.files)
        return validate(prompt, self.registry.catalog(), complain=complain)

    def run(self, graph):
        """Run all output nodes; returns what they showed."""
        report = self.check(graph)
        assert not report.node_errors, report.node_errors
        self.events = []
        done = execute(
            Job("p", report.outputs, {"workflow": {"id": 1}}),
            report.prompt,
            self.registry,
            self.cache,
            self.events.append,
            files=self.files,
        )
        assert isinstance(done.end, messages.Succeeded), done.end
        return done.shown

    def of(self, kind):
        """This run's events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


async def listed(module):
    extension = await module.comfy_entrypoint()
    return await extension.get_node_list()


@pytest.fixture
def pack(settings, files):
    """Import a pack of ours by its name; its module is removed after the test."""
    install_facade()
    state.start(settings, files)
    made = []

    def load(name):
        spec = importlib.util.spec_from_file_location(
            f"plugin_{name}", PLUGINS / name / "__init__.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        made.append(spec.name)
        spec.loader.exec_module(module)
        return Engine(files, module)

    yield load
    for name in made:
        sys.modules.pop(name, None)
