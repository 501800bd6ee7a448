"""ControlNets of FLUX.1, Qwen-Image and SD3, and Redux, through the HTTP API on tiny files."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.families.qwen_image.blockwise import BlockwiseConfig, BlockwiseControl
from engine.nets.controlnet import ControlNet
from engine.text.clip_network import ClipText
from engine.text.t5_network import T5Text
from engine.vision.redux import Redux, ReduxConfig
from engine.vision.siglip import Siglip, SiglipConfig
from tests.wet import control_files, flux_models, sd3_files, wan_files
from tests.wet.control.conftest import config, filled
from tests.wet.picture_checkpoints import made

SIGLIP = SiglipConfig(side=28, patch=7, channels=64, feed_forward=96, layers=2, heads=1)


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


MODELS = {
    "flux": {
        "unet": node("UNETLoader", unet_name="flux.safetensors", weight_dtype="default"),
        "clip": node(
            "DualCLIPLoader",
            clip_name1="t5.safetensors",
            clip_name2="clip_l.safetensors",
            type="flux",
        ),
    },
    "qwen": {
        "unet": node("UNETLoader", unet_name="qwen.safetensors", weight_dtype="default"),
        "clip": node("CLIPLoader", clip_name="qwen25.safetensors", type="qwen_image"),
    },
    "sd3": {"unet": node("CheckpointLoaderSimple", ckpt_name="sd3.safetensors")},
}


def prompt(family, *controls, vae=None, model="unet", positive="text", **more):
    """A latent under control networks: (file, strength, start, end, the node that applies it)."""
    clip = ["unet", 1] if family == "sd3" else ["clip", 0]
    found = {
        **MODELS[family],
        "vae": node("VAELoader", vae_name=f"{vae or family}_vae.safetensors"),
        "text": node("CLIPTextEncode", clip=clip, text="a fox in the snow"),
        "empty": node("EmptySD3LatentImage", width=64, height=48, batch_size=1),
        "drawn": node("EmptyImage", width=96, height=64, batch_size=1, color=0x3060C0),
        "mask": node("SolidMask", value=1.0, width=24, height=16),
        "saved": node("SaveLatent", samples=["sampled", 0], filename_prefix="control"),
        **more,
    }
    wanted, unwanted = [positive, 0], ["text", 0]
    for number, (file, strength, start, end, kind, inputs) in enumerate(controls):
        found[f"net{number}"] = node("ControlNetLoader", control_net_name=f"{file}.safetensors")
        found[f"type{number}"] = node(
            "SetUnionControlNetType", control_net=[f"net{number}", 0], type="depth"
        )
        net = f"type{number}" if "union" in file else f"net{number}"
        found[f"applied{number}"] = node(
            kind, positive=wanted, negative=unwanted, control_net=[net, 0], image=["drawn", 0],
            strength=strength, start_percent=start, end_percent=end, **inputs,
        )  # fmt: skip
        wanted, unwanted = [f"applied{number}", 0], [f"applied{number}", 1]
    found["sampled"] = node(
        "KSampler",
        model=[model, 0], positive=wanted, negative=unwanted, latent_image=["empty", 0],
        seed=1, steps=1, cfg=1.0, sampler_name="euler", scheduler="simple", denoise=1.0,
    )  # fmt: skip
    return found


def by(file, kind="ControlNetApplyAdvanced", *, strength=0.8, start=0.0, end=1.0, **inputs):
    given = {"vae": ["vae", 0], **inputs}
    return file, strength, start, end, kind, {name: each for name, each in given.items() if each}


def redux(strength, kind, file="redux"):
    return prompt(
        "flux",
        positive="styled",
        eye=node("CLIPVisionLoader", clip_name="siglip.safetensors"),
        seen=node(
            "CLIPVisionEncode", clip_vision=["eye", 0], image=["drawn", 0], crop="center"
        ),
        style=node("StyleModelLoader", style_model_name=f"{file}.safetensors"),
        styled=node(
            "StyleModelApply", conditioning=["text", 0], style_model=["style", 0],
            clip_vision_output=["seen", 0], strength=strength, strength_type=kind,
        ),
    )  # fmt: skip


PAINTED = {"mask": ["mask", 0]}
GOOD = {
    "flux": prompt("flux"),
    "flux, XLabs": prompt("flux", by("flux_xlabs", vae=None)),
    "flux, InstantX": prompt("flux", by("flux_instantx")),
    "flux, union and inpainting": prompt(
        "flux",
        by("flux_union", "ControlNetApplySD3", end=0.7),
        by("flux_inpainting", "ControlNetInpaintingAliMamaApply", **PAINTED),
    ),
    "flux, Redux": redux(1.0, "multiply"),
    "flux, Redux with a bias": redux(0.5, "attn_bias"),
    "qwen": prompt("qwen"),
    "qwen, InstantX": prompt("qwen", by("qwen_instantx")),
    "qwen, inpainting": prompt(
        "qwen", by("qwen_inpainting", "ControlNetInpaintingAliMamaApply", **PAINTED)
    ),
    "qwen, blockwise": prompt(
        "qwen",
        model="patched",
        patch=node("ModelPatchLoader", name="blockwise.safetensors"),
        patched=node(
            "QwenImageDiffsynthControlnet",
            model=["unet", 0],
            model_patch=["patch", 0],
            vae=["vae", 0],
            image=["drawn", 0],
            strength=1.0,
        ),
    ),
    "sd3": prompt("sd3"),
    "sd3, InstantX": prompt("sd3", by("sd3_instantx")),
    "sd3, canny": prompt("sd3", by("sd3_canny", "ControlNetApplySD3")),
    "sd3, depth": prompt("sd3", by("sd3_depth")),
}
BAD = {
    "no VAE": (
        prompt("flux", by("flux_instantx", vae=None)),
        "takes an encoded picture, but there is no VAE; connect the one of FLUX.1",
    ),
    "the VAE of another family": (
        prompt("flux", by("flux_instantx"), vae="qwen"),
        "takes pictures encoded with the VAE of FLUX.1 (tokens of 128 numbers) (16 channels, 2 ax",
    ),
    "a network of another family": (
        prompt("sd3", by("flux_instantx")),
        "made for FLUX.1 (tokens of 128 numbers), but the model is sd3.safetensors, ",
    ),
    "a UNet's": (prompt("flux", by("lines")), "made for the UNet of a Stable Diffusion 1, 2 or XL"),
    "a picture seen by another encoder": (
        {
            **redux(1.0, "multiply"),
            "style": node("StyleModelLoader", style_model_name="wide.safetensors"),
        },
        "numbers, the style model takes 80; encode the picture with SigLIP so400m",
    ),
}


@pytest.fixture(scope="module")
def models(small_models, random_checkpoints):
    """Tiny models of the three families, their encoders and control networks."""
    tool = random_checkpoints
    files = {f"controlnet/{name}": each for name, each in control_files.files(tool).items()}
    files["controlnet/lines"] = filled(ControlNet(config()))
    for name, each in control_files.models(tool).items():
        files[f"{'vae' if name.endswith('_vae') else 'diffusion_models'}/{name}"] = each
    files["text_encoders/qwen25"] = wan_files.language_model()
    blockwise = BlockwiseConfig(wan_files.QWEN_IMAGE.channels, 2, mask=False)
    files["model_patches/blockwise"] = wan_files.filled(lambda: BlockwiseControl(blockwise))
    files["checkpoints/sd3"] = sd3_files.whole(tool)
    with torch.device("meta"):
        nets = {
            "clip_vision/siglip": Siglip(SIGLIP),
            "style_models/redux": Redux(ReduxConfig(64, 96, flux_models.WIDTH)),
            "style_models/wide": Redux(ReduxConfig(80, 96, flux_models.WIDTH)),
            "text_encoders/t5": T5Text(flux_models.T5),
            "text_encoders/clip_l": ClipText(flux_models.CLIP),
        }
    for name, net in nets.items():
        files[name] = made(tool, "text_model." if name.endswith("clip_l") else "", net)
    for name, tensors in files.items():
        path = small_models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    return small_models


def test_control_networks_of_transformers_by_the_api(models, server, real):
    async def scenario(browser):
        await browser.worker_ready()
        return {
            name: await browser.ended(await browser.queue(each))
            for name, each in {**GOOD, **{name: bad for name, (bad, _) in BAD.items()}}.items()
        }

    ended = real.with_browser(server, scenario)
    found = {}
    for name in GOOD:
        entry = ended[name]
        assert entry["status"]["status_str"] == "success", (name, entry["status"])
        [shown] = entry["outputs"]["saved"]["latents"]
        path = server.user / "output" / shown["subfolder"] / shown["filename"]
        found[name] = load_file(path)["latent_tensor"]
        assert found[name].isfinite().all(), name
    for family in ("flux", "qwen", "sd3"):
        names = [name for name in GOOD if name.partition(",")[0] == family]
        for number, one in enumerate(names):
            for other in names[number + 1 :]:
                assert not torch.allclose(found[one], found[other]), (one, other)
    for name, (_, said) in BAD.items():
        assert ended[name]["status"]["status_str"] == "error", name
        messages = ended[name]["status"]["messages"]
        [failure] = [data for kind, data in messages if kind == "execution_error"]
        assert said in failure["exception_message"], name
