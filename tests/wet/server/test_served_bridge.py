"""Models whose network is diffusers', through the HTTP API: FLUX.3 klein, Wan 2.1 and 2.2."""

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from engine.vision.clip_network import ClipVision, ClipVisionConfig
from tests.wet import bridge_files, hidream_files, video_files, wan_files
from tests.wet.conftest import vision_of_open_clip

SIZE = {"width": 64, "height": 48, "batch_size": 1}
VIDEO = {"width": 64, "height": 64, "batch_size": 1, "length": 5}


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def unet(name):
    return node("UNETLoader", unet_name=f"{name}.safetensors", weight_dtype="default")


def usual(model, clip, kind, of_vae, **more):
    """What all workflows have; `more` replaces nodes."""
    return {
        "file": unet(model),
        "clip": node("CLIPLoader", clip_name=f"{clip}.safetensors", type=kind),
        "vae": node("VAELoader", vae_name=f"{of_vae}.safetensors"),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the snow"),
        "unwanted": node("CLIPTextEncode", clip=["clip", 0], text=""),
        "sampled": sampled("file"),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="bridge"),
        **more,
    }


def sampled(model, positive=("wanted", 0), negative=("unwanted", 0), latent=("latent", 0)):
    return node(
        "KSampler",
        model=[model, 0],
        positive=list(positive),
        negative=list(negative),
        latent_image=list(latent),
        seed=1,
        steps=2,
        cfg=3.0,
        sampler_name="euler",
        scheduler="simple",
        denoise=1.0,
    )


def flux3(model="flux3", **more):
    latent = {"latent": node("EmptyFlux2LatentImage", **SIZE)}
    return usual(model, "qwen3vl", "flux3", "flux2_vae", **latent, **more)


def edited():
    return flux3(
        picture=node("EmptyImage", width=48, height=64, batch_size=1, color=0x3060C0),
        encoded=node("VAEEncode", pixels=["picture", 0], vae=["vae", 0]),
        seen=node("ReferenceLatent", conditioning=["wanted", 0], latent=["encoded", 0]),
        sampled=sampled("file", positive=("seen", 0)),
    )


def ernie():
    latent = {"latent": node("EmptyFlux2LatentImage", **SIZE)}
    return usual("ernie", "ministral", "flux2", "flux2_vae", **latent)


def hidream(**more):
    """HiDream-I1, as its template has it, or with a text for each encoder."""
    clips = ("hidream_l", "hidream_g", "t5", "llama31")
    names = {f"clip_name{number}": f"{name}.safetensors" for number, name in enumerate(clips, 1)}
    parts = {
        "clip": node("QuadrupleCLIPLoader", **names),
        "vae": node("VAELoader", vae_name="flux_vae.safetensors"),
        "latent": node("EmptySD3LatentImage", width=64, height=64, batch_size=1),
        "shifted": node("ModelSamplingSD3", model=["file", 0], shift=3.0),
        "sampled": sampled("shifted"),
    }
    return usual("hidream", "t5", "hidream", "flux2_vae") | parts | more


def hidream_of_texts():
    texts = {"clip_l": "a fox", "clip_g": "snow", "t5xxl": "a fox in the snow", "llama": "a fox"}
    return hidream(wanted=node("CLIPTextEncodeHiDream", clip=["clip", 0], **texts))


def wan(model="wan_t2v", **more):
    shifted = node("ModelSamplingSD3", model=["file", 0], shift=5.0)
    parts = {
        "latent": node("EmptyHunyuanLatentVideo", **VIDEO),
        "shifted": shifted,
        "sampled": sampled("shifted"),
    }
    return usual(model, "umt5", "wan", "wan_vae", **{**parts, **more})


PICTURE = node("EmptyImage", width=48, height=64, batch_size=1, color=0x3060C0)
TAKEN = {"positive": ["wanted", 0], "negative": ["unwanted", 0], "vae": ["vae", 0], **VIDEO}
EYE = {
    "eye": node("CLIPVisionLoader", clip_name="eye.safetensors"),
    "seen": node("CLIPVisionEncode", clip_vision=["eye", 0], image=["picture", 0], crop="none"),
}


def of_picture(model, kind="WanImageToVideo", **taken):
    prepared = node(kind, **TAKEN, start_image=["picture", 0], **taken)
    run = sampled("shifted", ("latent", 0), ("latent", 1), ("latent", 2))
    return wan(model, picture=PICTURE, latent=prepared, sampled=run)


def two_experts():
    """Wan 2.2: one model down to some noise, another from there on."""

    def part(model, latent, *, first):
        return node(
            "KSamplerAdvanced",
            model=[model, 0],
            add_noise="enable" if first else "disable",
            noise_seed=1,
            steps=4,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            positive=["latent", 0],
            negative=["latent", 1],
            latent_image=latent,
            start_at_step=0 if first else 2,
            end_at_step=2 if first else 10_000,
            return_with_leftover_noise="enable" if first else "disable",
        )

    graph = of_picture("wan22_i2v")
    graph["low"] = unet("wan22_i2v_low")
    graph["shifted_low"] = node("ModelSamplingSD3", model=["low", 0], shift=5.0)
    graph["begun"] = part("shifted", ["latent", 2], first=True)
    graph["sampled"] = part("shifted_low", ["begun", 0], first=False)
    return graph


def five_billion():
    """Wan 2.2 5B, whose autoencoder has cells of 16 pixels; the picture is kept by a mask."""
    latent = node("Wan22ImageToVideoLatent", vae=["vae", 0], **VIDEO, start_image=["picture", 0])
    vae = node("VAELoader", vae_name="wan22_vae.safetensors")
    return wan("wan22_5b", latent=latent, picture=PICTURE, vae=vae)


def first_and_last():
    seen = {"clip_vision_start_image": ["seen", 0], "clip_vision_end_image": ["seen", 0]}
    graph = of_picture("wan21_flf2v", "WanFirstLastFrameToVideo", end_image=["picture", 0], **seen)
    return {**graph, **EYE}


def vace():
    """A video to follow, a mask, and a picture to refer to, which is trimmed; two in a row."""
    more = {"control_video": ["picture", 0], "control_masks": ["mask", 0]}
    graph = of_picture("wan_vace", "WanVaceToVideo", strength=0.8, **more)
    del graph["latent"]["inputs"]["start_image"]
    graph["again"] = node(
        "WanVaceToVideo",
        **{**TAKEN, "positive": ["latent", 0], "negative": ["latent", 1]},
        strength=1.0,
    )
    graph["mask"] = node("SolidMask", value=1.0, width=64, height=64)
    graph["sampled"] = sampled("shifted", ("again", 0), ("again", 1), ("again", 2))
    for key in ("latent", "again"):
        graph[key]["inputs"]["reference_image"] = ["picture", 0]
    graph["trimmed"] = node("TrimVideoLatent", samples=["sampled", 0], trim_amount=["again", 3])
    graph["decoded"]["inputs"]["samples"] = ["trimmed", 0]
    return graph


def fun_control():
    """Wan 2.2 5B Fun Control: a video to follow, and a picture to refer to."""
    more = {"ref_image": ["picture", 0], "control_video": ["picture", 0]}
    graph = of_picture("wan22_fun_control", "Wan22FunControlToVideo", **more)
    del graph["latent"]["inputs"]["start_image"]
    graph["vae"] = node("VAELoader", vae_name="wan22_vae.safetensors")
    return graph


def fun_camera():
    path = node("WanCameraEmbedding", camera_pose="Zoom In", width=64, height=64, length=5)
    graph = of_picture("wan_fun_camera", "WanCameraImageToVideo", camera_conditions=["path", 0])
    return {**graph, "path": path}


def phantom():
    """Two guidances: by the text, and by the pictures."""
    graph = wan(picture=PICTURE, latent=node("WanPhantomSubjectToVideo", **TAKEN))
    graph["latent"]["inputs"]["images"] = ["picture", 0]
    graph["guider"] = node(
        "DualCFGGuider",
        model=["shifted", 0],
        cond1=["latent", 0],
        cond2=["latent", 1],
        negative=["latent", 2],
        cfg_conds=5.0,
        cfg_cond2_negative=2.0,
        style="regular",
    )
    graph["noise"] = node("RandomNoise", noise_seed=1)
    graph["euler"] = node("KSamplerSelect", sampler_name="euler")
    graph["sigmas"] = node(
        "BasicScheduler", model=["shifted", 0], scheduler="simple", steps=2, denoise=1.0
    )
    graph["sampled"] = node(
        "SamplerCustomAdvanced",
        noise=["noise", 0],
        guider=["guider", 0],
        sampler=["euler", 0],
        sigmas=["sigmas", 0],
        latent_image=["latent", 3],
    )
    return graph


def tracks():
    """ATI, whose network is that of Wan 2.1 of a picture."""
    line = '[[{"x": 10, "y": 10}, {"x": 40, "y": 40}]]'
    more = {"tracks": line, "temperature": 220.0, "topk": 2, "clip_vision_output": ["seen", 0]}
    return {**of_picture("wan21_i2v", "WanTrackToVideo", **more), **EYE}


GRAPHS = {
    "flux3 edited": edited,
    "ernie": ernie,
    "hidream": hidream_of_texts,
    "wan 2.2 of a picture": two_experts,
    "wan 2.2 5B of a picture": five_billion,
    "wan vace": vace,
    "wan 2.2 5B fun control": fun_control,
    "wan phantom": phantom,
}
OTHERS = {
    "hidream": hidream,
    "flux3": flux3,
    "flux3 distilled": lambda: flux3("flux3_distilled"),
    "wan": wan,
    "wan 2.1 of a picture": lambda: {
        **of_picture("wan21_i2v", clip_vision_output=["seen", 0]),
        **EYE,
    },
    "wan first and last": first_and_last,
    "wan fun camera": fun_camera,
    "wan tracks": tracks,
}


@pytest.fixture(scope="module")
def bridge_models(small_models):
    """All files of the workflows."""
    files = {
        "text_encoders/qwen3vl": bridge_files.qwen3vl(),
        "text_encoders/umt5": bridge_files.umt5(),
        "vae/flux2_vae": bridge_files.packed_autoencoder(),
        "vae/wan_vae": wan_files.autoencoder(),
        "text_encoders/ministral": bridge_files.ministral(),
        "clip_vision/eye": eye(),
        **hidream_files.files(),
    }
    net = bridge_files.network("wan22_autoencoder")
    named = bridge_files.original("wan22_autoencoder", dict(net.state_dict()))
    files["vae/wan22_vae"] = {key: each.half() for key, each in named.items()}
    for name in (*bridge_files.ALL, "wan22_i2v_low"):
        low = name == "wan22_i2v_low"
        net = bridge_files.network("wan22_i2v" if low else name, seed=int(low))
        named = bridge_files.original(name, dict(net.state_dict()))
        files[f"diffusion_models/{name}"] = {key: each.half() for key, each in named.items()}
    for name, tensors in files.items():
        path = small_models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    folder = small_models / "tokenizers" / "llama31_8b"
    folder.mkdir(parents=True)
    video_files.tokenizer().save(str(folder / "tokenizer.json"))
    return small_models


def eye():
    """An image encoder of 17 tokens: a middle one and 4 x 4 patches."""
    config = ClipVisionConfig(28, 7, bridge_files.SEEN, 128, 3, 1, "gelu", 48)
    module = ClipVision(config)
    module.load_state_dict(wan_files.filled(lambda: ClipVision(config)))
    named = vision_of_open_clip(module)
    return {f"visual.{name}": value.clone().half() for name, value in named.items()}


def made(graphs, server, real):
    """The pictures of each workflow, and what the loaders said."""

    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(make())) for make in graphs.values()]

    found, said = {}, set()
    for name, entry in zip(graphs, real.with_browser(server, scenario), strict=True):
        assert entry["status"]["status_str"] == "success", (name, entry["status"])
        frames = []
        for each in entry["outputs"]["saved"]["images"]:
            with Image.open(server.user / "output" / each["filename"]) as picture:
                frames.append(np.asarray(picture.convert("RGB")).astype(int))
        found[name] = np.stack(frames)
        assert found[name].std() > 2, name
        rows = 64 if "hidream" in name else 48
        assert found[name].shape == (5, 64, 64, 3) if "wan" in name else (1, rows, 64, 3)
        said |= set(entry["outputs"].get("file", {}).get("text", []))  # unless it was cached
    return found, said


def test_pictures_and_videos(bridge_models, server, real):
    _, said = made(GRAPHS, server, real)
    families = ("FLUX.3", "Wan", "ERNIE-Image", "HiDream-I1")
    assert said == {f"{each} (via diffusers)" for each in families}


@pytest.mark.slow
def test_all_other_workflows(bridge_models, server, real):
    found, _ = made({**OTHERS, "flux3 edited": edited}, server, real)
    assert abs(found["flux3"] - found["flux3 edited"]).max() > 0
