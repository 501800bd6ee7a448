"""Declarations of plugins: what is sent to the editor, and which files are served."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.server.extensions import PAGE_POLICY, find_extensions

EXAMPLE = Path(__file__).parents[3] / "docs" / "extension_example"


@pytest.fixture
def settings(settings, tmp_path):
    return replace(settings, custom_nodes_directories=(tmp_path / "custom_nodes",))


@pytest.fixture
def packs(tmp_path):
    """Writes a plugin's declaration and pages."""
    root = tmp_path / "custom_nodes"

    def write(pack, declared, **pages):
        folder = root / pack
        folder.mkdir(parents=True)
        text = declared if isinstance(declared, str) else json.dumps(declared)
        (folder / "calotype.json").write_text(text, encoding="utf-8")
        for name, page in pages.items():
            (folder / f"{name}.html").write_text(page, encoding="utf-8")
        return root

    return write


def setting(kind, standard, **changes):
    choice = {"id": "bars", "title": "Bars", "why": "To see.", "kind": kind, "standard": standard}
    return {"api": 1, "name": "x", "settings": [{**choice, **changes}]}


def widget(**changes):
    return {
        "id": "pad",
        "title": "Pad",
        "page": "pad.html",
        "types": ["PAD"],
        **changes,
    }


def test_the_example_is_whole(tmp_path):
    (tmp_path / "example").symlink_to(EXAMPLE, target_is_directory=True)
    (found,) = find_extensions([tmp_path])
    assert found.error is None
    assert found.declared is not None
    assert found.declared.widgets
    assert found.declared.renderers
    assert found.declared.commands
    assert found.declared.settings


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ("{", "calotype.json"),
        ({"api": 2, "name": "x"}, "this Calotype understands 1"),
        ({"name": "x"}, "api"),
        ({"api": 1, "name": "x", "surprise": 1}, "surprise"),
        ({"api": 1, "name": "x", "widgets": [widget(page="gone.html")]}, "no such file"),
        ({"api": 1, "name": "x", "widgets": [widget(page="../pad.html")]}, "beside"),
        ({"api": 1, "name": "x", "widgets": [widget(page="pad.py")]}, "beside"),
        ({"api": 1, "name": "x", "widgets": [widget(), widget()]}, "twice"),
        ({"api": 1, "name": "x", "widgets": [widget(id="../x")]}, "letters"),
        ({"api": 1, "name": "x", "widgets": [widget(height=9999)]}, "24 to 2000"),
        ({"api": 1, "name": "x", "commands": [{"id": "a", "title": "A"}]}, "either insert or page"),
        (setting("toggle", "yes"), "true or false"),
        (setting("text", 1), "into quotes"),
        (setting("choice", "c", choices={"a": "A"}), "none of its choices"),
        (setting("number", "many"), "from 0 to 100"),
        (setting("number", True), "from 0 to 100"),
        (setting("number", 5, min=10), "from 10"),
        (setting("number", 5, step=0), "more than 0"),
    ],
)
def test_a_broken_declaration_says_what_is_wrong_and_harms_no_other(packs, declared, says):
    packs("broken", declared, pad="<p>")
    root = packs("fine", {"api": 1, "name": "Fine", "widgets": [widget()]}, pad="<p>")
    broken, fine = find_extensions([root])
    assert broken.declared is None
    assert says in (broken.error or "")
    assert fine.declared is not None


def test_pages_are_apart_and_other_files_stay_where_they_are(packs, serving):
    root = packs("fine", {"api": 1, "name": "Fine", "widgets": [widget()]}, pad="<p>", other="<b>")
    (root / "fine" / "secret.py").write_text("KEY = 1", encoding="utf-8")

    async def scenario(client):
        listed = await (await client.get("/calotype/extensions")).json()
        page = await client.get("/calotype/extensions/fine/pad.html")
        refused = [
            (await client.get(f"/calotype/extensions/{path}")).status
            for path in ("fine/other.html", "fine/secret.py", "fine/calotype.json", "no/pad.html")
        ]
        return listed, page.headers, await page.text(), refused

    listed, headers, text, refused = serving(scenario)
    assert [each["pack"] for each in listed] == ["fine"]
    assert listed[0]["widgets"][0]["types"] == ["PAD"]
    assert text == "<p>"
    assert headers["Content-Security-Policy"] == PAGE_POLICY
    assert headers["Connection-Allowlist"] == "()"
    assert "allow-same-origin" not in PAGE_POLICY
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert refused == [404] * 4
