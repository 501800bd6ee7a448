"""Classes of the incumbent that are not here are not said to be a plugin's."""

from engine.graph.absent_classes import absences, advice
from engine.graph.workflow import convert


def test_a_family_that_exists_in_part_is_not_said_to_be_missing():
    assert absences(["WanHuMoImageToVideo"], {"WanImageToVideo"}) == {
        "WanHuMoImageToVideo": "This version of Calotype has no WanHuMoImageToVideo: it "
        "belongs to the model family Wan, of which only a part is here"
    }
    assert advice(
        ["TextEncodeFibo2", "SAM3_Detect", "SAM3_VideoTrack"],
        absences(["TextEncodeFibo2", "SAM3_Detect", "SAM3_VideoTrack"], ()),
    ) == (
        "This version of Calotype has no SAM3_Detect, SAM3_VideoTrack: they belong to the model "
        "family SAM 3. This version of Calotype has no TextEncodeFibo2: it belongs to the model "
        "family Fibo 2. No plugin is needed; take these nodes out to run the rest"
    )


def test_a_class_that_the_file_calls_built_in_is_not_a_plugins():
    def node(key, class_type, **properties):
        return {"id": key, "type": class_type, "properties": properties}

    document = {
        "nodes": [
            node(1, "NewerNode", cnr_id="comfy-core"),
            node(2, "FromAPack", cnr_id="some-pack"),
            node(3, "SaidNothing"),
        ],
        "links": [],
    }
    assert convert(document, {}).absences == {
        "NewerNode": "This version of Calotype has no NewerNode: it is a built-in node of ComfyUI "
        "or of another version"
    }
    assert "WebcamCapture" in absences(["WebcamCapture"], ())
