"""LoRA in a real server: a picture, the node's messages, a damaged file, a saved model."""

import torch
from safetensors.torch import load_file, save_file

UNET = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
TO_K = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


def prompt(lora, *, strength=1.0, save=False):
    """A picture with a LoRA; with `save`, the changed model too."""
    nodes = {
        "1": ("CheckpointLoaderSimple", {"ckpt_name": "small.safetensors"}),
        "2": (
            "LoraLoader",
            {
                "model": ["1", 0],
                "clip": ["1", 1],
                "lora_name": lora,
                "strength_model": strength,
                "strength_clip": strength,
            },
        ),
        "3": ("CLIPTextEncode", {"clip": ["2", 1], "text": "a"}),
        "4": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "5": (
            "KSampler",
            {
                "model": ["2", 0],
                "positive": ["3", 0],
                "negative": ["3", 0],
                "latent_image": ["4", 0],
                "seed": 1,
                "steps": 1,
                "cfg": 1.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        ),
        "6": ("SaveLatent", {"samples": ["5", 0], "filename_prefix": "x"}),
    }
    if save:
        kept = {"model": ["2", 0], "clip": ["2", 1], "vae": ["1", 2], "filename_prefix": "m"}
        nodes["7"] = ("CheckpointSave", kept)
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def test_loras_by_the_api(server, real, small_models, small_tensors):
    folder = small_models / "loras"
    folder.mkdir()
    out, inner = small_tensors[TO_K].shape
    up, down = torch.ones(out, 1), torch.full((1, inner), 0.25)
    pair = {f"unet.{UNET}.lora_B.weight": up, f"unet.{UNET}.lora_A.weight": down}
    save_file(pair | {"unet.nowhere.lora_A.weight": down.clone()}, folder / "a.safetensors")
    (folder / "cut.safetensors").write_bytes((folder / "a.safetensors").read_bytes()[:-9])

    async def scenario(browser):
        await browser.worker_ready()
        asked = [
            prompt("a.safetensors", strength=0.0),
            prompt("a.safetensors", save=True),
            prompt("cut.safetensors"),
        ]
        return [await browser.ended(await browser.queue(each)) for each in asked]

    plain, changed, cut = real.with_browser(server, scenario)
    output = server.user / "output"

    def latent(entry):
        [shown] = entry["outputs"]["6"]["latents"]
        return load_file(output / shown["subfolder"] / shown["filename"])["latent_tensor"]

    assert not torch.allclose(latent(plain), latent(changed))
    [sentence] = changed["outputs"]["2"]["text"]
    assert "1 of its names have no place" in sentence
    assert "unet.nowhere" in sentence
    [name] = changed["outputs"]["7"]["text"]
    saved = load_file(output / name)
    expected = small_tensors[TO_K].float() + up @ down
    assert torch.allclose(saved[TO_K].float(), expected, atol=1e-2)
    assert cut["status"]["status_str"] == "error"
    [failure] = [data for kind, data in cut["status"]["messages"] if kind == "execution_error"]
    assert (
        "cut.safetensors: not a sound safetensors file: it is truncated"
        in (failure["exception_message"])
    )
    assert failure["node_id"] == "2"
