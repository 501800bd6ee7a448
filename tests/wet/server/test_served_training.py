"""A training through a real server survives a kill of its worker, and one of the server."""

import asyncio
import time

import pytest
from PIL import Image
from safetensors.torch import load_file

STEPS = 45
"""A training under way is saved every 25 steps."""


def training():
    """The prompt: from pictures with texts to a LoRA file."""
    train = {
        "model": ["1", 0],
        "latents": ["3", 0],
        "positive": ["3", 1],
        "batch_size": 1,
        "grad_accumulation_steps": 1,
        "steps": STEPS,
        "learning_rate": 0.001,
        "rank": 2,
        "optimizer": "AdamW",
        "loss_function": "MSE",
        "seed": 7,
        "training_dtype": "fp32",
        "lora_dtype": "fp32",
        "algorithm": "LoRA",
        "gradient_checkpointing": False,
        "existing_lora": "[None]",
        "bucket_mode": False,
    }
    dataset = {"images": ["2", 0], "texts": ["2", 1], "vae": ["1", 2], "clip": ["1", 1]}
    save = {"lora": ["4", 1], "prefix": "trained"}
    loader = {"ckpt_name": "small.safetensors"}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": loader},
        "2": {"class_type": "LoadImageTextDataSetFromFolder", "inputs": {"folder": "set"}},
        "3": {"class_type": "MakeTrainingDataset", "inputs": dataset},
        "4": {"class_type": "TrainLoraNode", "inputs": train},
        "5": {"class_type": "SaveLoRA", "inputs": save},
    }


def with_pictures(user):
    folder = user / "input" / "set"
    folder.mkdir(parents=True)
    for number in range(2):
        path = folder / f"{number}.png"
        Image.new("RGB", (64, 64), (90 * number, 200, 90)).save(path)
        path.with_suffix(".txt").write_text(f"picture {number}")


async def half_done(user):
    """Wait until the training has been saved once."""
    deadline = time.monotonic() + 400
    while not list((user / "training").glob("*.safetensors")):
        assert time.monotonic() < deadline, "the training was never saved"
        await asyncio.sleep(0.01)


async def finished(browser, prompt_id):
    """Wait for the end of a prompt, which another server may have been given."""
    deadline = time.monotonic() + 400
    while prompt_id not in (history := await browser.get("history")):
        assert time.monotonic() < deadline, f"{prompt_id} has not ended"
        await asyncio.sleep(0.05)
    return history[prompt_id]


def check_end(entry, user):
    """It went on from where it was saved, and left nothing but the finished file."""
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    losses, resumed = entry["outputs"]["4"]["text"]
    assert losses.startswith(f"step {STEPS} of {STEPS}, loss ")
    assert resumed == "went on at step 25 of a training that was interrupted"
    assert list((user / "training").iterdir()) == []
    [file] = (user / "output").glob("trained*.safetensors")
    tensors = load_file(file)
    learned = [tensor for name, tensor in tensors.items() if name.endswith("lora_up.weight")]
    assert learned
    assert all(tensor.isfinite().all() and tensor.abs().sum() > 0 for tensor in learned)


@pytest.mark.timeout(900)
def test_a_killed_worker_s_training_goes_on_when_it_is_queued_again(
    start_server, small_models, real, tmp_path
):
    user = tmp_path / "user"
    with_pictures(user)
    served = start_server("--models-directory", small_models, user=user)

    async def scenario(browser):
        first = await browser.queue(training())
        await half_done(user)
        for worker in real.children(served.process):
            worker.kill()
        kind, data = (await finished(browser, first))["status"]["messages"][-1]
        assert kind == "execution_error"
        assert data["exception_type"] == "WorkerDied"
        return await finished(browser, await browser.queue(training()))

    check_end(real.with_browser(served, scenario), user)


@pytest.mark.timeout(900)
def test_a_killed_server_s_training_goes_on_by_itself(start_server, small_models, real, tmp_path):
    user = tmp_path / "user"
    with_pictures(user)
    served = start_server("--models-directory", small_models, user=user)

    async def scenario(browser):
        first = await browser.queue(training())
        await half_done(user)
        for each in (served.process, *real.children(served.process)):
            each.kill()
        return first

    first = real.with_browser(served, scenario)
    served.process.wait()
    again = start_server("--models-directory", small_models, user=user)
    entry = real.with_browser(again, lambda browser: finished(browser, first))
    check_end(entry, user)
