"""A hash is computed once for each state of a file; looking it up never reads a large file."""

import hashlib
import os

import pytest

from engine.errors import FilesError
from engine.record import hashes as module
from engine.record.hashes import SMALL, FileHashes, sample_of


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(os.urandom(SMALL + 1))
    return path


def test_a_large_file_is_hashed_on_request_only_and_once(settings, large, monkeypatch):
    hashes = FileHashes(settings)
    assert hashes.known(large) == ""
    expected = hashlib.sha256(large.read_bytes()).hexdigest()
    assert hashes.compute(large) == expected
    monkeypatch.setattr(module, "_digest", lambda *_: pytest.fail("read again"))
    assert hashes.known(large) == expected
    assert FileHashes(settings).compute(large) == expected


def test_another_process_reads_what_one_has_stored(settings, large):
    first, second = FileHashes(settings), FileHashes(settings)
    assert second.known(large) == ""
    digest = first.compute(large)
    assert second.known(large) == digest
    other = large.with_name("other.safetensors")
    other.write_bytes(b"x" * (SMALL + 1))
    second.compute(other)
    assert FileHashes(settings).known(large) == digest


def test_a_changed_file_has_no_known_hash(settings, large):
    hashes = FileHashes(settings)
    hashes.compute(large)
    large.write_bytes(b"y" * (SMALL + 2))
    assert hashes.known(large) == ""


def test_a_small_file_is_hashed_at_once(settings, tmp_path):
    path = tmp_path / "small.png"
    path.write_bytes(b"small")
    assert FileHashes(settings).known(path) == hashlib.sha256(b"small").hexdigest()


def test_the_computation_can_be_given_up(settings, large):
    def give_up():
        raise FilesError("stopped")

    with pytest.raises(FilesError, match="stopped"):
        FileHashes(settings).compute(large, give_up)
    assert FileHashes(settings).known(large) == ""


def test_a_damaged_store_costs_only_the_hashes(settings, large):
    hashes = FileHashes(settings)
    digest = hashes.compute(large)
    (settings.cache_directory / "file_hashes.json").write_bytes(b'{"x": [1')
    assert FileHashes(settings).known(large) == ""
    assert FileHashes(settings).compute(large) == digest


def test_a_sample_tells_files_of_one_size_apart_by_beginning_middle_and_end(tmp_path):
    content = bytearray(1 << 20)
    seen = set()
    for place in (None, 0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        if place is not None:
            changed[place] = 1
        path = tmp_path / "x"
        path.write_bytes(changed)
        seen.add(sample_of(path))
    assert len(seen) == 4


def test_a_missing_file_is_an_error(settings, tmp_path):
    with pytest.raises(FilesError, match=r"gone\.safetensors"):
        FileHashes(settings).known(tmp_path / "gone.safetensors")


def test_the_same_content_is_found_under_another_name(settings, large):
    hashes = FileHashes(settings)
    digest = hashes.compute(large)
    moved = large.rename(large.with_name("moved.safetensors"))
    assert hashes.same(digest, [moved]) is None
    hashes.compute(moved)
    assert hashes.same(digest, [large, moved]) == moved


def test_a_hash_of_a_download_is_taken_over_unless_the_file_changed_since(
    settings, large, monkeypatch
):
    hashes, digest = FileHashes(settings), "ab" * 32
    hashes.take_over(large, digest, large.stat().st_size + 1)
    assert hashes.known(large) == ""
    hashes.take_over(large, digest, large.stat().st_size)
    monkeypatch.setattr(module, "_digest", lambda *_: pytest.fail("read again"))
    assert FileHashes(settings).compute(large) == digest
    large.write_bytes(b"y" * (SMALL + 2))
    assert hashes.known(large) == ""
