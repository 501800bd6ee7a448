"""Which previews a prompt gets: those it asks for, or those that the server was started with."""

import json
from dataclasses import replace

import pytest

from engine.server.hub import Hub
from engine.server.running import run_message
from engine.store.entries import Entry

TINY = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}
STARTED_WITH = ("none", "auto", "latent2rgb", "taesd")


@pytest.fixture(params=STARTED_WITH)
def settings(settings, request):
    return replace(settings, preview_method=request.param)


def test_a_prompt_chooses_or_leaves_it_to_the_server(serving, settings):
    default = settings.preview_method
    expected = {
        None: default,
        "default": default,
        "auto": "auto" if default == "none" else default,
        "latent2rgb": "latent2rgb",
        "taesd": "taesd",
        "none": "none",
        "another": "none",
    }

    async def scenario(client):
        found = {}
        for number, asked in enumerate(expected):
            extra = {} if asked is None else {"preview_method": asked}
            sent = {"prompt": TINY, "prompt_id": str(number), "extra_data": extra}
            await client.post("/prompt", data=json.dumps(sent).encode())
            job = await (await client.get(f"/api/jobs/{number}")).json()
            entry = Entry(str(number), TINY, ["2"], extra=job["workflow"]["extra_data"])
            found[asked] = run_message(entry, Hub()).previews
        return found

    assert serving(scenario) == expected
