"""A workflow with several patches of its model in a real server."""

import torch
from safetensors.torch import load_file

PATCHES = {
    "PerturbedAttentionGuidance": {"scale": 2.0},
    "SelfAttentionGuidance": {"scale": 0.5, "blur_sigma": 2.0},
    "TomePatchModel": {"ratio": 0.4},
    "HyperTile": {"tile_size": 32, "swap_size": 2, "max_depth": 1, "scale_depth": False},
    "PatchModelAddDownscale": {
        "block_number": 3,
        "downscale_factor": 2.0,
        "start_percent": 0.0,
        "end_percent": 0.5,
        "downscale_after_skip": True,
        "downscale_method": "bicubic",
        "upscale_method": "bicubic",
    },
    "CFGNorm": {"strength": 0.9},
    "FreSca": {"scale_low": 0.9, "scale_high": 1.3, "freq_cutoff": 2},
    "DifferentialDiffusion": {"strength": 1.0},
}


def prompt(patches, *, seed=1):
    """A masked picture with patches in that order, and Perp-Neg's guider."""
    nodes = {
        "1": ("CheckpointLoaderSimple", {"ckpt_name": "small.safetensors"}),
        "2": ("CLIPTextEncode", {"clip": ["1", 1], "text": "a"}),
        "3": ("CLIPTextEncode", {"clip": ["1", 1], "text": "b c"}),
        "4": ("CLIPTextEncode", {"clip": ["1", 1], "text": ""}),
        "5": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 2}),
        "6": ("SolidMask", {"value": 0.6, "width": 64, "height": 64}),
        "7": ("SetLatentNoiseMask", {"samples": ["5", 0], "mask": ["6", 0]}),
        "8": ("RandomNoise", {"noise_seed": seed}),
        "9": ("KSamplerSelect", {"sampler_name": "euler"}),
    }
    model = ["1", 0]
    for number, name in enumerate(patches, start=20):
        nodes[str(number)] = (name, {"model": model, **PATCHES[name]})
        model = [str(number), 0]
    basic = {"model": model, "scheduler": "normal", "steps": 3, "denoise": 1.0}
    guider = {
        "model": model,
        "positive": ["2", 0],
        "negative": ["3", 0],
        "empty_conditioning": ["4", 0],
        "cfg": 4.0,
        "neg_scale": 0.8,
    }
    run = {
        "noise": ["8", 0],
        "guider": ["11", 0],
        "sampler": ["9", 0],
        "sigmas": ["10", 0],
        "latent_image": ["7", 0],
    }
    nodes |= {
        "10": ("BasicScheduler", basic),
        "11": ("PerpNegGuider", guider),
        "12": ("SamplerCustomAdvanced", run),
        "13": ("SaveLatent", {"samples": ["12", 0], "filename_prefix": "x"}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def test_stacked_patches_by_the_api(server, real, small_models):
    async def scenario(browser):
        await browser.worker_ready()
        asked = [
            prompt([]),
            prompt(list(PATCHES)),
            # Another seed in between: patches draw their random numbers anew in each run.
            prompt(list(PATCHES), seed=2),
            prompt(["CFGNorm", *(name for name in PATCHES if name != "CFGNorm")]),
        ]
        return [await browser.ended(await browser.queue(each)) for each in asked]

    entries = real.with_browser(server, scenario)
    output = server.user / "output"

    def latent(entry):
        [shown] = entry["outputs"]["13"]["latents"]
        return load_file(output / shown["subfolder"] / shown["filename"])["latent_tensor"]

    plain, patched, other, reordered = map(latent, entries)
    assert all(each.isfinite().all() for each in (plain, patched, other, reordered))
    assert not torch.allclose(plain, patched)
    assert not torch.allclose(patched, other)
    assert not torch.allclose(patched, reordered)
