"""After a crash, what was half written is gone, and nothing else."""

import os
import time

from engine.files import Files
from engine.server.sweep import TRASH, empty_temp, empty_trash, sweep


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


def test_workflows_deleted_long_ago_are_let_go(settings):
    trash = settings.user_directory / "workflows" / TRASH
    day, now = 24 * 3600, 100 * 24 * 3600
    for at in (now - 61 * day, now - 59 * day):
        (trash / str(at * 1000) / "sea").mkdir(parents=True)
        (trash / str(at * 1000) / "sea" / "a.json").write_text("{}")
    (trash / "not a time").mkdir()
    assert empty_trash(settings, now) == 1
    left = {path.name for path in trash.iterdir()}
    assert left == {str((now - 59 * day) * 1000), "not a time"}


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
