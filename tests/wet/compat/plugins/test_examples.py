"""The packs in `docs/writing_packs.md`: as they stand there, and run."""

from pathlib import Path

import numpy as np
from PIL import Image

from engine.wire import messages

ROOT = Path(__file__).parents[4]
PICTURE = ("EmptyImage", {"width": 4, "height": 4, "batch_size": 2, "color": 0x204060})


def shown_picture(files, shown):
    item = shown["images"][0]
    path = files.folders(item["type"])[0] / item["subfolder"] / item["filename"]
    return np.asarray(Image.open(path).convert("RGB"))[0, 0].tolist()


def test_the_v1_example(pack, files):
    engine = pack("example_v1")
    graph = {
        "i": PICTURE,
        "f": ("ExampleFade", {"image": ["i", 0], "strength": 1.0}),
        "x": ("PreviewImage", {"images": ["f", 0]}),
    }
    shown = engine.run(graph)
    assert shown_picture(files, shown["x"]) == [0x40, 0x40, 0x40]
    progress = [(each.step, each.steps) for each in engine.of(messages.Progress)]
    assert progress[-1] == (2, 2)
    graph["f"][1]["strength"] = 1.5
    assert engine.check(graph).node_errors["f"].errors[0].type == "value_bigger_than_max"


def test_the_v3_example(pack, files):
    engine = pack("example_v3")
    shown = engine.run({"i": PICTURE, "x": ("ExampleBrighten", {"image": ["i", 0], "factor": 2.0})})
    assert shown_picture(files, shown["x"]) == [0x40, 0x80, 0xC0]


def test_the_page_shows_them_as_they_are():
    page = (ROOT / "docs/writing_packs.md").read_text(encoding="utf-8")
    for name in ("example_v1", "example_v3"):
        code = (ROOT / f"tests/plugins/{name}/__init__.py").read_text(encoding="utf-8")
        assert f"```python\n{code}```\n" in page, name
