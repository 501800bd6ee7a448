"""What hosts say of a file before it is downloaded; hosts that it is sent on to are not asked."""

import json

import pytest
from file_server import head, weights

from engine.downloads import look_up as looking
from engine.downloads.asking import HostNeededError
from engine.downloads.look_up import Facts, look_up

SMALL = weights(5000)
PATH = "/some/model/resolve/main/model.safetensors"


def looked(scene, path=PATH, *, allowed=True):
    async def steps(made):
        if allowed:
            made.allow()
        return await look_up(made.downloads.session, made.server.url(path), made.downloads.hosts)

    return scene(steps)


def test_the_size_of_a_plain_host(scene, server):
    server.files[PATH] = SMALL
    assert looked(scene) == Facts(size=len(SMALL))
    assert [each.method for each in server.asked] == ["HEAD"]


def test_size_and_hash_of_a_redirect_without_asking_the_next_host(scene, server):
    async def way(asked, writer):
        said = {"Location": "https://cdn.example/x", "X-Linked-Size": 20_000_000_000}
        await head(writer, 302, {**said, "X-Linked-ETag": f'"{"a" * 64}"'})

    server.ways[PATH] = way
    assert looked(scene) == Facts(size=20_000_000_000, sha256="a" * 64)


def test_a_host_that_was_not_allowed_is_not_asked(scene, server):
    with pytest.raises(HostNeededError):
        looked(scene, allowed=False)
    assert server.asked == []


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"cardData": {"license": "apache-2.0"}}, "apache-2.0"),
        ({"cardData": {"license": "other", "license_name": "flux-dev"}}, "flux-dev"),
        ({"cardData": None}, None),
        ({"cardData": {"license": 5}}, None),
        ({"cardData": {"license": "a\nb"}}, None),
        ([], None),
        ("x" * (1 << 19), None),
    ],
)
def test_the_licence_of_the_repository(scene, server, monkeypatch, card, said):
    monkeypatch.setattr(looking, "HUGGING_FACE", f"127.0.0.1:{server.port}")
    server.files[PATH] = SMALL
    server.ways["/api/models/some/model?expand=cardData"] = server.send_file
    server.files["/api/models/some/model"] = json.dumps(card).encode()
    assert looked(scene) == Facts(size=len(SMALL), license=said)
