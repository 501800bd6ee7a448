"""Nodes of the V3 dialect: dynamic inputs, hidden values, what they show."""

from PIL import Image

from engine.graph.object_info import object_info
from engine.wire import messages

PICTURE = ("EmptyImage", {"width": 4, "height": 4, "batch_size": 1, "color": 0})


def text(shown):
    return shown["x"]["text"][0]


def test_growing_inputs_arrive_as_dictionaries(pack):
    inputs = {"images.image0": ["i", 0], "images.image2": ["i", 0], "values.a": 2, "values.b": 0.5}
    shown = pack("v3_everything").run({"i": PICTURE, "x": ("V3Grown", inputs)})
    assert text(shown) == (
        "{'image0': [1, 4, 4, 3], 'image2': [1, 4, 4, 3]} [('a', 2.0), ('b', 0.5)]"
    )


def test_a_growing_input_needs_its_first_ones(pack):
    report = pack("v3_everything").check({"x": ("V3Grown", {})})
    missing = {each.details for each in report.node_errors["x"].errors}
    assert missing == {"images.image0", "values.a"}


def test_a_choice_brings_inputs_of_its_own(pack):
    engine = pack("v3_everything")
    shown = engine.run({"x": ("V3Chosen", {"format": "png", "format.level": "7"})})
    assert text(shown) == "{'format': 'png', 'level': 7} {}"
    inputs = {"format": "mp4", "format.codec": "h264", "format.codec.crf": 20}
    shown = engine.run({"x": ("V3Chosen", inputs)})
    assert text(shown) == "{'format': 'mp4', 'codec': {'codec': 'h264', 'crf': 20}} {}"


def test_a_joined_slot_brings_inputs_of_its_own(pack):
    inputs = {
        "format": "png",
        "format.level": 1,
        "mask_of": ["i", 0],
        "mask_of.grow": 3,
    }
    shown = pack("v3_everything").run({"i": PICTURE, "x": ("V3Chosen", inputs)})
    assert text(shown) == "{'format': 'png', 'level': 1} {'mask_of': 4, 'grow': 3}"


def test_validate_inputs_gets_the_dictionary(pack):
    report = pack("v3_everything").check({"x": ("V3Chosen", {"format": "png", "format.level": 9})})
    assert [each.details for each in report.node_errors["x"].errors] == ["level 9 takes long"]


def test_the_catalog_has_the_incumbent_s_form(pack):
    registry = pack("v3_everything").registry
    info = object_info(registry["V3Matched"].schema)
    required = info["input"]["required"]
    template = {"template_id": "any", "allowed_types": "IMAGE,MASK"}
    assert required["first"] == ["COMFY_MATCHTYPE_V3", {"template": template}]
    choices = {"multiselect": False, "options": ["first", "second"], "default": "first"}
    assert required["which"] == ["COMBO", choices]
    options = {"default": True, "advanced": True, "from_the_future": "kept"}
    assert required["flag"] == ["BOOLEAN", options]
    assert info["input"]["optional"]["second"] == ["IMAGE,MASK"]
    assert info["output"] == ["COMFY_MATCHTYPE_V3"]
    assert info["output_matchtypes"] == ["any"]
    grown = object_info(registry["V3Grown"].schema)
    assert grown["input"]["required"]["images"] == [
        "COMFY_AUTOGROW_V3",
        {
            "template": {
                "input": {"required": {"image": ["IMAGE", {}]}, "optional": {}},
                "prefix": "image",
                "min": 1,
                "max": 4,
            }
        },
    ]
    assert grown["input"]["hidden"] == {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
    assert grown["output_name"] == ["text"]


def test_a_v3_class_answers_the_names_of_v1(pack):
    found = pack("v3_everything").module
    assert found.Hidden.RETURN_TYPES == ("STRING",)
    assert found.Hidden.FUNCTION == "EXECUTE_NORMALIZED"
    assert found.Awaited.FUNCTION == "EXECUTE_NORMALIZED_ASYNC"
    assert found.Hidden.OUTPUT_NODE is True
    types = found.Matched.INPUT_TYPES()
    assert types["optional"] == {"second": ("IMAGE,MASK", {})}
    hidden = found.Hidden.INPUT_TYPES()["hidden"]
    assert hidden["unique_id"] == ("UNIQUE_ID",)


def test_matching_types_pass_any_of_them(pack):
    graph = {
        "i": PICTURE,
        "m": ("V3Matched", {"first": ["i", 0], "which": "first", "flag": True}),
        "x": ("PreviewImage", {"images": ["m", 0]}),
    }
    assert len(pack("v3_everything").run(graph)["x"]["images"]) == 1


def test_hidden_values_are_on_the_class_of_the_call(pack):
    engine = pack("v3_everything")
    shown = engine.run({"x": ("V3Hidden", {})})
    assert text(shown) == "x None ['x'] None None"
    assert engine.module.Hidden.hidden.unique_id is None


def test_lists_lazy_inputs_and_coroutines(pack):
    engine = pack("v3_everything")
    graph = {
        "n": ("V3Listed", {"count": 2}),
        "never": ("V3Blocks", {"why": "asked for"}),
        "x": ("V3Awaited", {"a": ["n", 0], "b": ["never", 0]}),
    }
    assert engine.run(graph)["x"]["text"] == ["0 None", "1 None"]
    progress = [(each.step, each.steps) for each in engine.of(messages.Progress)]
    assert progress == [(1, 2), (2, 2)] * 2
    preview = engine.of(messages.Preview)[0]
    assert preview.image.startswith(b"\xff\xd8")


def test_a_block_is_reported_where_it_arrives(pack):
    engine = pack("v3_everything")
    graph = {"b": ("V3Blocks", {"why": "no"}), "x": ("V3Hidden", {"thing": ["b", 0]})}
    report = engine.check(graph)
    assert report.node_errors  # a STRING is no THING
    graph["x"] = ("PreviewAny", {"source": ["b", 0]})
    engine.run(graph)
    assert [each.message for each in engine.of(messages.Blocked)] == ["no"]


def test_what_is_shown_is_saved(pack, files):
    engine = pack("v3_everything")
    for kind, key, place in (
        ("image", "images", "temp"),
        ("mask", "images", "temp"),
        ("audio", "audio", "temp"),
        ("saved", "images", "output"),
    ):
        shown = engine.run({"i": PICTURE, "x": ("V3Shows", {"image": ["i", 0], "kind": kind})})["x"]
        item = shown[key][0]
        assert item["type"] == place
        path = files.folders(place)[0] / item["subfolder"] / item["filename"]
        assert path.stat().st_size > 0
        if kind == "saved":
            assert item["subfolder"] == "v3"
            assert set(Image.open(path).text) == {"prompt", "workflow"}
    shown = engine.run({"i": PICTURE, "x": ("V3Shows", {"image": ["i", 0], "kind": "3d"})})["x"]
    assert shown["result"] == ["model.glb", {"fov": 35}, None]
