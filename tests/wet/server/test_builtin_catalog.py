"""The committed catalog equals the schemas of the nodes."""

import runpy

from engine.graph.catalog_file import read_catalog
from engine.settings import ROOT
from nodes import builtin_registry

FILE = ROOT / "engine" / "server" / "builtin_catalog.json"


def test_the_committed_catalog_is_up_to_date():
    tool = runpy.run_path(str(ROOT / "tools" / "write_catalog.py"))
    assert FILE.read_text(encoding="utf-8") == tool["catalog"]()


def test_nothing_is_lost_on_the_way():
    read = read_catalog(FILE)
    assert dict(read) == dict(builtin_registry().catalog())
