"""From a folder of pictures to a LoRA file that the LoRA loader reads, with the nodes only."""

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine.errors import FilesError, NodeError
from engine.nodekit.context import RunningContext
from nodes.dataset import (
    bucket_by_resolution,
    load_images,
    load_images_and_texts,
    make_training_set,
)
from nodes.dataset_files import load_training_set, save_training_set
from nodes.loaders import load_checkpoint_file
from nodes.lora import load_lora_for_model
from nodes.loss_plot import loss_picture, running_mean
from nodes.training import load_lora_model, loss_graph, save_lora, train_lora


@pytest.fixture
def context(files, settings, small_tensors, cpu_residency):
    folder = settings.models_directories[0] / "checkpoints"
    folder.mkdir(parents=True)
    save_file(small_tensors, folder / "small.safetensors")
    (settings.models_directories[0] / "loras").mkdir()
    pictures = settings.input_directory / "set"
    (pictures / "2_more").mkdir(parents=True)
    for number, place in enumerate((pictures, pictures, pictures / "2_more")):
        path = place / f"{number}.png"
        Image.new("RGB", (64, 64), (80 * number, 200, 90)).save(path)
        if number != 1:
            path.with_suffix(".txt").write_text(f"picture {number}\n", encoding="utf-8")
    return RunningContext("1", files)


def test_a_folder_is_pictures_with_their_texts(context):
    found = load_images_and_texts("set", context)
    assert found.texts == ["picture 0", "", "picture 2", "picture 2"]
    assert [tuple(each.shape) for each in found.images] == [(1, 64, 64, 3)] * 4
    assert len(load_images("set/2_more", context)) == 1
    assert context.files.list("input_folders") == ["set", "set/2_more"]


def test_a_missing_folder_an_empty_one_and_a_foreign_one(context, settings):
    (settings.input_directory / "empty").mkdir()
    with pytest.raises(FilesError, match=r"no folder 'sat'.*'set'"):
        load_images("sat", context)
    with pytest.raises(FilesError, match="leads out"):
        load_images("../output", context)
    with pytest.raises(NodeError, match="no picture in the folder 'empty'"):
        load_images("empty", context)


def test_texts_must_be_one_or_as_many_as_pictures(context):
    _, clip, vae = load_checkpoint_file("small.safetensors", context)
    images = load_images("set", context)
    with pytest.raises(NodeError, match="4 pictures and 2 texts"):
        make_training_set(images, [vae], [clip], context, ["a", "b"])
    made = make_training_set(images, [vae], [clip], context, ["a"])
    assert len(made.latents) == len(made.conditioning) == 4


def test_train_save_and_load(context, settings):
    model, clip, vae = load_checkpoint_file("small.safetensors", context)
    found = load_images_and_texts("set", context)
    made = make_training_set(found.images, [vae], [clip], context, found.texts)
    trained = train_lora(
        [model],
        made.latents,
        made.conditioning,
        context,
        steps=(3,),
        batch_size=(2,),
        learning_rate=(0.01,),
        training_dtype=("fp32",),
    )
    assert trained.steps == 3
    assert len(trained.loss_map["loss"]) == 3
    assert not list(settings.user_directory.glob("training/*")), "the state was left behind"
    assert context.shown["text"][-1].startswith("step 3 of 3, loss ")
    save_lora(trained.lora, context, "loras/mine", steps=3)
    [file] = (settings.output_directory / "loras").iterdir()
    assert file.name == "mine_3_steps_00001_.safetensors"
    file.replace(settings.models_directories[0] / "loras" / "mine.safetensors")
    loaded = load_lora_for_model(model, "mine.safetensors", context, 1.0)
    direct = load_lora_model(model, trained.lora, 1.0)
    assert (
        loaded.net.patches.keys() == direct.net.patches.keys() == trained.model.net.patches.keys()
    )
    name = next(name for name in direct.net.patches if "to_q" in name)
    weight = torch.zeros(direct.net.sources[name].shape)
    ours, theirs = (each.net.patches[name][0].apply(weight) for each in (direct, loaded))
    assert ours.abs().sum() > 0
    torch.testing.assert_close(ours, theirs)
    again = train_lora(
        [model],
        made.latents,
        made.conditioning,
        context,
        steps=(1,),
        existing_lora=("mine.safetensors",),
    )
    assert len(again.loss_map["loss"]) == 1


@pytest.mark.slow
def test_buckets_and_a_saved_set_train_like_the_pictures_themselves(context):
    model, clip, vae = load_checkpoint_file("small.safetensors", context)
    found = load_images_and_texts("set", context)
    made = make_training_set(found.images, [vae], [clip], context, found.texts)
    save_training_set(made.latents, made.conditioning, context, ("mine",), (3,))
    loaded = load_training_set(context, "mine")
    buckets = bucket_by_resolution(loaded.latents, loaded.conditioning)
    losses = []
    for each, bucket_mode in ((made, False), (loaded, False), (buckets, True)):
        trained = train_lora(
            [model],
            each.latents,
            each.conditioning,
            context,
            steps=(2,),
            training_dtype=("fp32",),
            bucket_mode=(bucket_mode,),
        )
        losses.append(trained.loss_map["loss"])
    assert losses[0] == losses[1] == losses[2]


def test_the_losses_are_a_picture(context, settings):
    loss_graph({"loss": [0.5, 0.25, 0.125]}, context)
    [file] = settings.output_directory.iterdir()
    with Image.open(file) as picture:
        assert picture.size == (640, 360)
    assert running_mean([1.0, 0.0]) == [1.0, 0.5]
    assert loss_picture([], 10).size == (640, 360)
