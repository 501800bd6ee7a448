"""Needs of workflows by others: each model that they name, in its folder, with its address."""

import json
from pathlib import Path

import comfyui_workflow_templates_json
import pytest

from engine.graph.catalog_file import read_catalog
from engine.graph.needs import find_needs
from engine.graph.workflow import convert
from engine.settings import ROOT

FOLDER = Path(comfyui_workflow_templates_json.__file__).parent
CATALOG = read_catalog(ROOT / "engine" / "server" / "builtin_catalog.json")
MODELS = {
    "flux_dev_full_text_to_image": {
        ("flux1-dev.safetensors", "diffusion_models"),
        ("ae.safetensors", "vae"),
        ("clip_l.safetensors", "text_encoders"),
        ("t5xxl_fp16.safetensors", "text_encoders"),
    },
    "flux_depth_lora_example": {
        ("flux1-dev-fp8.safetensors", "diffusion_models"),
        ("flux1-depth-dev-lora.safetensors", "loras"),
        ("lotus-depth-d-v1-1.safetensors", "diffusion_models"),
        ("vae-ft-mse-840000-ema-pruned.safetensors", "vae"),
        ("ae.safetensors", "vae"),
        ("clip_l.safetensors", "text_encoders"),
        ("t5xxl_fp16.safetensors", "text_encoders"),
    },
}


def needs_of(name):
    (path,) = FOLDER.rglob(f"{name}.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    found = convert(document, CATALOG)
    return find_needs(document, found, CATALOG, lambda kind: (), lambda kind, name: False)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_a_template_is_listed(name):
    found = needs_of(name)
    assert {(each.name, each.kind) for each in found.models} == MODELS[name]
    assert all(each.declared and each.declared.url for each in found.models)
