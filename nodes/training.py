"""Training a LoRA on the denoiser of a model, and use of the result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from safetensors.torch import save

from engine.adapters.read import adapter_of
from engine.inference import values
from engine.inference.adapters import adapter_file, matched_with, patched_model
from engine.media.encoding import png_bytes
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Range, Text
from engine.training.existing import existing_parts
from engine.training.loop import SAVE_EVERY, OnStep, key_of, train
from engine.training.options import (
    Algorithm,
    DtypeName,
    LossFunction,
    Optimizer,
    TrainingOptions,
)
from engine.training.samples import Group, make_groups
from engine.training.state import SavedState
from engine.weights.state_dict import StateDict
from nodes.loss_plot import as_jpeg, loss_picture, loss_text
from nodes.sockets import Conditioning, Latent, LoraModel, LossMap, Model

NONE = "[None]"
FOLDER = "loras"
SECONDS_BETWEEN_PICTURES = 1.0


class TrainedLora(NamedTuple):
    """The outputs of Train LoRA."""

    model: Model
    lora: LoraModel
    loss_map: LossMap
    steps: int


@node(
    "TrainLoraNode",
    category="training",
    display="Train LoRA",
    experimental=True,
    input_is_list=True,
)
def train_lora(
    model: Sequence[Model],
    latents: Sequence[Latent],
    positive: Sequence[Conditioning],
    ctx: Context,
    batch_size: Sequence[Annotated[int, Range(1, 10000)]] = (1,),
    grad_accumulation_steps: Sequence[Annotated[int, Range(1, 1024)]] = (1,),
    steps: Sequence[Annotated[int, Range(1, 100000)]] = (16,),
    learning_rate: Sequence[Annotated[float, Range(1e-7, 1.0, step=1e-7)]] = (0.0005,),
    rank: Sequence[Annotated[int, Range(1, 128)]] = (8,),
    optimizer: Sequence[Optimizer] = ("AdamW",),
    loss_function: Sequence[LossFunction] = ("MSE",),
    seed: Sequence[Annotated[int, Range(0, 0xFFFFFFFFFFFFFFFF)]] = (0,),
    training_dtype: Sequence[DtypeName] = ("bf16",),
    lora_dtype: Sequence[DtypeName] = ("bf16",),
    algorithm: Sequence[Algorithm] = ("LoRA",),
    gradient_checkpointing: Sequence[bool] = (True,),
    existing_lora: Sequence[Annotated[str, FileChoice(FOLDER, also=(NONE,))]] = (NONE,),
    bucket_mode: Sequence[bool] = (False,),
) -> TrainedLora:
    """Train a LoRA of the model on latents and their conditionings.

    The model's weights are not changed. An interrupted training (stopped or crashed) is resumed
    when it is run again with the same inputs.
    """
    del bucket_mode  # what Resolution Bucket gives is understood, and sorted anyway
    options = TrainingOptions(
        steps=steps[0],
        batch_size=batch_size[0],
        accumulation=grad_accumulation_steps[0],
        learning_rate=learning_rate[0],
        rank=rank[0],
        optimizer=optimizer[0],
        loss_function=loss_function[0],
        seed=seed[0],
        training_dtype=training_dtype[0],
        lora_dtype=lora_dtype[0],
        algorithm=algorithm[0],
        gradient_checkpointing=gradient_checkpointing[0],
    )
    return _trained(
        model[0], make_groups(model[0], latents, positive), options, existing_lora[0], ctx
    )


def _trained(
    model: values.Model,
    groups: Sequence[Group],
    options: TrainingOptions,
    existing_name: str,
    ctx: Context,
) -> TrainedLora:
    existing, said = None, list[str]()
    identity: object = None
    if existing_name != NONE:
        adapter = adapter_file(ctx.files.find(FOLDER, existing_name))
        existing, said = existing_parts(adapter, model)
        identity = adapter.identity
    key = key_of(model, groups, options, identity)
    saved = SavedState(ctx.files.state_file("training", f"{key}.safetensors"), key)
    trained = train(
        model,
        groups,
        options,
        existing=existing,
        saved=saved,
        save_every=SAVE_EVERY,
        checkpoint=ctx.checkpoint,
        on_step=_reporter(ctx),
    )
    saved.remove()
    said.insert(0, loss_text(trained.losses, options.steps))
    if trained.resumed_at:
        said.append(f"went on at step {trained.resumed_at} of a training that was interrupted")
    ctx.show(text=said)
    lora = values.LoraModel(key, trained.tensors)
    losses = {"loss": list(trained.losses)}
    return TrainedLora(with_lora(model, lora, 1.0), lora, losses, options.steps)


def _reporter(ctx: Context) -> OnStep:
    """Reports each step, with a picture of the losses as often as a user could see it."""
    shown = [0.0]

    def report(step: int, steps: int, losses: Sequence[float]) -> None:
        picture = None
        now = time.monotonic()
        if now - shown[0] >= SECONDS_BETWEEN_PICTURES or step == steps:
            shown[0] = now
            picture = as_jpeg(loss_picture(losses, steps))
        ctx.progress(step, steps, picture)

    return report


@node(
    "LoraModelLoader",
    category="loaders",
    display="Load LoRA Model",
    output_names=("model",),
    experimental=True,
)
def load_lora_model(
    model: Model,
    lora: LoraModel,
    strength_model: Annotated[float, Range(-100.0, 100.0)] = 1.0,
) -> Model:
    """Apply a newly trained LoRA to a model."""
    return with_lora(model, lora, strength_model)


def with_lora(model: values.Model, lora: values.LoraModel, strength: float) -> values.Model:
    """A model with a trained LoRA at a strength."""
    adapter = adapter_of(StateDict.of(lora.tensors), lora.identity)
    return patched_model(model, matched_with(adapter, model, None), strength)


@node(
    "SaveLoRA",
    category="loaders",
    display="Save LoRA Weights",
    output=True,
    experimental=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_lora(
    lora: LoraModel,
    ctx: Context,
    prefix: Annotated[str, Text(multiline=False)] = "loras/ComfyUI_trained_lora",
    steps: int | None = None,
) -> None:
    """Save a LoRA to the output folder, with the workflow that trained it.

    Move the file into `models/loras/` to use it with Load LoRA.
    """
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    named = prefix if steps is None else f"{prefix}_{steps}_steps"
    new = ctx.files.new_output(named, ".safetensors")
    ctx.files.write(new, save(dict(lora.tensors), dict(texts)))
    ctx.show(text=[f"saved as {new.subfolder}/{new.filename} in the output folder"])


@node(
    "LossGraphNode",
    category="training",
    display="Plot Loss Graph",
    output=True,
    experimental=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def loss_graph(
    loss: LossMap,
    ctx: Context,
    filename_prefix: Annotated[str, Text(multiline=False)] = "loss_graph",
) -> None:
    """Plot the losses of a training as a picture in the output folder."""
    losses = [float(each) for each in loss["loss"]]
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    new = ctx.files.new_output(filename_prefix, ".png")
    ctx.files.write(new, png_bytes(loss_picture(losses, len(losses)), texts=texts))
    ctx.show(images=[new.shown()])
