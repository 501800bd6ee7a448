"""After a crash, half-written files are deleted, and nothing else."""

import os
import time

from engine.files import Files
from engine.server.sweep import empty_temp, sweep
from engine.server.trash import TRASH, empty_trash


def test_only_what_a_crash_left_is_deleted(settings):
    output, files = settings.output_directory, Files(settings)
    (output / "sub").mkdir()
    kept = [output / "x_00001_.png", output / "empty.png", output / "sub" / "notes.part"]
    for path in kept:
        path.write_bytes(b"" if path.name == "empty.png" else b"x")
    claimed = files.new_output("sub/y", ".png").path
    half = output / ".x_00002_.png.part"
    half.write_bytes(b"half")
    upload = settings.input_directory / ".upload-12.part"
    upload.write_bytes(b"half")
    old = time.time() - 60
    for path in (*kept, claimed, half, upload):
        os.utime(path, (old, old))
    fresh = files.new_output("z", ".png").path
    assert sweep(settings, before=time.time() - 30) == 3
    assert all(path.exists() for path in (*kept, fresh))
    assert not any(path.exists() for path in (claimed, half, upload))


def test_previews_of_the_last_time_are_gone(settings):
    (settings.temp_directory / "sub").mkdir()
    (settings.temp_directory / "sub" / "a.png").write_bytes(b"x")
    (settings.temp_directory / "b.png").write_bytes(b"x")
    empty_temp(settings)
    assert list(settings.temp_directory.iterdir()) == []


def test_a_server_sweeps_when_it_starts(serving, settings):
    left = settings.output_directory / ".x_00001_.png.part"
    left.write_bytes(b"half")
    just_now = time.time() - 0.2  # a supervisor starts the next server at once
    os.utime(left, (just_now, just_now))
    (settings.temp_directory / "b.png").write_bytes(b"x")

    async def scenario(client):
        import asyncio

        while left.exists():
            await asyncio.sleep(0.01)
        return list(settings.temp_directory.iterdir())

    assert serving(scenario) == []


DAY = 24 * 3600


def fill_trash(settings, *names):
    for name in names:
        folder = settings.user_directory / "workflows" / TRASH / name / "sea"
        folder.mkdir(parents=True)
        (folder / "a.json").write_text("{}")


def trashed(settings):
    return {each.name for each in (settings.user_directory / "workflows" / TRASH).iterdir()}


def test_the_trash_keeps_workflows_for_sixty_days_of_use(settings):
    fill_trash(settings, "1000", "not a time")
    now = 2_000_000_000.0
    empty_trash(settings, now)
    for day in range(1, 60):
        assert empty_trash(settings, now + day * DAY) == 0
        # Several starts on one day count once.
        assert empty_trash(settings, now + day * DAY + 60) == 0
    fill_trash(settings, "2000")
    assert empty_trash(settings, now + 61 * DAY) == 1
    assert trashed(settings) == {"not a time", "2000"}


def test_a_clock_that_jumps_empties_no_trash(settings):
    fill_trash(settings, "1000", str(2_000_000_000_000))
    for now in (2_000_000_000.0, 9_000_000_000.0, 0.0, 9_000_000_000.0, 2_000_000_000.0):
        assert empty_trash(settings, now) == 0
    assert len(trashed(settings)) == 2


def test_a_damaged_count_keeps_the_trash(settings):
    fill_trash(settings, "1000")
    for content in (b"x", b'{"days": {"1000": "old"}}', b"[]"):
        (settings.user_directory / "trash.json").write_bytes(content)
        assert empty_trash(settings, 9_000_000_000.0) == 0
    assert trashed(settings) == {"1000"}


def test_there_need_be_no_trash(settings):
    assert empty_trash(settings, 0) == 0


def test_a_name_that_was_claimed_where_there_are_no_hard_links_is_given_back(settings):
    workflows = settings.user_directory / "workflows"
    workflows.mkdir()
    others = settings.user_directory / "userdata"
    others.mkdir()
    left = [
        workflows / "a.json",
        workflows / ".a.json.claim.part",
        workflows / ".a.json.12345678.part",
        others / ".b.txt.12345678.part",
        settings.user_directory / ".settings.json.12345678.part",
        workflows / ".c.json.claim.part",
    ]
    kept = workflows / "c.json"
    for path in (*left, kept):
        path.write_bytes(b"" if path.name == "a.json" or "claim" in path.name else b"x")
        os.utime(path, (0, 0))
    assert sweep(settings, before=time.time() - 30) == len(left)
    assert not any(path.exists() for path in left)
    assert kept.read_bytes() == b"x"
