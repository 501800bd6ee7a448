"""Why a pack could not be imported, in one sentence."""

from types import SimpleNamespace

import pytest

from engine.compat.pack_errors import failure_report

NULLS = "source code string cannot contain null bytes"


@pytest.mark.parametrize("error", [SyntaxError(NULLS), ValueError(NULLS)])
def test_a_source_with_null_bytes_is_no_python_whatever_the_version_raises(error, tmp_path):
    pack = SimpleNamespace(name="nulls", version="", path=tmp_path)
    assert failure_report(pack, error).error.startswith(f"it is not valid Python: {NULLS}")


def test_another_value_error_keeps_its_own_words(tmp_path):
    pack = SimpleNamespace(name="odd", version="", path=tmp_path)
    assert failure_report(pack, ValueError("no such mode")).error == "ValueError: no such mode"
