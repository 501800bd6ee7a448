"""Built-in nodes with models, called by a pack: the results are those of the nodes in a graph."""

CHECKPOINT, LORA = "calotype-demo.safetensors", "calotype-demo-winter.safetensors"
CONTROL = "calotype-demo-edges.safetensors"


def sampled(class_type, latent, **more):
    inputs = {
        "model": ["lora", 0],
        "positive": ["with", 0],
        "negative": ["with", 1],
        "latent_image": [latent, 0],
        "cfg": 4.0,
        "sampler_name": "euler",
        "scheduler": "karras",
    }
    return (class_type, {**inputs, **more})


GRAPH = {
    "image": ("EmptyImage", {"width": 96, "height": 64, "batch_size": 1, "color": 0x3366CC}),
    "mask": ("SolidMask", {"value": 0.75, "width": 64, "height": 64}),
    "m": ("CheckpointLoaderSimple", {"ckpt_name": CHECKPOINT}),
    "lora": (
        "LoraLoader",
        {"model": ["m", 0], "clip": ["m", 1], "lora_name": LORA}
        | {"strength_model": 0.8, "strength_clip": 0.7},
    ),
    "skip": ("CLIPSetLastLayer", {"clip": ["lora", 1], "stop_at_clip_layer": -2}),
    "p": ("CLIPTextEncode", {"clip": ["skip", 0], "text": "a boat"}),
    "n": ("CLIPTextEncode", {"clip": ["skip", 0], "text": "blurry"}),
    "scaled": (
        "ImageScale",
        {"image": ["image", 0], "upscale_method": "bilinear", "width": 64, "height": 64}
        | {"crop": "center"},
    ),
    "control": ("ControlNetLoader", {"control_net_name": CONTROL}),
    "with": (
        "ControlNetApplyAdvanced",
        {"positive": ["p", 0], "negative": ["n", 0], "control_net": ["control", 0]}
        | {"image": ["scaled", 0], "strength": 0.6, "start_percent": 0.0, "end_percent": 0.8},
    ),
    "empty": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
    "encoded": ("VAEEncode", {"pixels": ["scaled", 0], "vae": ["m", 2]}),
    "0": sampled("KSampler", "empty", seed=7, steps=2, denoise=0.9),
    "1": sampled(
        "KSamplerAdvanced", "encoded", add_noise="enable", noise_seed=7, steps=3,
        start_at_step=1, end_at_step=2, return_with_leftover_noise="enable",
    ),
    "2": sampled("KSampler", "encoded", seed=7, steps=2, denoise=0.5),
    "3": ("VAEDecode", {"samples": ["0", 0], "vae": ["m", 2]}),
    "5": (
        "LatentUpscale",
        {"samples": ["encoded", 0], "upscale_method": "nearest-exact", "width": 128}
        | {"height": 128, "crop": "disabled"},
    ),
    "6": ("ConditioningCombine", {"conditioning_1": ["with", 0], "conditioning_2": ["with", 1]}),
}  # fmt: skip


def test_results_are_those_of_the_built_in_nodes(pack, cpu_residency):
    graph = dict(GRAPH)
    graph["made"] = (
        "CoreModelsMade",
        {"ckpt_name": CHECKPOINT, "lora_name": LORA, "control_name": CONTROL}
        | {"image": ["image", 0], "mask": ["mask", 0]},
    )
    compared = (0, 1, 2, 3, 5, 6)
    for number in compared:
        both = {"a": ["made", number], "b": [str(number), 0]}
        graph[f"difference{number}"] = ("CoreModelsDifference", both)
        graph[f"shown{number}"] = ("PreviewAny", {"source": [f"difference{number}", 0]})
    found = pack("core_models").run(graph)
    assert {number: found[f"shown{number}"]["text"] for number in compared} == {
        number: ["0.0"] for number in compared
    }
