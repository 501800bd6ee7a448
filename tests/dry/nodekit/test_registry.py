"""Nodes by name; plugins cannot take built-in names; one failing node does not affect others."""

import types

from engine.nodekit.contract import node
from engine.nodekit.registry import Registry, nodes_in


@node("Ours", category="test")
def ours() -> int:
    """Be built in."""
    return 1


class Theirs:
    RETURN_TYPES = ("INT",)
    FUNCTION = "go"

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - the contract's name
        return {"required": {}}


class Broken(Theirs):
    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        raise OSError("no such folder")


def test_nodes_are_found_by_name():
    registry = Registry([ours])
    registry.add_classes(
        {"Theirs": Theirs}, {"Theirs": "It's Theirs"}, python_module="custom_nodes.p"
    )
    assert (set(registry), len(registry)) == ({"Ours", "Theirs"}, 2)
    schema = registry["Theirs"].schema
    assert (schema.display_name, schema.python_module) == ("It's Theirs", "custom_nodes.p")


def test_built_in_names_are_protected_and_plugins_override_each_other():
    class Later(Theirs):
        pass

    registry = Registry([ours])
    registry.add_classes({"Ours": Theirs, "Theirs": Theirs}, python_module="a")
    registry.add_classes({"Theirs": Later}, python_module="b")
    assert registry["Ours"] is ours
    assert registry.refused == {"Ours"}
    assert registry["Theirs"].schema.python_module == "b"


def test_a_class_that_cannot_say_how_it_looks_is_left_out_and_named():
    registry = Registry([ours])
    registry.add_classes({"Broken": Broken, "Theirs": Theirs}, python_module="a")
    assert set(registry.catalog()) == {"Ours", "Theirs"}
    assert registry.left_out == {"Broken": "OSError: no such folder"}


def test_a_module_s_nodes_are_those_it_defines():
    module = types.ModuleType("somewhere")

    @node("Here", category="test")
    def here() -> int:
        """Be defined here."""
        return 1

    here.__module__ = "somewhere"
    module.here, module.imported, module.other = here, ours, 5
    assert nodes_in(module) == [here]


def test_importing_the_built_in_nodes_face_loads_none_of_them():
    import subprocess
    import sys

    code = "import sys, nodes; sys.exit('torch' in sys.modules or 'nodes.sockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_class_of_several_packs_is_available_under_the_name_of_each():
    registry = Registry([ours])
    for pack in ("b", "a"):
        registry.add_classes(
            {"Twice": Theirs, f"Only{pack}": Theirs, "Ours": Theirs},
            python_module=f"custom_nodes.{pack}",
            pack=pack,
        )
    assert registry.settle() == {"Twice": ("a", "b")}
    assert registry["Twice"].schema.python_module == "custom_nodes.a"
    assert registry["Ours"] is ours
    again = registry.settle({"Twice": "b", "Ours": "b", "Onlya": "nobody"})
    assert again["Twice"] == ("b", "a")
    assert registry["Twice"].schema.python_module == "custom_nodes.b"
    assert registry["a/Twice"].schema.class_type == "a/Twice"
    assert registry["a/Twice"].schema.display_name == "Twice (a)"
    assert registry["b/Ours"].schema.python_module == "custom_nodes.b"
    assert "a/Onlya" not in registry


def test_what_only_expansions_use_has_no_schema_for_others():
    @node("Inner", category="test", internal=True)
    def inner() -> int:
        """Be used by an expansion."""
        return 1

    registry = Registry([ours, inner])
    assert registry.builtin == {"Ours", "Inner"}
    assert set(registry.describe(registry.builtin)[0]) == set(registry.catalog()) == {"Ours"}
