"""Texts of other programs become prompts that do the same; what they lack is said.

Samples are written by hand in the formats that docs/workflow_files.md describes.
"""

import json

import pytest
from hypothesis import given
from hypothesis import settings as chosen
from hypothesis import strategies as st

from engine.foreign.build import build
from engine.foreign.read import read_generation
from engine.graph.catalog_file import read_catalog
from engine.graph.prompt import to_api
from engine.graph.validate import validate
from engine.server.catalog import BUILTIN

FILES = {
    "checkpoints": ["other.safetensors", "sdxl/Real_Photo.safetensors", "refine.safetensors"],
    "loras": ["style/Ink.safetensors"],
    "vae": ["good.vae.safetensors", "ae.safetensors"],
    "vae_choices": ["good.vae.safetensors", "ae.safetensors"],
    "diffusion_models": ["flux_dev.safetensors"],
    "text_encoders": ["clip_l.safetensors", "t5xxl.safetensors"],
    "embeddings": ["easynegative.pt"],
    "upscale_models": ["4x_sharp.pth"],
    "hypernetworks": ["glow.pt"],
}
TEXT = """a cat, [dull] (sharp:1.2) <lora:ink:0.8>
on two lines
Negative prompt: EasyNegative, blurry
Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, \
Seed: 18446744073709551615, Size: 832x1216, Model hash: 1234, Model: Real_Photo, Clip skip: 2, \
Lora hashes: "ink: 12, other: 13", Version: v1.10"""
SWARM = {
    "sui_image_params": {
        "prompt": "a fox <lora:ink>",
        "negativeprompt": "blurry",
        "model": "sdxl/Real_Photo.safetensors",
        "seed": 7,
        "steps": 20,
        "cfgscale": 5.5,
        "width": 1024,
        "height": 768,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "clipstopatlayer": -2,
        "loras": ["style/Ink"],
        "loraweights": ["0.5"],
        "refinercontrolpercentage": 0.4,
        "refinerupscale": 1.5,
        "refinerupscalemethod": "model-4x_sharp.pth",
        "swarm_version": "0.9.7",
    },
    "sui_extra_data": {"date": "2026-01-01"},
}
FOOOCUS = {
    "prompt": "a fox",
    "full_prompt": ["cinematic still a fox", "a fox, sharp"],
    "negative_prompt": "",
    "full_negative_prompt": ["blurry"],
    "styles": "['Fooocus V2', 'Cinematic']",
    "performance": "Speed",
    "steps": 30,
    "resolution": "(1152, 896)",
    "guidance_scale": 4,
    "sharpness": 2,
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "Real_Photo",
    "refiner_model": "refine",
    "refiner_switch": 0.5,
    "clip_skip": 2,
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "vae": "Default (model)",
    "seed": "8815423",
    "loras": [["Ink", 0.1, "abc"], ["gone", 0.2, "def"]],
    "metadata_scheme": "fooocus",
    "version": "Fooocus v2.5.5",
}
INVOKE = {
    "app_version": "5.6.0",
    "generation_mode": "sdxl_txt2img",
    "positive_prompt": "a fox++ in (deep snow)1.3 <easynegative>",
    "negative_prompt": "blurry-",
    "width": 1024,
    "height": 1024,
    "seed": 99,
    "cfg_scale": 7.5,
    "steps": 30,
    "scheduler": "dpmpp_2m_k",
    "clip_skip": 1,
    "model": {"key": "k", "hash": "h", "name": "Real_Photo", "base": "sdxl", "type": "main"},
    "vae": {"name": "good.vae"},
    "loras": [{"model": {"name": "Ink"}, "weight": 0.75}],
    "controlnets": [{"model": "x"}],
}


@pytest.fixture(scope="module")
def catalog():
    return read_catalog(BUILTIN)


@pytest.fixture
def made(catalog):
    """The nodes of a text, and what is left out; every prompt is valid but for missing files."""

    def make(texts):
        if isinstance(texts, str):
            texts = {"parameters": texts}
        found = read_generation(texts)
        assert found is not None
        built = build(found, catalog, lambda kind: FILES.get(kind, []))
        nodes = to_api(built.prompt)
        report = validate(built.prompt, catalog, list_folder=lambda kind: FILES.get(kind, []))
        kinds = {each.type for found in report.node_errors.values() for each in found.errors}
        assert kinds <= {"value_not_in_list"}
        return {name: node["inputs"] for name, node in nodes.items()}, list(built.left)

    return make


def test_a1111_becomes_text_to_image(made):
    nodes, left = made(TEXT)
    assert left == []
    assert nodes["checkpoint"]["ckpt_name"] == "sdxl/Real_Photo.safetensors"
    assert nodes["lora0"]["lora_name"] == "style/Ink.safetensors"
    assert (nodes["lora0"]["strength_model"], nodes["lora0"]["strength_clip"]) == (0.8, 0.8)
    assert nodes["skip"] == {"clip": ["lora0", 1], "stop_at_clip_layer": -2}
    assert nodes["positive"]["text"] == "a cat, (dull:0.91) (sharp:1.2) \non two lines"
    assert nodes["positive"]["clip"] == ["skip", 0]
    assert nodes["negative"]["text"] == "embedding:easynegative, blurry"
    assert nodes["latent"] == {"width": 832, "height": 1216, "batch_size": 1}
    sampler = nodes["sampler"]
    assert (sampler["seed"], sampler["steps"], sampler["cfg"]) == (18446744073709551615, 25, 6.5)
    assert (sampler["sampler_name"], sampler["scheduler"]) == ("dpmpp_2m", "karras")
    assert sampler["model"] == ["lora0", 0]


@pytest.mark.parametrize("text", ["", "a cat: two, three", "{", '{"a": 1}', "{}", "[1]"])
def test_other_texts_are_let_be(text):
    assert read_generation({"parameters": text}) is None


@pytest.mark.parametrize(
    ("said", "sampler", "scheduler"),
    [
        ("Euler a", "euler_ancestral", "normal"),
        ("DPM++ 2S a Karras", "dpmpp_2s_ancestral", "karras"),
        ("DPM2 a", "dpm_2_ancestral", "normal"),
        ("UniPC, Schedule type: DDIM", "uni_pc", "ddim_uniform"),
        ("DPM++ 2M, Schedule type: Automatic", "dpmpp_2m", "karras"),
        ("DPM++ 3M SDE Exponential", "dpmpp_3m_sde", "exponential"),
    ],
)
def test_samplers_of_a1111(made, said, sampler, scheduler):
    nodes, left = made(f"a\nSteps: 4, Sampler: {said}, Seed: 1")
    assert (nodes["sampler"]["sampler_name"], nodes["sampler"]["scheduler"]) == (sampler, scheduler)
    assert left == []


def test_what_is_left_out_is_said_and_files_keep_their_names(made):
    nodes, left = made(
        "a AND b [c:d:0.5]\nSteps: 4, Sampler: Odd, Seed: -1, Model: Gone, VAE: none.pt, "
        "Denoising strength: 0.4, ControlNet 0: x, Variation seed: 3"
    )
    assert left == [
        "ControlNet",
        "Variation seed",
        "img2img",
        "Prompt editing: [a:b:0.5], [a|b]",
        "AND",
        "VAE: none.pt",
        "Sampler: odd",
    ]
    assert nodes["checkpoint"]["ckpt_name"] == "Gone.safetensors"
    assert (nodes["sampler"]["seed"], nodes["sampler"]["sampler_name"]) == (0, "euler")


def test_hires_fix_is_a_second_pass_over_the_last_part_of_the_schedule(made):
    """A1111 runs `int(denoise * steps) + 1` of the steps: 10 * 0.5 + 1 = 6."""
    settings = "Steps: 20, Sampler: Euler, Seed: 5, Size: 512x768, Denoising strength: 0.5"
    nodes, left = made(
        f"a\n{settings}, Hires upscale: 1.5, Hires steps: 10, Hires upscaler: Latent"
    )
    assert left == []
    assert nodes["enlarged"]["samples"] == ["sampler", 0]
    assert (nodes["enlarged"]["width"], nodes["enlarged"]["height"]) == (768, 1152)
    second = nodes["second"]
    assert (second["steps"], second["start_at_step"], second["noise_seed"]) == (10, 4, 5)
    assert nodes["decode"]["samples"] == ["second", 0]
    nodes, left = made(f"a\n{settings}, Hires resize: 1024x1024, Hires upscaler: 4x_sharp")
    assert left == []
    assert nodes["upscaler"]["model_name"] == "4x_sharp.pth"
    assert (nodes["enlarged"]["width"], nodes["enlarged"]["height"]) == (1024, 1024)
    assert nodes["second"]["latent_image"] == ["encoded", 0]
    assert (nodes["second"]["steps"], nodes["second"]["start_at_step"]) == (20, 9)


def test_breaks_hypernetworks_and_a_refiner(made):
    nodes, left = made(
        "a cat BREAK on a mat <hypernet:glow:0.4>\nSteps: 10, Sampler: Euler, Seed: 1, "
        "Refiner: refine [abcdef0123], Refiner switch at: 0.7"
    )
    assert left == []
    assert [nodes[each]["text"] for each in ("positive", "positive1")] == ["a cat", "on a mat"]
    assert nodes["positive1_joined"]["conditioning_from"] == ["positive1", 0]
    assert nodes["hypernetwork0"]["strength"] == 0.4
    assert nodes["refiner"]["ckpt_name"] == "refine.safetensors"
    assert (nodes["sampler"]["end_at_step"], nodes["refined"]["start_at_step"]) == (7, 7)
    assert nodes["refiner_positive"]["clip"] == ["refiner", 1]


def test_forges_flux_is_loaded_in_parts(made):
    nodes, left = made(
        "a fox\nSteps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Seed: 3, "
        "Distilled CFG Scale: 3.5, Model: flux_dev, Module 1: ae, Module 2: clip_l, Module 3: t5xxl"
    )
    assert left == []
    assert nodes["model"]["unet_name"] == "flux_dev.safetensors"
    assert nodes["clip"] == {
        "clip_name1": "clip_l.safetensors",
        "clip_name2": "t5xxl.safetensors",
        "type": "flux",
    }
    assert nodes["vae"]["vae_name"] == "ae.safetensors"
    assert nodes["guidance"]["guidance"] == 3.5
    assert nodes["sampler"]["positive"] == ["guidance", 0]


def test_swarm(made):
    nodes, left = made(json.dumps(SWARM))
    assert left == []
    assert nodes["positive"]["text"] == "a fox"
    assert [nodes[f"lora{index}"]["strength_model"] for index in (0, 1)] == [1.0, 0.5]
    assert nodes["skip"]["stop_at_clip_layer"] == -2
    assert (nodes["latent"]["width"], nodes["latent"]["height"]) == (1024, 768)
    assert nodes["upscaler"]["model_name"] == "4x_sharp.pth"
    assert nodes["enlarged"]["width"] == 1536
    nodes, left = made(
        json.dumps({"sui_image_params": {"prompt": "a <segment:face> b", "initimage": "x"}})
    )
    assert nodes["positive"]["text"] == "a"
    assert left == ["img2img", "Sections of the prompt: <segment:...>"]


def test_fooocus(made):
    nodes, left = made(json.dumps(FOOOCUS))
    assert left == ["Sharpness", "ADM guidance"]
    assert nodes["positive"]["text"] == "cinematic still a fox, a fox, sharp"
    assert nodes["negative"]["text"] == "blurry"
    assert [nodes[f"lora{index}"]["lora_name"] for index in (0, 1)] == [
        "style/Ink.safetensors",
        "gone.safetensors",
    ]
    assert (nodes["sampler"]["noise_seed"], nodes["sampler"]["end_at_step"]) == (8815423, 15)
    assert (nodes["latent"]["width"], nodes["latent"]["height"]) == (1152, 896)


def test_fooocus_labels_of_its_log(made):
    labels = {
        "Prompt": "a fox",
        "Negative Prompt": "blurry",
        "Styles": "['Cinematic']",
        "Performance": "Lightning",
        "Resolution": "(896, 1152)",
        "Guidance Scale": "7.0",
        "Base Model": "Real_Photo.safetensors",
        "Refiner Model": "None",
        "Seed": "12",
        "LoRA 1": "Ink.safetensors : 0.5",
    }
    nodes, left = made(json.dumps(labels))
    assert left == ["Styles: ['Cinematic']"]
    assert nodes["sampler"]["steps"] == 4
    assert nodes["lora0"]["strength_model"] == 0.5


def test_invoke(made):
    nodes, left = made({"invokeai_metadata": json.dumps(INVOKE), "parameters": "other"})
    assert left == ["ControlNet"]
    text = "a (fox:1.21) in (deep snow:1.3) embedding:easynegative"
    assert nodes["positive"]["text"] == text
    assert nodes["negative"]["text"] == "(blurry:0.9)"
    assert nodes["checkpoint"]["ckpt_name"] == "sdxl/Real_Photo.safetensors"
    assert nodes["vae"]["vae_name"] == "good.vae.safetensors"
    assert nodes["lora0"]["strength_clip"] == 0.75
    assert nodes["skip"]["stop_at_clip_layer"] == -2
    assert (nodes["sampler"]["sampler_name"], nodes["sampler"]["scheduler"]) == (
        "dpmpp_2m",
        "karras",
    )


def test_invoke_before_version_3(made):
    image = {
        "prompt": [{"prompt": "a fox [blurry, dark]", "weight": 1.0}],
        "steps": 40,
        "cfg_scale": 7.5,
        "seed": 5,
        "width": 512,
        "height": 640,
        "sampler": "k_euler_a",
        "type": "txt2img",
    }
    old = {"model": "stable diffusion", "model_weights": "other", "image": image}
    nodes, left = made({"sd-metadata": json.dumps(old)})
    assert left == []
    assert (nodes["positive"]["text"], nodes["negative"]["text"]) == ("a fox", "blurry, dark")
    assert nodes["sampler"]["sampler_name"] == "euler_ancestral"


SETTINGS = st.dictionaries(
    st.sampled_from([*SWARM["sui_image_params"], *FOOOCUS, *INVOKE, "image", "sui_image_params"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=8,
)


@chosen(max_examples=60)
@given(SETTINGS, st.sampled_from(["sui_image_params", "image", None]))
def test_any_json_is_read_without_harm(catalog, settings, inside):
    required = {"positive_prompt": "x", "base_model": "m", "performance": "p", "prompt": "p"}
    raw = {inside: settings} if inside else {**required, **settings}
    for keyword in ("parameters", "invokeai_metadata"):
        found = read_generation({keyword: json.dumps(raw)})
        if found is not None:
            built = build(found, catalog, lambda kind: FILES.get(kind, []))
            report = validate(built.prompt, catalog)
            assert report.error is None, report.to_json()


@chosen(max_examples=60)
@given(st.text(), st.lists(st.tuples(st.sampled_from(["Steps", "Size", "Seed"]), st.text())))
def test_any_text_is_read_without_harm(catalog, words, pairs):
    line = ", ".join(f"{key}: {value}" for key, value in pairs)
    found = read_generation({"parameters": f"{words}\nSteps: 1, Seed: 2, Size: 8x8, {line}"})
    if found is not None:
        report = validate(build(found, catalog, lambda _: []).prompt, catalog)
        assert report.error is None, report.to_json()
