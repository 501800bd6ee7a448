"""Our own page and programs of this machine are allowed; other sites' pages are not."""

import os

import pytest

from engine.errors import CalotypeError
from engine.server.guard import RequestFacts, Rules, is_loopback, judge
from engine.server.tokens import MOST_FAILURES, Tokens, read_token

PORT = 8188
OURS = "127.0.0.1:8188"


def asked(
    host=OURS,
    *,
    method="GET",
    path="/prompt",
    origin=None,
    site=None,
    mode=None,
    dest=None,
    referer=None,
):
    hosts = (host,) if isinstance(host, str) else host
    origins = () if origin is None else (origin,)
    return RequestFacts(method, path, hosts, PORT, origins, site, mode, dest, referer)


LET_IN = [
    asked(),
    asked("localhost:8188"),
    asked("LOCALHOST:8188"),
    asked("[::1]:8188"),
    asked(method="POST"),
    asked(method="DELETE"),
    asked(origin="http://127.0.0.1:8188", method="POST"),
    asked("localhost:8188", origin="http://localhost:8188", method="POST"),
    asked("[::1]:8188", origin="http://[::1]:8188"),
    asked(site="same-origin"),
    asked(site="none", mode="navigate", dest="document"),
    asked(method="POST", site="same-origin", origin="http://127.0.0.1:8188"),
    asked(path="/", site="cross-site", mode="navigate", dest="document"),
    asked(path="/", site="same-site", mode="navigate", dest="document"),
]
REFUSED = [
    asked("localhost.:8188"),
    asked("127.0.0.1.evil.example:8188"),
    asked("evil.example"),
    asked("evil.example:8188"),
    asked("127.1:8188"),
    asked("2130706433:8188"),
    asked("0x7f000001:8188"),
    asked("0.0.0.0:8188"),
    asked("[::]:8188"),
    asked("[::ffff:127.0.0.1]:8188"),
    asked("::1:8188"),
    asked("127.0.0.1"),
    asked("127.0.0.1:80"),
    asked("127.0.0.1:8189"),
    asked("127.0.0.1:08188"),
    asked("127.0.0.2:8188"),
    asked(" 127.0.0.1:8188"),
    asked("user@127.0.0.1:8188"),
    asked(""),
    asked(()),
    asked((OURS, OURS)),
    asked((OURS, "evil.example")),
    asked(origin="null", method="POST"),
    asked(origin="null"),
    asked(origin="http://evil.example", method="POST"),
    asked(origin="http://evil.example"),
    asked(origin="http://localhost:8188", method="POST"),
    asked(origin="http://127.0.0.1", method="POST"),
    asked(origin="http://127.0.0.1:3000", method="POST"),
    asked(origin="http://127.0.0.1:8188.evil.example", method="POST"),
    asked(origin="file://", method="POST"),
    asked(origin="", method="POST"),
    asked(origin="http://evil.example", method="OPTIONS"),
    asked(site="cross-site"),
    asked(site="same-site"),
    asked(site="cross-site", method="POST"),
    asked(site="cross-site", mode="no-cors", dest="image", path="/view"),
    asked(site="cross-site", mode="navigate", dest="iframe", path="/"),
    asked(site="cross-site", mode="navigate", dest="document", path="/", method="POST"),
    asked(site="cross-site", mode="navigate", dest="document", path="/view"),
    asked(site="cross-site", mode="websocket", dest="websocket", path="/ws"),
    asked(site="nonsense"),
]


@pytest.mark.parametrize("request_", LET_IN, ids=str)
def test_let_in(request_):
    assert judge(request_) is None


@pytest.mark.parametrize("request_", REFUSED, ids=str)
def test_refused(request_):
    refusal = judge(request_)
    assert refusal is not None
    assert refusal.status in {400, 403}


def test_with_a_token_any_name_will_do_but_no_other_origin():
    assert judge(asked("studio.lan:8188"), Rules(None)) is None
    assert judge(asked("studio.lan:8188", origin="http://evil.example"), Rules(None)) is not None


TOOLS = "http://tools.example:3000"
LINK = {"path": "/view", "site": "cross-site", "mode": "navigate", "dest": "document"}
PICTURE = {"path": "/view", "site": "cross-site", "mode": "no-cors", "dest": "image"}
CORS = Rules(origins=(TOOLS,))
HOSTS = Rules(hosts=("studio.example", "127.0.0.1:9000"))


@pytest.mark.parametrize(
    ("rules", "request_"),
    [
        (CORS, asked(origin=TOOLS, site="cross-site", mode="cors", method="POST")),
        (CORS, asked(origin=TOOLS, method="POST")),
        (CORS, asked(origin=TOOLS, site="same-site", mode="websocket", path="/ws")),
        (CORS, asked(origin=TOOLS, method="OPTIONS", site="cross-site", mode="cors")),
        (CORS, asked(**PICTURE, referer=f"{TOOLS}/page?x")),
        (CORS, asked(**{**PICTURE, "dest": "video"}, referer=TOOLS)),
        (CORS, asked(**LINK, referer=f"{TOOLS}/")),
        (Rules(origins=("*",)), asked(origin="http://any.example", site="cross-site")),
        (Rules(origins=("*",)), asked(origin="null", site="cross-site", method="POST")),
        (Rules(origins=("*",)), asked(**PICTURE)),
        (Rules(links=True), asked(**LINK)),
        (Rules(links=True), asked(**{**LINK, "path": "/api/view"}, method="HEAD")),
        (HOSTS, asked("studio.example")),
        (HOSTS, asked("studio.example:8443")),
        (HOSTS, asked("STUDIO.example")),
        (HOSTS, asked("127.0.0.1:9000")),
        (HOSTS, asked("studio.example", origin="https://studio.example", method="POST")),
        # A proxy that sends its own name to the server.
        (HOSTS, asked(origin="https://studio.example", method="POST", site="same-origin")),
    ],
    ids=str,
)
def test_ways_in_that_the_start_opened(rules, request_):
    assert judge(request_, rules) is None
    assert judge(request_) is not None  # off by default


@pytest.mark.parametrize(
    ("rules", "request_"),
    [
        (CORS, asked(origin="http://evil.example", site="cross-site")),
        (CORS, asked(origin="http://tools.example", method="POST")),
        (CORS, asked(origin=f"{TOOLS}.evil.example", method="POST")),
        (CORS, asked(origin="null", method="POST", site="cross-site")),
        (CORS, asked("evil.example:8188", origin=TOOLS, method="POST")),
        (CORS, asked(**PICTURE)),
        (CORS, asked(**PICTURE, referer="http://evil.example/http://tools.example:3000/")),
        (CORS, asked(**PICTURE, referer="http://tools.example:3000@evil.example/")),
        (CORS, asked(**PICTURE, method="POST", referer=TOOLS)),
        (CORS, asked(**{**PICTURE, "dest": "script"}, referer=TOOLS)),
        (CORS, asked(**{**PICTURE, "dest": "iframe", "mode": "navigate"}, referer=TOOLS)),
        (CORS, asked(**LINK)),
        (CORS, asked(**{**LINK, "path": "/queue"}, referer=TOOLS)),
        (CORS, asked(**LINK, method="POST", referer=TOOLS)),
        (Rules(links=True), asked(**{**LINK, "path": "/queue"})),
        (Rules(links=True), asked(**{**LINK, "dest": "iframe"})),
        (Rules(links=True), asked(**LINK, method="POST")),
        (Rules(links=True), asked(**PICTURE)),
        (HOSTS, asked("evil.studio.example")),
        (HOSTS, asked("studio.example.evil.example")),
        (HOSTS, asked("127.0.0.1:9001")),
        (HOSTS, asked("studio.example", origin="http://evil.example", method="POST")),
        (HOSTS, asked("studio.example", origin="ftp://studio.example", method="POST")),
        (HOSTS, asked("studio.example", site="cross-site", method="POST")),
    ],
    ids=str,
)
def test_ways_in_let_nobody_else_in(rules, request_):
    refused = judge(request_, rules)
    assert refused is not None
    assert refused.status == 403


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("studio.lan", False),
    ],
)
def test_what_is_loopback(address, loopback):
    assert is_loopback(address) is loopback


def test_a_one_time_token_lets_in_once():
    tokens = Tokens("t" * 40)
    once = tokens.new_one_time_token()
    assert tokens.redeem(once)
    assert not tokens.redeem(once)
    assert not tokens.redeem("")
    assert not tokens.redeem("é\udcff")


def test_a_session_ends_with_its_token():
    tokens = Tokens("t" * 40)
    session = tokens.new_session()
    assert tokens.is_session(session)
    assert not Tokens("u" * 40).is_session(session)
    assert not tokens.is_session("")
    assert not tokens.is_session(session + "0")
    assert not tokens.is_session("é.é")


def test_after_five_wrong_tokens_a_minute_of_quiet():
    now = [0.0]
    tokens = Tokens("t" * 40, clock=lambda: now[0])
    for _ in range(MOST_FAILURES):
        assert not tokens.is_blocked("10.0.0.1")
        tokens.count_failure("10.0.0.1")
    assert tokens.is_blocked("10.0.0.1")
    assert not tokens.is_blocked("10.0.0.2")
    now[0] = 61.0
    assert not tokens.is_blocked("10.0.0.1")


def test_the_token_file_is_made_once_and_is_its_owner_s_alone(tmp_path):
    path = tmp_path / "token"
    token = read_token(path)
    assert len(token) >= 43
    assert read_token(path) == token
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
        with pytest.raises(CalotypeError, match="chmod 600"):
            read_token(path)
