"""Valid files load as views; invalid ones are refused with a sentence."""

import json
import struct

import pytest
import safetensors.torch as library
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError

from engine import tensor_header
from engine.errors import WeightsError
from engine.weights import safetensors as ours
from engine.weights.open import open_weights

SMALL = {
    "weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "half": torch.arange(4, dtype=torch.float16),
    "count": torch.tensor(7),
}


def write(path, header, data=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def tensor(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize("dtype", sorted(set(ours.DTYPES.values()), key=str))
def test_every_dtype_reads_as_the_library_reads_it(tmp_path, dtype):
    path = tmp_path / "one.safetensors"
    raw = torch.randint(0, 2, (3, 8), generator=torch.Generator().manual_seed(0))
    library.save_file({"x": raw.to(dtype)}, path, metadata={"who": "us"})
    found = open_weights(path)
    expected = library.load_file(path)["x"]
    assert found.metadata == {"who": "us"}
    assert found.entries["x"].dtype == dtype
    assert found["x"].shape == (3, 8)
    assert torch.equal(found["x"].view(torch.uint8), expected.view(torch.uint8))


def test_tensors_are_views_of_one_read_only_map(tmp_path):
    path = tmp_path / "one.safetensors"
    library.save_file(SMALL, path)
    found = open_weights(path)
    addresses = [found[name].untyped_storage().data_ptr() for name in found]
    assert len(set(addresses)) == 1
    found.forget()
    for name, value in SMALL.items():
        assert torch.equal(found[name], value)
    assert found.nbytes == sum(value.nbytes for value in SMALL.values())


def test_an_unaligned_file_of_an_old_writer_reads_the_same(tmp_path):
    header = {"x": tensor(shape=(2,), offsets=(0, 8))}
    values = struct.pack("<2f", 1.5, -2.0)
    for spaces in range(8):
        text = json.dumps(header).encode() + b" " * spaces
        path = write(tmp_path / f"{spaces}.safetensors", text, values)
        assert open_weights(path)["x"].tolist() == [1.5, -2.0]


def test_empty_tensors_and_scalars(tmp_path):
    path = tmp_path / "empty.safetensors"
    library.save_file({"none": torch.empty(0, 3), "one": torch.tensor(2.0)}, path)
    assert open_weights(path)["none"].shape == (0, 3)
    assert open_weights(path)["one"].item() == 2.0
    library.save_file({"none": torch.empty(0, 3)}, path)
    assert open_weights(path)["none"].shape == (0, 3)


BAD = {
    "nothing": b"",
    "seven bytes": b"\x00" * 7,
    "header beyond the end": struct.pack("<Q", 100) + b"{}",
    "header of a terabyte": struct.pack("<Q", 10**12) + b"{}",
    "no json": struct.pack("<Q", 4) + b"{abc",
    "a list": struct.pack("<Q", 2) + b"[]",
    "not utf-8": struct.pack("<Q", 4) + b'{"\xff"',
    "not even text": struct.pack("<Q", 2) + b"\xff\xff",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_broken_frame_is_refused(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        open_weights(path)


HOSTILE = {
    "no dict": ({"x": 5}, b"\0" * 4, "not described by"),
    "no shape": ({"x": {"dtype": "F32", "data_offsets": [0, 4]}}, b"\0" * 4, "not described by"),
    "unknown dtype": ({"x": tensor("F77")}, b"\0" * 4, "F77"),
    "dtype of another type": ({"x": tensor(["F32"])}, b"\0" * 4, "dtype"),
    "negative size": ({"x": tensor(shape=(-1, -1))}, b"\0" * 4, "whole numbers"),
    "a true size": ({"x": tensor(shape=(True,))}, b"\0" * 4, "whole numbers"),
    "a float size": ({"x": tensor(shape=(1.0,))}, b"\0" * 4, "whole numbers"),
    "a shape that overflows": (
        {"x": tensor(shape=(2**62, 2**62, 0), offsets=(0, 0))},
        b"",
        "beyond what a tensor can have",
    ),
    "a hundred axes": ({"x": tensor(shape=(1,) * 100)}, b"\0" * 4, "beyond what a tensor"),
    "three offsets": ({"x": tensor(offsets=(0, 2, 4))}, b"\0" * 4, "begin, end"),
    "backwards": ({"x": tensor(offsets=(4, 0))}, b"\0" * 4, "data_offsets"),
    "too little for its shape": ({"x": tensor(shape=(2,))}, b"\0" * 4, "takes 8 bytes"),
    "overlap": ({"x": tensor(), "y": tensor()}, b"\0" * 4, "overlaps"),
    "a hole": ({"x": tensor(), "y": tensor(offsets=(8, 12))}, b"\0" * 12, "hole"),
    "beyond the end": ({"x": tensor(shape=(9,), offsets=(0, 36))}, b"\0" * 4, "truncated"),
    "something left over": ({"x": tensor()}, b"\0" * 9, "the file holds 9"),
    "metadata of numbers": ({"__metadata__": {"a": 1}}, b"", "__metadata__"),
    "metadata that is a list": ({"__metadata__": []}, b"", "__metadata__"),
    "a name twice": (b'{"x":1,"x":2}', b"", "twice"),
    "not a number": (b'{"x":NaN}', b"", "NaN"),
    "deep nesting": (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"", "too deeply"),
    "a number of 5,000 digits": (b'{"x":' + b"1" * 5000 + b"}", b"", "JSON"),
    "half a surrogate pair": (b'{"\\ud800":1}', b"", "JSON"),
}


@pytest.mark.parametrize(("header", "data", "said"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_header_is_refused_in_words(tmp_path, header, data, said):
    path = write(tmp_path / "bad.safetensors", header, data)
    with pytest.raises(WeightsError, match=said) as caught:
        open_weights(path)
    assert str(caught.value).startswith("bad.safetensors: ")
    assert len(str(caught.value)) < 1000
    str(caught.value).encode()


def test_too_many_tensors_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_header, "TENSOR_LIMIT", 2)
    header = {str(i): tensor(shape=(0,), offsets=(0, 0)) for i in range(3)}
    with pytest.raises(WeightsError, match="3 tensors"):
        open_weights(write(tmp_path / "many.safetensors", header))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            b"{"
            + b",".join(
                b'"%d":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}' % i for i in range(210_000)
            )
            + b"}",
            "names 210,000 tensors",
        ),
        (b'{"a":[' + b"1," * 4_000_001 + b"1]}", "far more than 100,000 tensors need"),
        (b"{" + b'"a":1,' * 1_500_000 + b'"a":1}', "far more than 100,000 tensors need"),
    ],
    ids=["names", "numbers", "one name again and again"],
)
def test_far_too_much_is_refused_before_it_is_decoded(tmp_path, monkeypatch, text, said):
    def decode(*_, **__):
        raise AssertionError("it was decoded in full")

    monkeypatch.setattr(tensor_header.json, "loads", decode)
    with pytest.raises(WeightsError, match=said):
        open_weights(write(tmp_path / "many.safetensors", text))


def test_metadata_may_hold_a_large_workflow(tmp_path):
    header = {"__metadata__": {"workflow": json.dumps({"a": ["x"] * 300_000})}}
    found = open_weights(write(tmp_path / "large.safetensors", header))
    assert len(found.metadata["workflow"]) > 1_000_000


def test_a_missing_file_and_a_folder_are_weights_errors(tmp_path):
    for path in (tmp_path / "absent.safetensors", tmp_path):
        with pytest.raises(WeightsError, match="cannot be read"):
            open_weights(path)


SOUND = library.save(SMALL, metadata={"format": "pt"})
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def judge(path):
    """Load everything, or refuse with a `WeightsError`; returns True if it loaded."""
    try:
        found = open_weights(path)
    except WeightsError:
        return False
    for name in found:
        assert found[name].shape == found.shape(name)
    return True


def library_accepts(content):
    try:
        library.load(content)
    except (SafetensorError, OSError):
        return False
    return True


@FUZZ
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_loaded_or_refused(tmp_path, position, bit):
    content = bytearray(SOUND)
    content[position] ^= 1 << bit
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(content)
    if judge(path):
        assert library_accepts(bytes(content))


@FUZZ
@given(st.integers(0, len(SOUND) - 1))
def test_a_truncated_file_is_refused(tmp_path, length):
    path = tmp_path / "short.safetensors"
    path.write_bytes(SOUND[:length])
    assert not judge(path)


@FUZZ
@given(st.binary(max_size=200), st.integers(0, 200))
@example(b"", 0)
def test_noise_in_the_header_is_loaded_or_refused(tmp_path, noise, at):
    content = SOUND[:8] + SOUND[8 : 8 + at] + noise + SOUND[8 + at + len(noise) :]
    path = tmp_path / "noise.safetensors"
    path.write_bytes(content)
    if judge(path):
        assert library_accepts(content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
spans = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*ours.DTYPES, "F4"]) | json_values,
        "shape": st.lists(st.integers(-1, 2**65), max_size=4) | json_values,
        "data_offsets": st.lists(st.integers(-1, 2**65), min_size=2, max_size=2) | json_values,
    }
)


@FUZZ
@given(st.dictionaries(st.text(max_size=8), spans | json_values), st.binary(max_size=64))
def test_made_up_headers_are_loaded_or_refused(tmp_path, header, data):
    path = write(tmp_path / "made.safetensors", header, data)
    if judge(path):
        assert library_accepts(path.read_bytes())
