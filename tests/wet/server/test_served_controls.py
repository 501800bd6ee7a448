"""Control networks through the HTTP API: chains with ranges, a T2I-Adapter, a union, bad files."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.controlnet_union import ControlNetUnion, UnionConfig
from engine.nets.layouts import regular_unet
from engine.nets.t2i_adapter import LevelConfig, T2IAdapter, T2IAdapterConfig


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def prompt(checkpoint, *controls, types=()):
    """A latent under control networks: (file, strength, start, end), a type for each if given."""
    found = {
        "model": node("CheckpointLoaderSimple", ckpt_name=f"{checkpoint}.safetensors"),
        "text": node("CLIPTextEncode", clip=["model", 1], text="a fox"),
        "empty": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "paper": node("EmptyImage", width=64, height=64, batch_size=1, color=0x3060C0),
        "drawn": node("EmptyImage", width=24, height=32, batch_size=1, color=0xF0E020),
        "picture": node(
            "ImageCompositeMasked",
            destination=["paper", 0], source=["drawn", 0], x=16, y=8, resize_source=False,
        ),
        "saved": node("SaveLatent", samples=["sampled", 0], filename_prefix="control"),
    }  # fmt: skip
    positive, negative = ["text", 0], ["text", 0]
    for number, (file, strength, start, end) in enumerate(controls):
        found[f"net{number}"] = node("ControlNetLoader", control_net_name=f"{file}.safetensors")
        net = [f"net{number}", 0]
        if types:
            found[f"type{number}"] = node(
                "SetUnionControlNetType", control_net=net, type=types[number]
            )
            net = [f"type{number}", 0]
        found[f"applied{number}"] = node(
            "ControlNetApplyAdvanced",
            positive=positive, negative=negative, control_net=net, image=["picture", 0],
            strength=strength, start_percent=start, end_percent=end,
        )  # fmt: skip
        positive, negative = [f"applied{number}", 0], [f"applied{number}", 1]
    found["sampled"] = node(
        "KSampler",
        model=["model", 0], positive=positive, negative=negative, latent_image=["empty", 0],
        seed=1, steps=3, cfg=4.0, sampler_name="euler", scheduler="normal", denoise=1.0,
    )  # fmt: skip
    return found


def filled(module):
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(tensor.shape, generator=generator) * max(tensor[0].numel(), 1) ** -0.5
        for name, tensor in module.state_dict().items()
    }


def controlnet(unet):
    width = unet.model_channels
    return ControlNetConfig(
        4, width, 4 * width, unet.vector_channels, unet.input_blocks, unet.middle_block,
        (3, *[16] * 7, width),
    )  # fmt: skip


@pytest.fixture(scope="module")
def control_models(small_models, random_checkpoints):
    """Tiny SD1 of four levels, tiny SDXL, and control networks for them."""
    four = replace(
        random_checkpoints.SMALL, multipliers=(1, 1, 1, 1), depths=(1, 0, 0, 0), blocks=2
    )
    for name, sizes in (("four", four), ("xl", random_checkpoints.SMALL_XL)):
        tensors = random_checkpoints.tensors(sizes, torch.float16)
        save_file(tensors, small_models / "checkpoints" / f"{name}.safetensors")
    folder = small_models / "controlnet"
    folder.mkdir(exist_ok=True)
    lines = ControlNet(
        controlnet(regular_unet(32, (1, 1, 1, 1), (1, 0, 0, 0), context=64, heads=8))
    )
    save_file(filled(lines), folder / "lines.safetensors")
    levels = tuple(LevelConfig(32 if i else 192, 32, 16, True, True, 2, 3, i > 0) for i in range(4))
    adapter = T2IAdapter(T2IAdapterConfig(8, 3, None, levels))
    save_file(filled(adapter), folder / "adapter.safetensors")
    sizes = random_checkpoints.SMALL_XL
    vector = sizes.open_width + 6 * 256
    unet = regular_unet(
        64, (1, 2), (0, 1), context=sizes.text_width + sizes.open_width, blocks=1, linear=True,
        vector=vector,
    )  # fmt: skip
    union = ControlNetUnion(controlnet(unet), UnionConfig(6, 6, 64, 128, 1))
    save_file(filled(union), folder / "union.safetensors")
    whole = (folder / "union.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    save_file({"a.lora_up.weight": torch.ones(1)}, folder / "lora.safetensors")
    return small_models


LINES, ADAPTER = ("lines", 0.8, 0.0, 0.6), ("adapter", 0.7, 0.0, 1.0)
GOOD = {
    "plain": prompt("four"),
    "one": prompt("four", LINES),
    "chain": prompt("four", LINES, ("lines", 0.5, 0.4, 1.0)),
    "adapter": prompt("four", ADAPTER),
    "both": prompt("four", LINES, ADAPTER),
    "xl": prompt("xl"),
    "auto": prompt("xl", ("union", 1.0, 0.0, 1.0), types=("auto",)),
    "depth": prompt("xl", ("union", 1.0, 0.0, 1.0), types=("depth",)),
    "two": prompt(
        "xl", ("union", 0.5, 0.0, 1.0), ("union", 0.5, 0.0, 1.0), types=("depth", "openpose")
    ),
}


def test_control_networks_by_the_api(control_models, server, real):
    async def scenario(browser):
        await browser.worker_ready()
        return {name: await browser.ended(await browser.queue(each)) for name, each in GOOD.items()}

    ended = real.with_browser(server, scenario)
    found = {}
    for name, entry in ended.items():
        assert entry["status"]["status_str"] == "success", (name, entry["status"])
        [shown] = entry["outputs"]["saved"]["latents"]
        path = server.user / "output" / shown["subfolder"] / shown["filename"]
        found[name] = load_file(path)["latent_tensor"]
        assert found[name].isfinite().all()
    for names in (("plain", "one", "chain", "adapter", "both"), ("xl", "auto", "depth", "two")):
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                assert not torch.allclose(found[one], found[other]), (one, other)


BAD = {
    "a model of another family": (
        prompt("xl", ("lines", 1.0, 0.0, 1.0)),
        "the control network takes text tokens 64 wide, the model gives those of 128: it was made",
    ),
    "an adapter for more levels": (
        prompt("small", ADAPTER),
        "adds to 12 blocks of the encoder half, the model has 4: it was made for another model",
    ),
    "a type beyond the rows": (
        prompt("xl", ("union", 1.0, 0.0, 1.0), types=("repaint",)),
        "has 6 types of pictures, numbered from 0, the chosen one is number 7; choose another",
    ),
    "a truncated file": (prompt("four", ("cut", 1.0, 0.0, 1.0)), "cut.safetensors: not a sound"),
    "a LoRA": (
        prompt("four", ("lora", 1.0, 0.0, 1.0)),
        "lora.safetensors: this is a LoRA, not a control network; load it with Load LoRA",
    ),
}


def test_what_does_not_fit_is_a_sentence(control_models, server, real):
    async def scenario(browser):
        await browser.worker_ready()
        return {
            name: await browser.ended(await browser.queue(each)) for name, (each, _) in BAD.items()
        }

    ended = real.with_browser(server, scenario)
    for name, (_, said) in BAD.items():
        assert ended[name]["status"]["status_str"] == "error", name
        messages = ended[name]["status"]["messages"]
        [failure] = [data for kind, data in messages if kind == "execution_error"]
        assert said in failure["exception_message"], name
