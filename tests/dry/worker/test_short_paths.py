"""Errors sent to a browser name folders, not their locations on the machine."""

import importlib.util
import sys
from pathlib import Path

import pytest

from engine.settings import ROOT, Settings
from engine.wire.messages import Blocked, Failed, Finished, NodeRef
from engine.worker.short_paths import ShortPaths

ONE = NodeRef("1", "1", None, "1")


@pytest.fixture
def paths(tmp_path):
    settings = Settings(
        user_directory=tmp_path / "user",
        output_directory=tmp_path / "user" / "output",
        input_directory=tmp_path / "pictures",
        models_directories=(tmp_path / "models", ROOT / "models"),
        model_folders={"loras": (tmp_path / "more",)},
    )
    return ShortPaths(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}/user/output/a.png: full", "output/a.png: full"),
        ("cannot write '{}/user/output'", "cannot write 'output'"),
        ("{}/user/output2/a.png", "user/output2/a.png"),
        ("{}/pictures/sub/b.png and {}/models/x", "input/sub/b.png and models/x"),
        ("{}/more/l.safetensors", "loras/l.safetensors"),
        ("{}/user/temp/x", "temp/x"),
        ("nothing to see: a/b", "nothing to see: a/b"),
    ],
)
def test_folders_are_called_by_their_names(text, expected, paths, tmp_path):
    assert paths.text(text.replace("{}", str(tmp_path))) == expected


def test_a_link_and_what_it_leads_to_have_one_name(tmp_path):
    real, link = tmp_path / "disk", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    paths = ShortPaths(Settings(output_directory=link))
    assert paths.text(f"{real}/a {link}/a") == "output/a output/a"


def test_tracebacks_name_our_files_and_packages(paths):
    package = Path(importlib.util.find_spec("msgspec").origin).parent
    lines = (
        f'  File "{ROOT}/nodes/image.py", line 3, in f\n',
        f'  File "{package}/json.py", line 3, in f\n',
        f'  File "{sys.base_prefix}/lib/python3.11/json/__init__.py", line 3, in f\n',
    )
    message = f"{Path.home()}/secret/x is gone"
    event = Failed("p", ONE, "A", message, "OSError", lines, {}, (), 0.0)
    found = paths.event(event)
    assert found.message == "~/secret/x is gone"
    assert str(ROOT) not in "".join(found.traceback)
    assert "calotype/nodes/image.py" in found.traceback[0]
    assert str(package) not in "".join(found.traceback)
    assert found.traceback[2].startswith('  File "python/lib')


def test_other_events_stay_as_they_are(paths, tmp_path):
    event = Finished("p", ONE, 1.0)
    assert paths.event(event) is event
    blocked = Blocked("p", ONE, "A", f"no {tmp_path}/models/a")
    assert paths.event(blocked).message == "no models/a"
