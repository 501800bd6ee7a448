"""A hypernetwork, GLIGEN and IP-Adapter in a real server, and what does not fit, on tiny files."""

from itertools import combinations

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.vision.clip_network import ClipVision, ClipVisionConfig
from tests.wet.conftest import fill_by_name
from tests.wet.inference.ip_adapter_files import plain, plus
from tests.wet.nodes.gligen_files import modules_of, tensors_of

PREFIX = "model.diffusion_model."
TINY = ClipVisionConfig(28, 7, 64, 128, 3, 1, "quick_gelu", 48)


def hypernetwork(width, inner=None):
    inner = inner or 2 * width
    layers = {
        "linear.0.weight": torch.ones(inner, width) * 0.02,
        "linear.0.bias": torch.ones(inner),
    }
    last = {"linear.2.weight": torch.ones(width, inner) * 0.02, "linear.2.bias": torch.ones(width)}
    return layers | last


@pytest.fixture(scope="module")
def models(small_models, small_tensors):
    """All the files."""
    for kind in ("hypernetworks", "gligen", "ipadapter", "clip_vision"):
        (small_models / kind).mkdir(exist_ok=True)
    pair = [hypernetwork(64)] * 2
    torch.save({64: pair, "activation_func": "relu"}, small_models / "hypernetworks" / "h.pt")
    torch.save({64: pair[:1]}, small_models / "hypernetworks" / "bad.pt")
    shapes = {
        name.removeprefix(PREFIX): tuple(tensor.shape)
        for name, tensor in small_tensors.items()
        if name.startswith(PREFIX)
    }
    boxes = tensors_of(*modules_of(small_tensors))
    save_file(boxes, small_models / "gligen" / "g.safetensors")
    adapters = small_models / "ipadapter"
    save_file(plain(shapes, channels=48, width=64), adapters / "plain.safetensors")
    save_file(plus(shapes, channels=64, width=64), adapters / "plus.safetensors")
    save_file(plain(shapes, channels=1280, width=64), adapters / "wide.safetensors")
    module = fill_by_name(lambda: ClipVision(TINY))
    named = {
        key if key.startswith("visual") else f"vision_model.{key}": value
        for key, value in module.state_dict().items()
    }
    save_file(named, small_models / "clip_vision" / "v.safetensors")
    return small_models


def prompt(model=("1", 0), positive=("3", 0), **more):
    """A run with further nodes between loader and sampler."""
    nodes = {
        "1": ("CheckpointLoaderSimple", {"ckpt_name": "small.safetensors"}),
        "3": ("CLIPTextEncode", {"clip": ["1", 1], "text": "a"}),
        "4": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "5": (
            "KSampler",
            {
                "model": list(model),
                "positive": list(positive),
                "negative": ["3", 0],
                "latent_image": ["4", 0],
                "seed": 1,
                "steps": 2,
                "cfg": 4.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        ),
        "6": ("SaveLatent", {"samples": ["5", 0], "filename_prefix": "x"}),
        **more,
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def hyper(name="h.pt"):
    inputs = {"model": ["1", 0], "hypernetwork_name": name, "strength": 0.8}
    return prompt(model=("20", 0), **{"20": ("HypernetworkLoader", inputs)})


def gligen():
    box = {"text": "a ball", "width": 32, "height": 40, "x": 8, "y": 16}
    given = {"conditioning_to": ["3", 0], "clip": ["1", 1], "gligen_textbox_model": ["20", 0]}
    nodes = {
        "20": ("GLIGENLoader", {"gligen_name": "g.safetensors"}),
        "21": ("GLIGENTextBoxApply", {**given, **box}),
    }
    return prompt(positive=("21", 0), **nodes)


def ip_adapter(name="plain.safetensors"):
    applied = {"model": ["1", 0], "ip_adapter": ["20", 0], "clip_vision": ["21", 0], "weight": 0.9}
    settings = {"start_percent": 0.0, "end_percent": 1.0, "several": "concatenate"}
    nodes = {
        "20": ("LoadIPAdapter", {"ip_adapter_name": name}),
        "21": ("CLIPVisionLoader", {"clip_name": "v.safetensors"}),
        "22": ("EmptyImage", {"width": 64, "height": 48, "batch_size": 1, "color": 0x3060C0}),
        "23": ("ApplyIPAdapter", {**applied, **settings, "image": ["22", 0]}),
    }
    return prompt(model=("23", 0), **nodes)


def mixed():
    """All of them at once: a hypernetwork, then a picture on the same model, boxes on the text."""
    made = {**ip_adapter(), **{f"3{name}": node for name, node in hyper().items()}}
    made |= {f"4{name}": node for name, node in gligen().items() if name in ("20", "21")}
    made["320"]["inputs"]["model"] = ["1", 0]
    made["23"]["inputs"]["model"] = ["320", 0]
    made["421"]["inputs"]["gligen_textbox_model"] = ["420", 0]
    made["5"]["inputs"]["positive"] = ["421", 0]
    return {name: made[name] for name in made if not name.startswith("3") or name in ("3", "320")}


def test_networks_inside_attention_by_the_api(models, server, real):
    asked = {
        "none": prompt(),
        "hypernetwork": hyper(),
        "gligen": gligen(),
        "plain": ip_adapter(),
        "plus": ip_adapter("plus.safetensors"),
        "mixed": mixed(),
        "bad": hyper("bad.pt"),
        "wide": ip_adapter("wide.safetensors"),
    }

    async def scenario(browser):
        await browser.worker_ready()
        return {
            name: await browser.ended(await browser.queue(each)) for name, each in asked.items()
        }

    entries = real.with_browser(server, scenario)

    def latent(name):
        assert entries[name]["status"]["status_str"] == "success", entries[name]["status"]
        [shown] = entries[name]["outputs"]["6"]["latents"]
        path = server.user / "output" / shown["subfolder"] / shown["filename"]
        return load_file(path)["latent_tensor"]

    latents = [latent(n) for n in ("none", "hypernetwork", "gligen", "plain", "plus", "mixed")]
    assert all(torch.isfinite(each).all() for each in latents)
    for one, other in combinations(latents, 2):
        assert (one - other).norm() > 1e-4 * other.norm()

    def said(name):
        messages = dict(entries[name]["status"]["messages"])
        return messages["execution_error"]["exception_message"]

    assert "bad.pt: a damaged hypernetwork: for 64 channels it should hold two lists" in said("bad")
    assert "wide.safetensors takes vectors of 1280 numbers, those of CLIP vision ViT" in said(
        "wide"
    )
