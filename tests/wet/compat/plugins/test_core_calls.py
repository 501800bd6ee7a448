"""Built-in nodes as classes that packs call and derive from."""

import pytest
import torch
from PIL import Image

import nodes
from engine.compat.core_nodes.methods import old_methods, v1_methods
from engine.compat.core_nodes.plugin_names import attach, class_in, core_classes, modules
from engine.graph.object_info import object_info

PICTURE = ("EmptyImage", {"width": 4, "height": 4, "batch_size": 1, "color": 0})


def test_a_pack_calls_core_nodes_by_their_methods_and_argument_order(pack):
    graph = {
        "i": PICTURE,
        "c": ("CoreCalls", {"image": ["i", 0], "method": "bilinear", "width": 8}),
        "x": ("PreviewAny", {"source": ["c", 2]}),
        "y": ("PreviewImage", {"images": ["c", 0]}),
    }
    shown = pack("core_calls").run(graph)
    assert shown["x"]["text"] == ["['mask', 'mask_strength', 'set_area_to_bounds'] 0.5 4"]
    assert len(shown["y"]["images"]) == 1


def test_a_subclass_of_save_image_saves_where_it_says(pack, files):
    graph = {
        "i": PICTURE,
        "x": ("CoreSaveElsewhere", {"images": ["i", 0], "name": "elsewhere"}),
    }
    engine = pack("core_calls")
    (item,) = engine.run(graph)["x"]["images"]
    assert (item["type"], item["subfolder"]) == ("temp", "")
    assert item["filename"].startswith("elsewhere_mine")
    picture = Image.open(files.folders("temp")[0] / item["filename"])
    assert set(picture.text) == {"prompt", "workflow"}
    info = object_info(engine.registry["CoreSaveElsewhere"].schema)
    assert info["output_name"] == ["STRING"]
    assert info["output_node"] is True


def test_a_subclass_of_load_image_has_its_checks(pack, files):
    engine = pack("core_calls")
    graph = {
        "l": ("CoreLoadTwice", {"image": "no such.png"}),
        "x": ("PreviewImage", {"images": ["l", 0]}),
    }
    assert "no such.png" in str(engine.check(graph).node_errors["l"].errors)
    folder = files.folders("input")[0]
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2)).save(folder / "a.png")
    graph["l"] = ("CoreLoadTwice", {"image": "a.png"})
    assert len(engine.run(graph)["x"]["images"]) == 2


def test_every_node_is_a_class_under_its_module(pack):
    attach()
    for node in nodes.builtin_nodes():
        made = core_classes()[node.class_type]
        assert callable(getattr(made, made.FUNCTION)), node.class_type
        declared = [each.name for each in node.schema.inputs if each.section != "hidden"]
        types = made.INPUT_TYPES()
        assert sorted(declared) == sorted([*types["required"], *types.get("optional", {})])
        assert tuple(made.RETURN_TYPES) == tuple(each.type for each in node.schema.outputs)


def test_the_tables_name_real_arguments():
    by_name = {node.class_type: node for node in nodes.builtin_nodes()}
    for class_type, (_, order) in {**v1_methods(), **old_methods()}.items():
        if order and class_type in by_name:
            declared = {each.name for each in by_name[class_type].schema.inputs}
            assert set(order) <= declared, class_type
    listed = {name for names in modules().values() for name in names}
    assert set(v1_methods()) | set(old_methods()) <= listed


def test_wrong_calls_say_what_is_wrong(pack):
    attach()
    with pytest.raises(TypeError, match="ImageInvert takes 1 arguments"):
        nodes.ImageInvert().invert(1, 2)
    with pytest.raises(TypeError, match="given image twice"):
        nodes.ImageInvert().invert(1, image=2)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = nodes.no_such_name
    cascade = class_in("comfy_extras.nodes_stable_cascade", "StableCascade_StageB_Conditioning")
    assert cascade is not None
    with pytest.raises(NotImplementedError, match="StableCascade_StageB_Conditioning"):
        cascade()


def test_outside_of_a_run_core_nodes_can_be_called_too(pack):
    attach()
    assert nodes.ImageInvert().invert(torch.zeros(1, 2, 2, 3))[0].min() == 1
    shown = nodes.PreviewImage().save_images(torch.zeros(1, 2, 2, 3), prompt={"1": {}})
    assert shown["ui"]["images"][0]["type"] == "temp"


def test_tables_are_live(pack):
    attach()
    mappings = nodes.NODE_CLASS_MAPPINGS
    mappings["Extra"] = object
    assert nodes.NODE_CLASS_MAPPINGS.pop("Extra") is object
    assert nodes.NODE_CLASS_MAPPINGS["KSampler"] is nodes.KSampler
    assert nodes.NODE_DISPLAY_NAME_MAPPINGS["KSampler"] == "KSampler"
