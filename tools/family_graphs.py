"""The usual workflow of each recipe, in ComfyUI's API form."""

from __future__ import annotations

from typing import Any

from family_recipes import Graph, Recipe, file_of

PROMPT = "a lighthouse on a cliff at dusk, waves, warm light in the windows"


def graph_of(recipe: Recipe) -> Graph:
    """The workflow in ComfyUI's API form."""
    if recipe.graph is not None:
        return recipe.graph(recipe)
    graph, model, clip, vae = _loaded(recipe)
    if recipe.shift is not None:
        class_type, values = recipe.shift
        graph["shift"] = _node(class_type, model=model, **values)
        model = ["shift", 0]
    positive, negative, latent = _prompts(recipe, graph, clip, vae)
    if "cached" in graph:
        model = ["cached", 0]
    steps, cfg, sampler, scheduler = recipe.sampling
    graph["sampled"] = _node(
        "KSampler",
        model=model,
        positive=positive,
        negative=negative,
        latent_image=latent,
        seed=1,
        steps=steps,
        cfg=cfg,
        sampler_name=sampler,
        scheduler=scheduler,
        denoise=1.0,
    )
    graph["decoded"] = _node("VAEDecode", samples=["sampled", 0], vae=vae)
    graph["saved"] = _node("SaveImage", images=["decoded", 0], filename_prefix=recipe.name)
    return graph


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _loaded(recipe: Recipe) -> tuple[Graph, list[Any], list[Any], list[Any]]:
    """The loaders, and where model, CLIP and VAE come from."""
    if not recipe.encoders:
        name = file_of(recipe.denoiser)
        graph = {"file": _node("CheckpointLoaderSimple", ckpt_name=name)}
        return graph, ["file", 0], ["file", 1], ["file", 2]
    names = [file_of(each) for each in recipe.encoders]
    if len(names) == 1:
        clip = _node("CLIPLoader", clip_name=names[0], type=recipe.type)
    elif len(names) == 4:
        inputs = {f"clip_name{number}": name for number, name in enumerate(names, 1)}
        clip = _node("QuadrupleCLIPLoader", **inputs)
    else:
        clip = _node("DualCLIPLoader", clip_name1=names[0], clip_name2=names[1], type=recipe.type)
    graph = {
        "file": _node("UNETLoader", unet_name=file_of(recipe.denoiser), weight_dtype="default"),
        "clip": clip,
        "vae": _node("VAELoader", vae_name=file_of(recipe.vae)),
    }
    return graph, ["file", 0], ["clip", 0], ["vae", 0]


def _prompts(
    recipe: Recipe, graph: Graph, clip: list[Any], vae: list[Any]
) -> tuple[list[Any], list[Any], list[Any]]:
    """The positive and the negative conditioning and the latent."""
    if recipe.encode == "TextEncodeQwenImage21":
        return _both_prompts(recipe, graph, clip, vae)
    latent: list[Any] = ["latent", 0]
    text = PROMPT
    if recipe.picture:
        text = "make it night, with stars"
        graph["picture"] = _node("LoadImage", image="example.png")
        graph["scaled"] = _node("FluxKontextImageScale", image=["picture", 0])
    if recipe.picture == "qwen plus":
        for key, prompt in (("wanted", text), ("unwanted", "")):
            graph[key] = _node(
                "TextEncodeQwenImageEditPlus",
                clip=clip,
                vae=vae,
                image1=["scaled", 0],
                prompt=prompt,
            )
    else:
        graph["wanted"] = _node("CLIPTextEncode", clip=clip, text=text)
        graph["unwanted"] = _node("CLIPTextEncode", clip=clip, text="")
    wanted, unwanted = ["wanted", 0], ["unwanted", 0]
    if recipe.picture:
        graph["latent"] = _node("VAEEncode", pixels=["scaled", 0], vae=vae)
        if recipe.picture != "qwen plus":
            graph["reference"] = _node("ReferenceLatent", conditioning=wanted, latent=latent)
            wanted = ["reference", 0]
    else:
        size = {"width": recipe.size, "height": recipe.size, "batch_size": 1}
        graph["latent"] = _node(recipe.latent, **size)
    if recipe.guidance is not None:
        graph["guided"] = _node("FluxGuidance", conditioning=wanted, guidance=recipe.guidance)
        wanted = ["guided", 0]
    return wanted, unwanted, latent


def _both_prompts(
    recipe: Recipe, graph: Graph, clip: list[Any], vae: list[Any]
) -> tuple[list[Any], list[Any], list[Any]]:
    """Both prompts in one node, as Qwen-Image 2.1 has them, and what it computes once."""
    text, pictures = PROMPT, dict[str, Any]()
    graph["cached"] = _node("QwenImage21Cache", model=["file", 0], device="auto", dtype="default")
    if recipe.picture:
        text = "make it night, with stars"
        graph["picture"] = _node("LoadImage", image="example.png")
        pictures = {"images.image_1": ["picture", 0]}
    graph["prompts"] = _node(
        recipe.encode,
        clip=clip,
        prompt=text,
        negative_prompt="",
        vae=vae,
        resolution=recipe.size,
        **pictures,
    )
    latent: list[Any] = ["prompts", 2]
    if not recipe.picture:
        size = {"width": recipe.size, "height": recipe.size, "batch_size": 1}
        graph["latent"] = _node(recipe.latent, **size)
        latent = ["latent", 0]
    return ["prompts", 0], ["prompts", 1], latent
