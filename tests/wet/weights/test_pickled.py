"""Pickled checkpoints: tensors are read, and no code of the file runs."""

import argparse
import importlib
import logging
import os
import pickle
import runpy
import subprocess
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict, deque
from datetime import UTC, datetime
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch

from engine.errors import WeightsError
from engine.weights.open import open_weights

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}


class Payload:
    """The payload of a malicious checkpoint: unpickling it creates a file."""

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
    "web page.safetensors": (b"<!DOCTYPE html><html>", "a web page"),
    "page with a mark.safetensors": (b"\xef\xbb\xbf\n <html lang='en'>", "a web page"),
    "pointer.safetensors": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00ff\nsize 4265380512\n",
        r"a Git LFS pointer to a file of 4,265,380,512 bytes, not the weights.*git lfs pull",
    ),
    "pointer.pt": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    "answer.safetensors": (b"Entry not found", r"a text \('Entry not found'\), not weights"),
    "answer.ckpt": (b'{"error":"Invalid credentials"}', "a text .*Invalid credentials"),
    "empty.safetensors": (b"", "0 bytes"),
    "web page.ckpt": (b"<!DOCTYPE html><html>", "web page"),
    "pointer.ckpt": (b"version https://git-lfs.github.com/spec/v1\n", "pointer"),
    "model.gguf": (b"GGUF\x03\0\0\0", "not a sound GGUF file: it is truncated"),
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


@pytest.fixture
def elsewhere(monkeypatch):
    """Makes modules that exist while a file is written."""

    def make(kind: type, name: str) -> type:
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            inner = ".".join(parts[:length])
            if inner not in sys.modules:
                monkeypatch.setitem(sys.modules, inner, types.ModuleType(inner))
        setattr(sys.modules[name], kind.__name__, kind)
        kind.__module__, kind.__qualname__ = name, kind.__name__
        return kind

    return make


def same(found, expected=TENSORS):
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_a_trainer_loads_without_it(tmp_path, elsewhere, monkeypatch, zipped):
    class Callback:
        made = 0

        def __init__(self):
            type(self).made += 1
            self.best = "x"

    class AttributeDict(dict):
        pass

    elsewhere(Callback, "pytorch_lightning.callbacks.model_checkpoint")
    elsewhere(AttributeDict, "pytorch_lightning.utilities.parsing")
    safe = set(torch.serialization.get_safe_globals())
    path = tmp_path / "lightning.ckpt"
    document = {
        "epoch": 1,
        "state_dict": OrderedDict(TENSORS),
        "callbacks": {Callback: {"monitor": "loss"}, "one": Callback()},
        "hyper_parameters": AttributeDict(
            a=1, path=PurePosixPath("x/y"), when=datetime(2022, 8, 22, tzinfo=UTC)
        ),
        "lr": np.float64(1e-4),
        "curve": np.zeros(3),
        "namespace": argparse.Namespace(steps=3),
        "more": defaultdict(list, a=[1]),
        "last": deque([1, 2], maxlen=2),
        "all": ...,
        "log": logging.getLogger("trainer"),
    }
    torch.save(document, path, _use_new_zipfile_serialization=zipped)
    for name in [name for name in sys.modules if name.startswith("pytorch_lightning")]:
        monkeypatch.delitem(sys.modules, name)
    same(open_weights(path))
    assert Callback.made == 1
    assert not [name for name in sys.modules if name.startswith("pytorch_lightning")]
    assert set(torch.serialization.get_safe_globals()) == safe


def test_a_textual_inversion_in_a_parameter_dict(tmp_path):
    vectors = torch.ones(2, 4)
    held = torch.nn.ParameterDict({"*": torch.nn.Parameter(vectors)})
    path = tmp_path / "style.pt"
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": held}, path)
    assert torch.equal(open_weights(path)["string_to_param.*"], vectors)


def test_a_whole_module_gives_its_tensors_by_dotted_names(tmp_path, elsewhere, monkeypatch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(2, 3)
            self.rest = torch.nn.Sequential(torch.nn.BatchNorm1d(3))

    elsewhere(Net, "somebody.nets")
    net = Net()
    path = tmp_path / "net.pth"
    torch.save(net, path)
    monkeypatch.delitem(sys.modules, "somebody.nets")
    same(open_weights(path), net.state_dict())


class Sneaky:
    """Pickles as a call of a function, with these arguments."""

    def __init__(self, function, *arguments):
        self.parts = (function, arguments)

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch {}",)),
        (eval, ("open({!r}, 'w')",)),
        (subprocess.check_call, (["touch", "{}"],)),
        (runpy.run_path, ("{}",)),
        (importlib.import_module, ("antigravity",)),
        (getattr, ("x", "upper")),
    ],
)
def test_functions_of_python_are_refused_by_name(tmp_path, function, arguments, zipped):
    canary = tmp_path / "canary"
    filled = [
        each.format(canary) if isinstance(each, str) else [part.format(canary) for part in each]
        for each in arguments
    ]
    path = tmp_path / "evil.ckpt"
    document = {"state_dict": TENSORS, "x": Sneaky(function, *filled)}
    torch.save(document, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=rf"refused.*{function.__name__}"):
        open_weights(path)
    assert not canary.exists()


def test_a_function_of_another_package_is_not_called(tmp_path, elsewhere):
    called = []

    def launch(*arguments):
        called.append(arguments)
        return {}

    elsewhere(launch, "somebody.tools")
    path = tmp_path / "odd.ckpt"
    torch.save({"state_dict": TENSORS, "x": Sneaky(launch, 1)}, path)
    called.clear()
    same(open_weights(path))
    assert called == []
