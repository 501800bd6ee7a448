"""With `CI` in the environment, a skipped test counts as failed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engine.settings import ROOT

SKIPS = """
import pytest

def test_runs():
    pass

def test_skips():
    pytest.skip("the disk is elsewhere")

@pytest.mark.skipif(True, reason="always")
def test_marked():
    pass
"""
WHOLE_FILE = 'import pytest\npytest.skip("a folder is absent", allow_module_level=True)\n'


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may lack what a test needs")
@pytest.mark.parametrize(
    ("source", "ci", "said"),
    [
        (SKIPS, "", "1 passed, 2 skipped"),
        (SKIPS, "1", "1 failed, 1 passed, 1 error"),
        (WHOLE_FILE, "", "1 skipped"),
        (WHOLE_FILE, "1", "1 error"),
    ],
)
def test_a_skip_fails_in_ci(source, ci, said, tmp_path):
    path = tmp_path / "test_made.py"
    path.write_text(source)
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert said in done.stdout.splitlines()[-1], done.stdout
    if ci:
        assert done.returncode != 0
        assert "no test may skip in CI" in done.stdout
