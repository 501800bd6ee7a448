"""Nodes whose inputs depend on choices and joins, through the HTTP API."""

import json
import urllib.error
import urllib.request

import pytest


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def graph(switch, second="two"):
    return {
        "one": node("EmptyImage", width=64, height=32, batch_size=1, color=0xFF0000),
        "two": node("EmptyImage", width=16, height=16, batch_size=1, color=0x0000FF),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "never": node("ImageScaleBy", image=["two", 0], upscale_method="area", scale_by=1.0),
        "side": {
            "class_type": "ComfyMathExpression",
            "inputs": {"expression": "max(a // 2, 8) * 2", "values.a": 49},
        },
        "switch": node("ComfySwitchNode", switch=switch, on_false=["one", 0], on_true=[second, 0]),
        "resized": {
            "class_type": "ResizeImageMaskNode",
            "inputs": {
                "input": ["switch", 0],
                "resize_type": "scale width",
                "resize_type.width": ["side", 1],
                "scale_method": "area",
            },
        },
        "size": node("GetImageSize", image=["resized", 0]),
        "shown": node("PreviewAny", source=["size", 1]),
        "seen": node("PreviewImage", images=["resized", 0]),
    }


def run(server, real, prompt):
    async def scenario(browser):
        await browser.worker_ready()
        return await browser.ended(await browser.queue(prompt))

    return real.with_browser(server, scenario)


@pytest.mark.parametrize(("switch", "height"), [(False, "24"), (True, "48")])
def test_a_switch_computes_one_side_and_a_formula_gives_the_size(server, real, switch, height):
    entry = run(server, real, graph(switch, second="never"))
    assert entry["status"]["status_str"] == "success", entry["status"]
    assert entry["outputs"]["shown"]["text"] == [height]


def test_two_types_in_one_switch_are_refused_before_anything_runs(server):
    body = json.dumps({"prompt": graph(True, second="latent")}).encode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.address}prompt", body, timeout=60)
    found = json.loads(caught.value.read())
    [error] = found["node_errors"]["switch"]["errors"]
    assert error["type"] == "return_type_mismatch"
    assert "received_type(LATENT) mismatch input_type(IMAGE)" in error["details"]
