"""What counts as a command that installs, and what does not."""

from types import SimpleNamespace

import pytest

from engine.compat.no_installs import InstallRefusedError, wanted_by
from engine.compat.pack_errors import failure_report


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (["/usr/bin/python3", "-s", "-m", "pip", "install", "-q", "a>=1", "b"], ["a>=1", "b"]),
        (["python", "-m", "pip", "install", "-r", "x/requirements.txt"], ["-r x/requirements.txt"]),
        (["pip3.11", "install", "--index-url", "https://x.invalid", "a"], ["a"]),
        ("python -m pip install 'a b' c", ["a b", "c"]),
        (["sh", "-c", "cd x && pip install a"], ["a"]),
        (["C:\\x\\uv.exe", "pip", "install", "a"], ["a"]),
        (b"conda install a", ["a"]),
        (["git", "clone", "https://x.invalid/pip"], None),
        (["python", "-m", "pip", "list"], None),
        (["ffmpeg", "-i", "install.mp4"], None),
        (["python", "script.py", "install"], None),
        (None, None),
    ],
)
def test_only_commands_that_install_are_refused(command, wanted):
    assert wanted_by(command) == wanted


def test_a_pack_that_ends_by_a_refusal_is_reported_by_its_sentence(tmp_path):
    refusal = InstallRefusedError("pips wanted to install x; Calotype lets no plugin install")
    pack = SimpleNamespace(name="pips", version="", path=tmp_path)
    assert failure_report(pack, refusal).error == str(refusal)
