"""Workflows that show a model a picture: control networks, and Redux."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from family_graphs import graph_of
from family_recipes import RECIPES, Graph, Recipe, file_of

CONTROLNET = "controlnet"
FLUX_UNION = (
    "Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro-2.0/resolve/main/"
    "diffusion_pytorch_model.safetensors"
)
SD35_CANNY = (
    "Comfy-Org/stable-diffusion-3.5-controlnets_ComfyUI_repackaged/resolve/main/split_files/"
    "controlnet/sd3.5_large_controlnet_canny.safetensors"
)
QWEN_UNION = (
    "Comfy-Org/Qwen-Image-InstantX-ControlNets/resolve/main/split_files/controlnet/"
    "Qwen-Image-InstantX-ControlNet-Union.safetensors"
)
REDUX = "Comfy-Org/Flux1-Redux-Dev/resolve/main/flux1-redux-dev.safetensors"
SIGLIP = "Comfy-Org/sigclip_vision_384/resolve/main/sigclip_vision_patch14_384.safetensors"
BY_NAME: Mapping[str, Recipe] = {recipe.name: recipe for recipe in RECIPES}


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _lines(recipe: Recipe) -> Graph:
    """The usual workflow along the edges of a picture."""
    graph = graph_of(replace(recipe, graph=None))
    [(_, address)] = recipe.further
    sampled = graph["sampled"]["inputs"]
    graph["picture"] = _node("LoadImage", image="example.png")
    graph["lines"] = _node("Canny", image=["picture", 0], low_threshold=0.2, high_threshold=0.5)
    graph["net"] = _node("ControlNetLoader", control_net_name=file_of(address))
    graph["shown"] = _node(
        "ControlNetApplyAdvanced",
        positive=sampled["positive"],
        negative=sampled["negative"],
        control_net=["net", 0],
        image=["lines", 0],
        vae=graph["decoded"]["inputs"]["vae"],
        strength=0.7,
        start_percent=0.0,
        end_percent=0.8,
    )
    sampled["positive"], sampled["negative"] = ["shown", 0], ["shown", 1]
    return graph


def _redux(recipe: Recipe) -> Graph:
    """The usual workflow with a picture beside the prompt."""
    graph = graph_of(replace(recipe, graph=None))
    (_, style), (_, eye) = recipe.further
    sampled = graph["sampled"]["inputs"]
    graph["picture"] = _node("LoadImage", image="example.png")
    graph["eye"] = _node("CLIPVisionLoader", clip_name=file_of(eye))
    graph["seen"] = _node(
        "CLIPVisionEncode", clip_vision=["eye", 0], image=["picture", 0], crop="center"
    )
    graph["style"] = _node("StyleModelLoader", style_model_name=file_of(style))
    graph["styled"] = _node(
        "StyleModelApply",
        conditioning=sampled["positive"],
        style_model=["style", 0],
        clip_vision_output=["seen", 0],
        strength=1.0,
        strength_type="multiply",
    )
    sampled["positive"] = ["styled", 0]
    return graph


def _shown(
    model: str,
    name: str,
    title: str,
    graph: Callable[[Recipe], Graph],
    further: tuple[tuple[str, str], ...],
    notes: str,
) -> Recipe:
    """The recipe of a model with other files, and a workflow for them."""
    return replace(
        BY_NAME[model], name=name, title=title, graph=graph, further=further, notes=notes
    )


SHOWN: tuple[Recipe, ...] = (
    _shown(
        "flux_dev",
        "flux_controlnet",
        "FLUX.1 dev along the lines of a picture (ControlNet)",
        _lines,
        ((CONTROLNET, FLUX_UNION),),
        "the union takes edges, depth, a pose and others; the VAE is connected to the ControlNet",
    ),
    _shown(
        "flux_dev",
        "flux_redux",
        "FLUX.1 dev like a picture (Redux)",
        _redux,
        (("style_models", REDUX), ("clip_vision", SIGLIP)),
        "a strength below 1 leaves more to the prompt",
    ),
    _shown(
        "sd35_large",
        "sd35_controlnet",
        "Stable Diffusion 3.5 large along the lines of a picture (ControlNet)",
        _lines,
        ((CONTROLNET, SD35_CANNY),),
        "there are others for depth and for a blurred picture",
    ),
    _shown(
        "qwen_image",
        "qwen_image_controlnet",
        "Qwen-Image along the lines of a picture (ControlNet)",
        _lines,
        ((CONTROLNET, QWEN_UNION),),
        "the union takes edges, depth, a pose and soft edges, and sees which",
    ),
)
