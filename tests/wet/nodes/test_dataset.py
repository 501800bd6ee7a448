"""Training sets prepared: pictures, texts, and what they are encoded to, in folders and lists."""

import json

import pytest
import torch
from PIL import Image

from engine.errors import FilesError, NodeError, WeightsError
from engine.nodekit.context import RunningContext
from nodes.dataset import bucket_by_resolution, load_images_and_texts
from nodes.dataset_files import (
    load_training_set,
    save_images,
    save_images_and_texts,
    save_training_set,
)
from nodes.dataset_images import (
    adjust_brightness,
    adjust_contrast,
    center_crop,
    deduplicate,
    image_grid,
    merge_images,
    normalize_images,
    random_crop,
    resize_by_longer_edge,
    resize_by_shorter_edge,
    shuffle_images,
    shuffle_pairs,
)
from nodes.dataset_texts import (
    add_prefix,
    add_suffix,
    merge_texts,
    replace_text,
    strip_whitespace,
    to_lowercase,
    to_uppercase,
    truncate_text,
)


@pytest.fixture
def context(files, settings):
    settings.input_directory.mkdir(parents=True, exist_ok=True)
    return RunningContext("1", files)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def numbered(count):
    return [torch.full((1, 4, 4, 3), number / 10) for number in range(count)]


def test_texts():
    assert add_prefix("a cat", "photo of ") == "photo of a cat"
    assert add_suffix("a cat", ", oil") == "a cat, oil"
    assert replace_text("a cat, a cat", "cat", "dog") == "a dog, a dog"
    assert replace_text("a cat", "", "dog") == "a cat"
    assert strip_whitespace(" \ta cat\n") == "a cat"
    assert (to_lowercase("A Cat"), to_uppercase("A Cat")) == ("a cat", "A CAT")
    assert truncate_text("a cat", 3) == "a c"
    assert merge_texts(["a", "b"]) == ["a", "b"]


def test_colours_change_and_transparency_does_not():
    image = torch.tensor([[[[0.0, 0.5, 0.8, 0.3]]]])
    brighter = adjust_brightness(image, 1.5)
    torch.testing.assert_close(brighter, torch.tensor([[[[0.0, 0.75, 1.0, 0.3]]]]))
    flatter = adjust_contrast(image, 0.5)
    torch.testing.assert_close(flatter, torch.tensor([[[[0.25, 0.5, 0.65, 0.3]]]]))
    normal = normalize_images(image[..., :3], 0.5, 0.5)
    torch.testing.assert_close(normal, torch.tensor([[[[-1.0, 0.0, 0.6]]]]))


def test_windows_of_pictures():
    images = noise(3, 20, 30, 3)
    assert torch.equal(center_crop(images, 10, 10), images[:, 5:15, 10:20])
    assert center_crop(images, 40, 10).shape == (3, 10, 30, 3)
    cut = random_crop(images, 10, 8, seed=3)
    assert cut.shape == (3, 8, 10, 3)
    assert torch.equal(cut, random_crop(images, 10, 8, seed=3))
    assert not torch.equal(cut, random_crop(images, 10, 8, seed=4))
    for image, part in zip(images, cut, strict=True):
        windows = image.unfold(0, 8, 1).unfold(1, 10, 1).permute(0, 1, 3, 4, 2)
        assert (windows == part).all((-1, -2, -3)).sum() == 1, "not a part of the picture"


def test_edges():
    images = noise(2, 20, 30, 3)
    assert resize_by_longer_edge(images, 60).shape == (2, 40, 60, 3)
    assert resize_by_shorter_edge(images, 10).shape == (2, 10, 15, 3)
    with pytest.raises(NodeError, match="no side may be longer"):
        resize_by_shorter_edge(noise(1, 1, 100, 3), 8192)


def test_near_copies_are_left_out():
    one, other = noise(1, 64, 64, 3), noise(1, 64, 64, 3, seed=1)
    copy = (one * 0.9).repeat_interleave(2, 1)
    kept = deduplicate([one, torch.cat((other, one))[:1], copy], (0.95,))
    assert [each.shape for each in kept] == [one.shape, other.shape]
    assert len(deduplicate([one, one], (1.0,))) == 1
    red, blue = (torch.eye(3)[index].expand(1, 8, 8, 3) for index in (0, 2))
    assert len(deduplicate([red, blue], (0.95,))) == 2


def test_a_grid():
    grid = image_grid(numbered(3), (2,), (32,), (40,), (5,))
    assert grid.shape == (1, 85, 69, 3)
    assert grid[0, 45:, 37:].sum() == 0, "the last cell is empty"
    torch.testing.assert_close(grid[0, 45:, :32], torch.full((40, 32, 3), 0.2), atol=0.01, rtol=0)
    with pytest.raises(NodeError, match="no image for the grid"):
        image_grid([])


def test_orders_are_drawn_by_the_seed_and_pairs_stay_together():
    images = numbered(9)
    assert all(map(torch.equal, merge_images(images), images))
    shuffled = shuffle_images([torch.cat(images)], (1,))
    assert [each.shape for each in shuffled] == [(1, 4, 4, 3)] * 9
    order = [round(float(each.mean()) * 10) for each in shuffled]
    assert order != list(range(9))
    assert sorted(order) == list(range(9))
    pairs = shuffle_pairs(images, [str(number) for number in range(9)], (2**64 - 1,))
    assert [str(round(float(each.mean()) * 10)) for each in pairs.images] == list(pairs.texts)
    with pytest.raises(NodeError, match="9 pictures and 1 texts"):
        shuffle_pairs(images, ["a"], (1,))


def test_pictures_and_texts_come_back(context, settings):
    images = [noise(2, 8, 12, 3), noise(1, 6, 6, 3)]
    save_images_and_texts(images, ["a", "grün", ""], context, ("set/more",), ("x",))
    folder = settings.output_directory / "set" / "more"
    assert len(context.shown["images"]) == 3
    assert sorted(path.name for path in folder.iterdir()) == [
        f"x_0000{number}_{suffix}" for number in (1, 2, 3) for suffix in (".png", ".txt")
    ]
    folder.parent.rename(settings.input_directory / "set")
    found = load_images_and_texts("set/more", context)
    assert found.texts == ["a", "grün", ""]
    assert [tuple(each.shape) for each in found.images] == [(1, 8, 12, 3)] * 2 + [(1, 6, 6, 3)]
    torch.testing.assert_close(found.images[2], images[1], atol=1 / 255, rtol=0)


def test_saved_pictures_are_never_overwritten(context, settings):
    for _ in range(2):
        save_images([noise(1, 4, 4, 3)], context, ("set",), ("x",))
    assert len(list((settings.output_directory / "set").glob("*.png"))) == 2
    with Image.open(settings.output_directory / "set" / "x_00001_.png") as picture:
        assert picture.size == (4, 4)


def test_what_cannot_be_saved_is_a_sentence(context):
    with pytest.raises(NodeError, match="no pictures to save"):
        save_images([], context)
    with pytest.raises(NodeError, match="1 pictures and 2 texts"):
        save_images_and_texts([noise(1, 4, 4, 3)], ["a", "b"], context)
    with pytest.raises(FilesError):
        save_images([noise(1, 4, 4, 3)], context, ("../outside",), ("x",))


def training_set(count=3):
    latents = [{"samples": noise(1, 4, 8, 8, seed=number)} for number in range(count)]
    text = [[noise(1, 77, 16), {"pooled_output": noise(1, 16), "area": ("percentage", 1, 0.5)}]]
    other = [[noise(1, 77, 16, seed=9), {"guidance": 3.5}]]
    return latents, [*(text for _ in range(count - 1)), other]


def test_a_training_set_comes_back_whole(context, settings):
    latents, texts = training_set()
    save_training_set(latents, texts, context, ("mine",), (2,))
    folder = settings.output_directory / "mine"
    assert sorted(path.name for path in folder.iterdir()) == [
        "metadata.json",
        "shard_0000.safetensors",
        "shard_0001.safetensors",
    ]
    found = load_training_set(context, "mine")
    for ours, theirs in zip(found.latents, latents, strict=True):
        assert torch.equal(ours["samples"], theirs["samples"])
    for [[ours, extras]], [[theirs, others]] in zip(found.conditioning, texts, strict=True):
        assert torch.equal(ours, theirs)
        assert extras.keys() == others.keys()
    assert found.conditioning[0][0][1]["area"] == ["percentage", 1, 0.5]
    assert torch.equal(found.conditioning[0][0][1]["pooled_output"], noise(1, 16))
    assert found.conditioning[2][0][1]["guidance"] == 3.5
    single = (folder / "shard_0000.safetensors").stat().st_size
    assert single < 2 * 77 * 16 * 4 + 2 * 4 * 8 * 8 * 4 + 2000, "a shared text is stored once"


def test_a_smaller_training_set_replaces_a_larger_one(context, settings):
    save_training_set(*training_set(3), context, ("mine",), (1,))
    before = load_training_set.fingerprint_of({"folder_name": "mine"}, context)
    save_training_set(*training_set(2), context, ("mine",), (1,))
    assert len(load_training_set(context, "mine").latents) == 2
    assert len(list((settings.output_directory / "mine").iterdir())) == 3
    assert before != load_training_set.fingerprint_of({"folder_name": "mine"}, context)


def test_a_training_set_that_is_not_whole_is_a_sentence(context, settings):
    with pytest.raises(NodeError, match="no whole training set 'mine'"):
        load_training_set(context, "mine")
    with pytest.raises(FilesError, match="leads out"):
        load_training_set(context, "../mine")
    save_training_set(*training_set(2), context, ("mine",), (1,))
    folder = settings.output_directory / "mine"
    (folder / "shard_0001.safetensors").unlink()
    with pytest.raises(NodeError, match="lacks shard_0001"):
        load_training_set(context, "mine")
    (folder / "metadata.json").write_text(json.dumps({"shards": ["../../../secret"]}))
    with pytest.raises(NodeError, match="lacks"):
        load_training_set(context, "mine")
    (folder / "metadata.json").write_text("[]")
    with pytest.raises(NodeError, match="does not list the files"):
        load_training_set(context, "mine")
    (folder / "metadata.json").write_text(json.dumps({"shards": ["shard_0000.safetensors"]}))
    (folder / "shard_0000.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError):
        load_training_set(context, "mine")


def test_what_no_file_holds_is_refused(context, settings):
    latents, texts = training_set(1)
    texts[0][0][1]["control"] = object()
    with pytest.raises(NodeError, match="cannot hold a object"):
        save_training_set(latents, texts, context, ("mine",))
    with pytest.raises(NodeError, match="2 latents and 1 conditionings"):
        save_training_set(latents * 2, texts, context, ("mine",))


def test_buckets_hold_one_size_and_a_text_for_each():
    sizes = [(8, 8), (8, 16), (8, 8)]
    latents = [{"samples": noise(1, 4, *size, seed=i)} for i, size in enumerate(sizes)]
    texts = [[[noise(1, 77, 16, seed=i), {}]] for i in range(3)]
    made = bucket_by_resolution(latents, texts)
    assert [tuple(each["samples"].shape) for each in made.latents] == [(2, 4, 8, 8), (1, 4, 8, 16)]
    assert torch.equal(made.latents[0]["samples"][1], latents[2]["samples"][0])
    assert made.conditioning[0][1] is texts[2][0]
    assert [len(each) for each in made.conditioning] == [2, 1]
    with pytest.raises(NodeError, match="3 latents and 2 conditionings"):
        bucket_by_resolution(latents, texts[:2])
    with pytest.raises(NodeError, match="conditioning of 2 entries"):
        bucket_by_resolution(latents[:1], [[*texts[0], *texts[1]]])
