"""Lists of files in a V1 class's inputs: live in the catalog, unless the plugin changed them."""

import copy
import pickle
from operator import add

from engine.graph.object_info import input_entry
from engine.nodekit.folder_list import FolderList
from engine.nodekit.v1_schema import read_v1_input


def entry_of(kind, options=None, *, now=("c", "d")):
    schema = read_v1_input("file", "required", (kind, options or {}))
    return input_entry(schema, lambda folder: [*now] if folder == "loras" else [])


def test_the_folder_is_listed_on_each_request():
    assert entry_of(FolderList("loras", ["a", "b"])) == [["c", "d"]]


def test_choices_before_the_files_are_the_default():
    choices, options = entry_of(add(["None"], FolderList("loras", ["a"])))
    assert set(choices) == {"None", "c", "d"}
    assert options == {"default": "None"}


def test_choices_after_the_files_stay():
    assert entry_of(add(FolderList("loras", ["a"]), ["other"])) == [["c", "d", "other"]]


def test_a_list_that_the_plugin_changed_is_its_own():
    names = FolderList("loras", ["a", "b"])
    names.remove("a")
    assert entry_of(names) == [["b"]]
    assert entry_of(sorted(FolderList("loras", ["b", "a"]))) == [["a", "b"]]
    assert type(add(names, ["x"])) is list


def test_the_newer_form_of_a_combo_is_live_too():
    assert entry_of("COMBO", {"options": FolderList("loras", ["a"])}) == [["c", "d"]]


def test_copies_are_lists():
    names = FolderList("loras", ["a"])
    assert names == ["a"]
    assert type(copy.deepcopy(names)) is list
    assert pickle.loads(pickle.dumps(names)) == ["a"]
