"""AuraFlow and Lumina 2 through the HTTP API: the documented workflows, with tiny files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from tests.wet import whole_files
from tests.wet.tokenizer_files import pile_tokenizer

WORKFLOWS = Path(__file__).parents[3] / "docs" / "workflows"


def graph(name, *, text=None):
    """A documented workflow, of a small picture and of two steps."""
    prompt = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    prompt["latent"]["inputs"] |= {"width": 64, "height": 48}
    prompt["sampled"]["inputs"]["steps"] = 2
    if text is not None:
        prompt["wanted"]["inputs"]["text"] = text
    return prompt


@pytest.fixture(scope="module")
def whole_models(small_models, random_checkpoints):
    """Both checkpoints, and the tokenizer of one beside the weights."""
    folder = small_models / "checkpoints"
    save_file(whole_files.aura(random_checkpoints), folder / "aura_flow_0.2.safetensors")
    save_file(whole_files.lumina(random_checkpoints), folder / "lumina_2.safetensors")
    return small_models


def test_pictures_of_auraflow_and_lumina_2(whole_models, server, real):
    place = whole_models / "tokenizers" / "pile_t5xl" / "tokenizer.json"

    async def scenario(browser):
        await browser.worker_ready()
        lacking = await browser.ended(await browser.queue(graph("aura_flow")))
        place.parent.mkdir(parents=True)
        pile_tokenizer().save(str(place))
        prompts = [
            graph(name, text=text) for name in ("aura_flow", "lumina2") for text in (None, "a fox")
        ]
        return lacking, [await browser.ended(await browser.queue(each)) for each in prompts]

    lacking, entries = real.with_browser(server, scenario)
    assert "get tokenizer.json of EleutherAI/pile-t5-xl" in str(lacking["status"])
    pictures = []
    for entry in entries:
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    assert [picture.shape[:2] for picture in pictures] == [(48, 64)] * 4
    assert min(picture.std() for picture in pictures) > 2
    for one, other in (pictures[:2], pictures[2:]):
        assert abs(one - other).mean() > 0.01  # the text counts
