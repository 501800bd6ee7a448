"""A pack that uses CLIP, VAE and hooks by hand, in graphs with built-in nodes."""

CHECKPOINT = ("CheckpointLoaderSimple", {"ckpt_name": "calotype-demo.safetensors"})


def same(a, b):
    return ("PartsSame", {"a": a, "b": b})


def shown(node):
    return ("PreviewAny", {"source": [node, 0]})


def test_by_hand_is_what_built_in_nodes_do(pack, cpu_residency):
    text = "a (red:1.3) cat"
    graph = {
        "m": CHECKPOINT,
        "skip": ("CLIPSetLastLayer", {"clip": ["m", 1], "stop_at_clip_layer": -2}),
        "plain": ("CLIPTextEncode", {"clip": ["skip", 0], "text": text}),
        "own": ("PartsEncode", {"clip": ["m", 1], "text": text, "skip": -2}),
        "passed": ("CLIPTextEncode", {"clip": ["own", 1], "text": text}),
        "a": same(["plain", 0], ["own", 0]),
        "b": same(["plain", 0], ["passed", 0]),
        "x": shown("a"),
        "y": shown("b"),
        "empty": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "pixels": ("VAEDecode", {"samples": ["empty", 0], "vae": ["m", 2]}),
        "latent": ("VAEEncode", {"pixels": ["pixels", 0], "vae": ["m", 2]}),
        "vae": ("PartsDecode", {"samples": ["empty", 0], "vae": ["m", 2]}),
        "c": same(["pixels", 0], ["vae", 0]),
        "d": same(["latent", 0], ["vae", 1]),
        "e": same(["pixels", 0], ["vae", 2]),
        "u": shown("c"),
        "v": shown("d"),
        "w": shown("e"),
    }
    found = pack("parts_by_hand").run(graph)
    assert [found[key]["text"] for key in "xyuvw"] == [["True"]] * 5


def test_hooks_of_a_pack_reach_the_sampler(pack, cpu_residency):
    def sampled(positive):
        return (
            "KSampler",
            {
                "model": ["m", 0],
                "positive": positive,
                "negative": ["n", 0],
                "latent_image": ["empty", 0],
                "seed": 1,
                "steps": 2,
                "cfg": 4.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        )

    graph = {
        "m": CHECKPOINT,
        "p": ("CLIPTextEncode", {"clip": ["m", 1], "text": "a cat"}),
        "n": ("CLIPTextEncode", {"clip": ["m", 1], "text": ""}),
        "hooked": ("PartsHooked", {"conditioning": ["p", 0]}),
        "set": (
            "ConditioningSetProperties",
            {
                "cond_NEW": ["p", 0],
                "strength": 1.0,
                "set_cond_area": "default",
                "hooks": ["hooked", 1],
            },
        ),
        "patched": ("PartsPatched", {"conditioning": ["p", 0]}),
        "empty": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "s0": sampled(["p", 0]),
        "s1": sampled(["hooked", 0]),
        "s2": sampled(["set", 0]),
        "s3": sampled(["patched", 0]),
        "b": same(["s1", 0], ["s2", 0]),
        "c": same(["s0", 0], ["s3", 0]),
        "y": shown("b"),
        "z": shown("c"),
    }
    found = pack("parts_by_hand").run(graph)
    # By hand or by Cond Set Props: the same hooks. The patch of the attention changes the picture.
    assert [found[key]["text"] for key in "yz"] == [["True"], ["False"]]
