"""Tokenizers are fetched from the named repositories only, and are known to be here afterwards."""

import pytest

from engine.downloads.needs import model_json
from engine.downloads.targets import plan_target
from engine.downloads.tokenizers import tokenizer_needs
from engine.errors import FilesError
from engine.files import Files
from engine.tokenizer_sources import SOURCES

UMT5 = SOURCES["umt5xxl"]


@pytest.fixture
def files(settings):
    settings.models_directories[0].mkdir()
    return Files(settings)


def test_each_can_be_downloaded_into_the_folder_of_its_encoder(files, settings):
    found = [model_json(each, files, settings) for each in tokenizer_needs(files)]
    assert {each["name"].partition("/")[0] for each in found} == set(SOURCES)
    for each in found:
        encoder = each["name"].partition("/")[0]
        assert (each["problem"], each["warning"], each["here"]) == (None, None, False)
        assert each["folder"] == str(settings.models_directories[0] / "tokenizers" / encoder)
        assert each["url"] == SOURCES[encoder].url


def test_one_that_is_here_is_known(files, settings):
    folder = settings.models_directories[0] / "tokenizers" / "umt5xxl"
    folder.mkdir(parents=True)
    (folder / UMT5.file).write_bytes(b"pieces")
    here = {each.name: each.is_here for each in tokenizer_needs(files)}
    assert here.pop("umt5xxl/spiece.model")
    assert not any(here.values())


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("umt5xxl/spiece.model", "https://example.org/spiece.model"),
        ("umt5xxl/spiece.model", SOURCES["gemma2_2b"].url),
        ("umt5xxl/tokenizer.json", UMT5.url),
        ("spiece.model", UMT5.url),
        ("other/spiece.model", UMT5.url),
    ],
)
def test_a_workflow_cannot_bring_another_one(scene, settings, name, url):
    async def steps(made):
        target = plan_target("tokenizers", name, Files(settings), settings)
        with pytest.raises(FilesError, match="only the tokenizers that this program names"):
            await made.downloads.add(url, target)
        return made.downloads.list()

    assert scene(steps) == []


def test_weights_do_not_go_into_their_folder(files, settings):
    with pytest.raises(FilesError, match="only files of weights"):
        plan_target("tokenizers", "umt5xxl/a.safetensors", files, settings)
