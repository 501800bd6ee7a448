"""A pack's sampler, schedule, guider, noise and wrappers, behind the real server."""


def sampled(real, model, latent, class_type="KSampler", **more):
    common = {
        "model": model,
        "seed": 3,
        "positive": ["text", 0],
        "negative": ["none", 0],
        "sampler_name": "by_hand",
        "scheduler": "flat",
    }
    return real.node(class_type, **common, **more, **latent)


def graph(real):
    plain = {"steps": 3, "cfg": 4.0, "denoise": 1.0}
    parts = {
        "m": real.node("CheckpointLoaderSimple", ckpt_name="calotype-demo.safetensors"),
        "text": real.node("CLIPTextEncode", clip=["m", 1], text="a boat"),
        "none": real.node("CLIPTextEncode", clip=["m", 1], text=""),
        "empty": real.node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "watched": real.node("PackWatched", model=["m", 0]),
        "a": sampled(real, ["m", 0], {"latent_image": ["empty", 0]}, **plain),
        "b": sampled(real, ["watched", 0], {"latent_image": ["empty", 0]}, **plain),
        "c": sampled(real, ["m", 0], {"latent": ["empty", 0]}, "PackSamplesItself"),
        "half": real.node("PackNoiseOfHalf", seed=3),
        "guider": real.node(
            "PackGuiderHalved", model=["m", 0], positive=["text", 0], negative=["none", 0], cfg=4.0
        ),
        "by_hand": real.node("PackSamplerByHand", shrink=1.0),
        "sigmas": real.node(
            "BasicScheduler", model=["m", 0], scheduler="flat", steps=3, denoise=1.0
        ),
        "d": real.node(
            "SamplerCustomAdvanced", noise=["half", 0], guider=["guider", 0],
            sampler=["by_hand", 0], sigmas=["sigmas", 0], latent_image=["empty", 0],
        ),
    }  # fmt: skip
    for name in "abcd":
        parts[f"pixels {name}"] = real.node("VAEDecode", samples=[name, 0], vae=["m", 2])
        parts[f"shown {name}"] = real.node("PreviewImage", images=[f"pixels {name}", 0])
    return parts


def test_what_a_pack_adds_stands_in_the_lists_of_built_in_nodes(packs_server, real):
    inputs = real.get_json(packs_server, "object_info/KSampler")["KSampler"]["input"]["required"]
    samplers, schedulers = inputs["sampler_name"][0], inputs["scheduler"][0]
    assert samplers.index("by_hand") == samplers.index("euler") + 1
    assert "flat" in schedulers


def test_a_packs_sampling_is_that_of_the_built_in_nodes(packs_server, real):
    async def scenario(browser):
        entry = await browser.ended(await browser.queue(graph(real)))
        assert entry["status"]["status_str"] == "success", entry["status"]
        return entry["outputs"]

    def bytes_of(item):
        place = "view?filename={filename}&type={type}&subfolder={subfolder}"
        return real.ask(packs_server, "GET", place.format(**item))[2]

    outputs = real.with_browser(packs_server, scenario)
    plain, watched, itself, halved = (
        bytes_of(outputs[f"shown {name}"]["images"][0]) for name in "abcd"
    )
    assert len(plain) > 1000
    assert plain == watched == itself
    assert plain != halved
