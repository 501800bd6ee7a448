"""Names of the host that are not implemented: they load, and refuse to be called."""

import importlib
import logging
import sys
from abc import ABC
from types import ModuleType

import pytest
from torch import nn

from engine.compat import placeholders
from engine.compat.attribution import set_plugin_folders
from engine.compat.install import install_facade
from engine.compat.live import is_live, live, watching

MODULE = "comfy.ldm.hidream.model"


@pytest.fixture(autouse=True)
def _host(tmp_path):
    install_facade()
    (tmp_path / "custom_nodes").mkdir()
    set_plugin_folders([tmp_path / "custom_nodes"])
    yield
    set_plugin_folders([])


@pytest.fixture
def plugin(tmp_path):
    """Runs source text as a file of the plugin `Painter`; gives its module."""

    def run(text: str) -> ModuleType:
        path = tmp_path / "custom_nodes" / "Painter" / "nodes.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        module = ModuleType("painter")
        exec(compile(text, str(path), "exec"), vars(module))
        return module

    return run


def test_a_known_module_without_a_file_gives_placeholders():
    module = importlib.import_module(MODULE)
    found = module.HiDreamImageTransformerBlock
    assert isinstance(found, type)
    assert found is module.HiDreamImageTransformerBlock
    assert f"{found.__module__}.{found.__qualname__}" == f"{MODULE}.HiDreamImageTransformerBlock"


def test_a_placeholder_can_be_named_subclassed_and_tested_for():
    block = importlib.import_module(MODULE).HiDreamImageTransformerBlock
    assert not isinstance(nn.Linear(1, 1), block)
    assert block | None
    assert list[block]
    assert block[int] is block

    class Network(nn.Module, block):
        pass

    class Abstract(ABC, block):
        pass

    assert issubclass(Network, block)
    with pytest.raises(NotImplementedError, match="HiDreamImageTransformerBlock"):
        Network()


def test_a_call_names_the_plugin_and_what_it_called(plugin):
    module = plugin(
        f"from {MODULE} import HiDreamImageTransformerBlock as Block\ndef run():\n    Block(3)\n"
    )
    with pytest.raises(NotImplementedError) as raised:
        module.run()
    assert str(raised.value).startswith(f"Painter uses {MODULE}.HiDreamImageTransformerBlock")


def test_a_name_in_no_list_is_missing_as_usual():
    module = importlib.import_module(MODULE)
    assert not hasattr(module, "no_such_name")
    with pytest.raises(ImportError):
        importlib.import_module("comfy.ldm.no_such_network")


def test_this_engine_s_own_packages_stay_themselves():
    assert importlib.import_module("nodes").__file__.endswith("__init__.py")
    assert importlib.import_module("nodes.loaders").__file__


def test_a_known_name_missing_from_a_real_module_is_a_placeholder(monkeypatch):
    names = {"painted_host": {"Brush": "class", "Brush.paint": "function"}}
    monkeypatch.setattr(placeholders, "known_names", lambda: names)
    placeholders._made.cache_clear()
    module = placeholders.HostModule("painted_host")
    module.real = 3
    assert module.real == 3
    assert issubclass(module.Brush, placeholders.Placeholder)
    assert issubclass(module.Brush.paint, placeholders.Placeholder)
    with pytest.raises(AttributeError):
        _ = module.Brush.unknown
    placeholders._made.cache_clear()


def test_a_replaced_name_that_nothing_calls_is_logged_once(plugin, monkeypatch, caplog):
    host = placeholders.HostModule("painted_host")
    host.dead = host.used = len
    monkeypatch.setitem(sys.modules, "painted_host", host)
    live("painted_host.used")
    assert is_live("painted_host.used")
    with caplog.at_level(logging.WARNING):
        module = plugin(
            "import painted_host\ndef patch(value):\n    painted_host.dead = value\n"
            "    painted_host.used = value\n    painted_host.own = value\n"
        )
        module.patch(max)
        module.patch(min)
    said = [each.getMessage() for each in caplog.records]
    assert said == ["Painter replaces painted_host.dead, which nothing here calls"]
    assert host.dead is host.used is min


def test_a_replaced_method_that_nothing_calls_is_logged(monkeypatch, caplog):
    class Tool:
        __module__ = "engine.tool"

        def cut(self):
            return 1

        def live(self):
            return 1

    host = placeholders.HostModule("tool_host")
    host.Tool = Tool
    monkeypatch.setitem(sys.modules, "tool_host", host)
    live("tool_host.Tool.live")
    with caplog.at_level(logging.WARNING), watching("Painter", placeholders.HostModule):
        Tool.cut = Tool.live = lambda self: 2
    said = [each.getMessage() for each in caplog.records]
    assert said == ["Painter replaces tool_host.Tool.cut, which nothing here calls"]
