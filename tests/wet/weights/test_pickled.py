"""Pickled checkpoints: tensors come out, nothing else ever runs."""

import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from engine.errors import WeightsError
from engine.weights.open import open_weights

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}


class Payload:
    """What a malicious checkpoint carries: unpickling it makes a file."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return (open, (self.target, "w"))


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin"])
@pytest.mark.parametrize(
    "document",
    [
        TENSORS,
        OrderedDict(TENSORS),
        {"state_dict": TENSORS, "global_step": 5, "optimizer_states": [{}], "epoch": 1.5},
    ],
    ids=["plain", "ordered", "nested with training state"],
)
def test_tensors_come_out(tmp_path, document, suffix):
    path = tmp_path / f"model{suffix}"
    torch.save(document, path)
    found = open_weights(path)
    assert set(found) == set(TENSORS)
    for name, value in TENSORS.items():
        assert torch.equal(found[name], value)
        assert found.entries[name].dtype == value.dtype


def test_the_old_format_without_an_archive_loads_too(tmp_path):
    path = tmp_path / "old.ckpt"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)
    assert torch.equal(open_weights(path)["a.weight"], TENSORS["a.weight"])


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_never_runs(tmp_path, zipped):
    canary = tmp_path / "canary"
    path = tmp_path / "evil.ckpt"
    document = {"state_dict": TENSORS, "hook": Payload(str(canary))}
    torch.save(document, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"evil\.ckpt: refused.*trust") as caught:
        open_weights(path)
    assert not canary.exists()
    assert "weights_only" not in str(caught.value)
    if zipped:
        assert "open" in str(caught.value)


def test_a_bare_pickle_that_calls_something_is_refused(tmp_path):
    canary = tmp_path / "canary"
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Payload(str(canary))))
    with pytest.raises(WeightsError, match=r"evil\.pt"):
        open_weights(path)
    assert not canary.exists()


def test_a_pickle_called_safetensors_never_reaches_the_unpickler(tmp_path):
    canary = tmp_path / "canary"
    for name in ("evil.safetensors", "evil.SAFETENSORS", "evil.sft"):
        path = tmp_path / name
        torch.save(Payload(str(canary)), path)
        with pytest.raises(WeightsError, match="pickle; refused"):
            open_weights(path)
    assert not canary.exists()


def test_safetensors_called_ckpt_are_read_as_what_they_are(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "model.ckpt"
    save_file(TENSORS, path)
    assert torch.equal(open_weights(path)["a.weight"], TENSORS["a.weight"])


def test_a_compressed_archive_is_refused(tmp_path):
    stored, packed = tmp_path / "stored.ckpt", tmp_path / "packed.ckpt"
    torch.save(TENSORS, stored)
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(packed, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, source.read(info), zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="compressed"):
        open_weights(packed)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_checkpoint_is_refused(tmp_path, share):
    path = tmp_path / "short.ckpt"
    torch.save(TENSORS, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsError, match=r"short\.ckpt"):
        open_weights(path)


@pytest.mark.parametrize("document", [[1, 2], {"a": 5}, {}, "text", torch.ones(2)])
def test_a_document_without_named_tensors_is_refused(tmp_path, document):
    path = tmp_path / "odd.pt"
    torch.save(document, path)
    with pytest.raises(WeightsError, match="expected tensors by name"):
        open_weights(path)


FOREIGN = {
    "web page.safetensors": (b"<!DOCTYPE html><html>", "header"),
    "web page.ckpt": (b"<!DOCTYPE html><html>", "web page"),
    "pointer.ckpt": (b"version https://git-lfs.github.com/spec/v1\n", "pointer"),
    "model.gguf": (b"GGUF\x03\0\0\0", "GGUF"),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "no known weights format"),
    "archive.zip": (b"PK\x03\x04" + b"\0" * 20, "no known weights format"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_called_by_their_name(tmp_path, name):
    content, said = FOREIGN[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=said):
        open_weights(path)


def test_a_textual_inversion_keeps_its_vectors_one_level_down(tmp_path):
    path = tmp_path / "style.pt"
    torch.save({"string_to_param": {"*": torch.ones(2, 4)}, "name": "style", "step": 5}, path)
    assert torch.equal(open_weights(path)["string_to_param.*"], torch.ones(2, 4))
