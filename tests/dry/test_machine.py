"""Amounts of memory in users' notation."""

from pathlib import Path

import pytest

from engine import machine
from engine.errors import SettingsError
from engine.machine import Amount, parse_amount, parse_memory
from engine.settings import settings_from, settings_from_json, settings_to_json

TOTAL = 16 * 10**9


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4GB", 4 * 10**9),
        ("4 gb", 4 * 10**9),
        ("4", 4 * 10**9),
        ("2.5", 2_500_000_000),
        ("500MB", 500 * 10**6),
        ("512MiB", 512 << 20),
        ("25%", TOTAL // 4),
        ("0", 0),
    ],
)
def test_an_amount_of_memory_is_read(text: str, amount: int):
    assert parse_memory(text, total=TOTAL) == amount


@pytest.mark.parametrize("text", ["", "much", "-1", "4 parsecs", "1e9", "nan", "9" * 5000, "²GB"])
def test_what_is_no_amount_is_refused_with_an_example(text: str):
    with pytest.raises(SettingsError, match="write 4GB"):
        parse_memory(text, total=TOTAL)


@pytest.mark.parametrize("text", ["17GB", "101%", "500000000"])
def test_more_than_the_machine_has_is_refused(text: str):
    with pytest.raises(SettingsError, match=r"more than the 16\.0 GB"):
        parse_memory(text, total=TOTAL)


def test_the_limit_of_a_container_is_the_machine_s_memory(tmp_path: Path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (limit,))
    whole = machine.total_memory()
    limit.write_text("max\n")
    assert machine.total_memory() == whole
    limit.write_text("1000000\n")
    assert machine.total_memory() == 1_000_000
    assert machine.available_memory() <= 1_000_000


def test_the_cache_s_size_is_a_setting(tmp_path: Path):
    whole = machine.total_memory()
    assert settings_from({"user_directory": tmp_path}).cache_bytes == int(whole * 0.25)
    assert settings_from({"user_directory": tmp_path, "cache": "10%"}).cache_bytes == whole // 10
    (tmp_path / "calotype.toml").write_text('cache = "200MB"\n')
    settings = settings_from({"user_directory": tmp_path})
    assert settings.cache_bytes == 200 * 10**6
    assert settings_from_json(settings_to_json(settings)).cache_bytes == 200 * 10**6
    (tmp_path / "calotype.toml").write_text("cache = 0\n")
    assert settings_from({"user_directory": tmp_path}).cache_bytes == 0
    with pytest.raises(SettingsError, match="--cache 'banana' is no amount"):
        settings_from({"user_directory": tmp_path, "cache": "banana"})


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4GB", Amount(4 * 10**9)),
        ("2", Amount(2 * 10**9)),
        ("0", Amount()),
        ("50%", Amount(0, 0.5)),
    ],
)
def test_an_amount_may_be_of_a_memory_that_is_not_known_yet(text: str, amount: Amount):
    assert parse_amount(text) == amount
    assert amount.is_nothing == (text == "0")


def test_the_memory_of_the_device_is_a_setting(tmp_path: Path):
    given: dict[str, object] = {"user_directory": tmp_path}
    assert settings_from(given).vram is None
    assert settings_from(given).reserve_vram == Amount()
    chosen = settings_from({**given, "vram": "50%", "reserve_vram": "2", "resident": "25%"})
    assert (chosen.vram, chosen.reserve_vram) == (Amount(share=0.5), Amount(2 * 10**9))
    assert settings_from_json(settings_to_json(chosen)) == chosen
    (tmp_path / "calotype.toml").write_text('vram = 4\nreserve_vram = "500MB"\n')
    from_file = settings_from(given)
    assert (from_file.vram, from_file.reserve_vram) == (Amount(4 * 10**9), Amount(500 * 10**6))
    assert settings_from({**given, "vram": "6GB"}).vram == Amount(6 * 10**9)


@pytest.mark.parametrize(
    ("flag", "text", "answer"),
    [
        ("vram", "much", r"--vram 'much' is no amount of memory: write 4GB"),
        ("vram", "-1", r"--vram '-1' is no amount"),
        ("vram", "nan", r"--vram 'nan' is no amount"),
        ("vram", "0", r"--vram '0' leaves no memory to compute in: write 4GB.*--novram"),
        ("vram", "0%", r"leaves no memory"),
        ("vram", "120%", r"--vram '120%' is more than the whole: write 100%"),
        ("reserve_vram", "2 parsecs", r"--reserve-vram '2 parsecs' is no amount"),
        ("reserve_vram", "101%", r"--reserve-vram '101%' is more than the whole"),
    ],
)
def test_no_memory_of_the_device_is_answered_with_what_to_write(
    tmp_path: Path, flag: str, text: str, answer: str
):
    with pytest.raises(SettingsError, match=answer):
        settings_from({"user_directory": tmp_path, flag: text})
