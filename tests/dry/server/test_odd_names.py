"""Files with names that cannot be sent or opened: lists and checks work without them."""

import os

import pytest

from engine.files import Files
from engine.settings import Settings

ODD = b"\xff\xfe\xe9"
ROUTES = (
    "/object_info",
    "/object_info/LoadImage",
    "/object_info/CheckpointLoaderSimple",
    "/models/checkpoints",
    "/embeddings",
    "/experiment/models/checkpoints",
    "/experiment/models",
    "/internal/files/input",
    "/internal/files/output",
    "/internal/folder_paths",
    "/userdata?dir=workflows&recurse=true&full_info=true",
    "/userdata?dir=userdata",
    "/v2/userdata",
    "/v2/userdata?path=workflows",
    "/calotype/journals",
    "/calotype/extensions",
    "/global_subgraphs",
)
MISSING = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "none"}},
    "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
}


def put(folder, suffix):
    """A file, a folder with a file, and links, each with a name that is not UTF-8."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = os.fsencode(folder) + b"/" + ODD
    os.mkdir(raw)  # noqa: PTH102 - a name in bytes
    for path in (raw + suffix, raw + b"/inside" + suffix):
        if suffix:
            with open(path, "wb") as stream:  # noqa: PTH123
                stream.write(b"x")


@pytest.fixture
def odd(settings, tmp_path):
    models = settings.models_directories[0]
    for folder in (models / "checkpoints", models / "embeddings"):
        put(folder, b".safetensors")
        (folder / "good.safetensors").write_bytes(b"x")
    for name in ("workflows", "userdata", "journals", "versions"):
        put(settings.user_directory / name, b".json")
        (settings.user_directory / name / "good.json").write_bytes(b"{}")
    for folder in (settings.input_directory, settings.output_directory):
        put(folder, b".png")
        (folder / "good.png").write_bytes(b"x")
        (folder / "dangling.png").symlink_to("/nowhere/at/all")
    pack = settings.custom_nodes_directories[0] / "pack" / "subgraphs"
    put(pack, b".json")
    put(settings.custom_nodes_directories[0], b"")
    return models


@pytest.fixture
def settings(settings, tmp_path):
    from dataclasses import replace

    (tmp_path / "plugins").mkdir()
    return replace(settings, custom_nodes_directories=(tmp_path / "plugins",))


@pytest.mark.usefixtures("odd")
def test_every_list_goes_on(serving):
    shown: list[str] = []

    async def scenario(client):
        answers = {path: await client.get(path) for path in ROUTES}
        bad = {path: each.status for path, each in answers.items() if each.status >= 400}
        bad.pop("/userdata?dir=userdata", None)
        texts = "".join([await each.text() for each in answers.values()])
        refused = await client.post("/prompt", json={"prompt": MISSING})
        checked = await client.post("/calotype/check", json=MISSING)
        return bad, texts, refused.status, checked.status

    bad, texts, refused, checked = serving(scenario, show=shown.append)
    assert bad == {}
    assert (refused, checked) == (400, 200)
    assert "good.safetensors" in texts
    assert "good.png" in texts
    assert "good.json" in texts
    assert "/inside." not in texts
    assert "dangling" not in texts
    said = [line for line in "".join(shown).splitlines() if "not UTF-8; rename it" in line]
    assert len(said) == len(set(said)) > 0  # each once
    assert any("dangling.png is left out" in line for line in "".join(shown).splitlines())


def test_whatever_a_list_offers_can_be_opened(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (
        "SD\\back.safetensors",
        "C:drive.safetensors",
        "a\nb.safetensors",
        "con.safetensors",
        " space .safetensors",
        "..two.safetensors",
        "x [output].safetensors",
    ):
        (folder / name).write_bytes(b"x")
    (folder / "dangling.safetensors").symlink_to(tmp_path / "nothing")
    (folder / "circle.safetensors").symlink_to(folder / "circle.safetensors")
    (folder / "folder.safetensors").mkdir()
    os.mkfifo(folder / "pipe.safetensors")
    files = Files(Settings(models_directories=(tmp_path,)))
    listed = files.list("checkpoints")
    assert "SD\\back.safetensors" in listed
    assert not {"dangling.safetensors", "circle.safetensors", "pipe.safetensors"} & set(listed)
    for name in listed:
        assert files.find("checkpoints", name).read_bytes() == b"x"


def test_a_name_with_a_backslash_still_finds_the_file_in_a_folder(tmp_path):
    (tmp_path / "checkpoints" / "SD").mkdir(parents=True)
    (tmp_path / "checkpoints" / "SD" / "a.safetensors").write_bytes(b"in the folder")
    files = Files(Settings(models_directories=(tmp_path,)))
    assert files.find("checkpoints", "SD\\a.safetensors").read_bytes() == b"in the folder"
    (tmp_path / "checkpoints" / "SD\\a.safetensors").write_bytes(b"as it is spelled")
    assert files.find("checkpoints", "SD\\a.safetensors").read_bytes() == b"as it is spelled"
    assert files.find("checkpoints", "SD/a.safetensors").read_bytes() == b"in the folder"


def test_a_picture_may_be_called_like_an_annotation(files, settings):
    (settings.input_directory / "x [output]").write_bytes(b"mine")
    (settings.output_directory / "x").write_bytes(b"made")
    assert files.find_annotated("x [output]").read_bytes() == b"mine"
    (settings.input_directory / "x [output]").unlink()
    assert files.find_annotated("x [output]").read_bytes() == b"made"


@pytest.mark.parametrize("name", ["a\\b.png", "what? a:b.png", "dot..png.", "x [temp].png"])
def test_what_is_listed_can_be_looked_at(name, serving, settings):
    (settings.input_directory / name).write_bytes(b"\x89PNG\r\n\x1a\n")

    async def scenario(client):
        listed = await (await client.get("/internal/files/input")).json()
        answer = await client.get("/view", params={"filename": name, "type": "input"})
        outside = await client.get(
            "/view", params={"filename": name, "type": "input", "subfolder": "../input"}
        )
        return listed, answer.status, answer.headers["Content-Type"], outside.status

    listed, status, kind, outside = serving(scenario)
    assert listed == [name]
    assert (status, kind) == (200, "image/png")
    assert outside in {400, 403}
