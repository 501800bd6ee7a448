"""Access by the start flags, seen by a client: CORS, tokens, names, a base path."""

import base64

import aiohttp
import pytest

from engine.server.guard import COOKIE
from engine.server.tokens import MOST_FAILURES, Tokens
from engine.serving import Serving

TOKEN = "t" * 40
TOOLS = "http://tools.example:3000"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def basic(name, token):
    text = base64.b64encode(f"{name}:{token}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


def test_the_right_token_is_let_in_whatever_wrong_ones_came_before(serving):
    async def scenario(client):
        wrong = [
            (await client.get("/queue", headers=bearer("wrong" * 8))).status
            for _ in range(MOST_FAILURES + 2)
        ]
        right = (await client.get("/queue", headers=bearer(TOKEN))).status
        again = (await client.get("/queue", headers=basic("x", "wrong" * 8))).status
        return wrong, right, again

    wrong, right, again = serving(scenario, tokens=Tokens(TOKEN))
    assert wrong == [401] * MOST_FAILURES + [429, 429]
    assert (right, again) == (200, 429)


def test_a_one_time_address_works_while_wrong_tokens_are_turned_away(serving):
    tokens = Tokens(TOKEN)

    async def scenario(client):
        for _ in range(MOST_FAILURES + 1):
            await client.get("/queue", headers=bearer("wrong" * 8))
        answer = await client.get(f"/?token={tokens.new_one_time_token()}", allow_redirects=False)
        return answer.status, answer.headers["Location"], answer.cookies[COOKIE]

    status, location, cookie = serving(scenario, tokens=tokens)
    assert (status, location) == (303, "./")
    assert not cookie["path"]  # the browser uses the path of its request
    assert cookie["samesite"] == "Strict"
    assert cookie["httponly"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (basic("anybody", TOKEN), 200),
        (basic("", TOKEN), 200),
        (basic("a:b", TOKEN), 401),
        (basic(TOKEN, ""), 401),
        ({"Authorization": "Basic ???"}, 401),
        ({"Authorization": "Basic"}, 401),
        ({"Authorization": f"basic {base64.b64encode(f'x:{TOKEN}'.encode()).decode()}"}, 200),
        ({"Authorization": f"Digest {TOKEN}"}, 401),
        (bearer(TOKEN), 200),
    ],
)
def test_the_token_may_come_as_a_password(headers, status, serving):
    async def scenario(client):
        return (await client.get("/queue", headers=headers)).status

    assert serving(scenario, tokens=Tokens(TOKEN)) == status


def test_a_browser_is_asked_for_the_token_but_never_by_its_page_s_requests(serving):
    async def scenario(client):
        opened = await client.get("/", headers={"Sec-Fetch-Mode": "navigate"})
        asked = await client.get("/queue", headers={"Sec-Fetch-Mode": "cors"})
        entered = await client.get("/", headers=basic("me", TOKEN))
        return (
            opened.headers["WWW-Authenticate"].split()[0],
            asked.headers["WWW-Authenticate"].split()[0],
            COOKIE in entered.cookies,
        )

    assert serving(scenario, tokens=Tokens(TOKEN)) == ("Basic", "Bearer", True)


def test_an_allowed_page_asks_reads_and_shows(serving, settings):
    (settings.input_directory / "a.txt").write_text("x")
    rules = Serving(allowed_origins=(TOOLS,))

    async def scenario(client):
        preflight = await client.options(
            "/prompt",
            headers={
                "Origin": TOOLS,
                "Sec-Fetch-Site": "cross-site",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type, x-own",
            },
        )
        answer = await client.get("/queue", headers={"Origin": TOOLS})
        missing = await client.get("/nowhere", headers={"Origin": TOOLS})
        picture = await client.get(
            "/view?filename=a.txt&type=input",
            headers={
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "no-cors",
                "Sec-Fetch-Dest": "image",
                "Referer": f"{TOOLS}/x",
            },
        )
        foreign = await client.get("/queue", headers={"Origin": "http://evil.example"})
        plain = await client.get("/queue")
        return preflight, answer, missing, picture, foreign, plain

    preflight, answer, missing, picture, foreign, plain = serving(scenario, serving=rules)
    assert preflight.status == 204
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "content-type, x-own"
    for each in (preflight, answer, missing):
        assert each.headers["Access-Control-Allow-Origin"] == TOOLS
        assert each.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in each.headers["Vary"]
    assert picture.status == 200
    assert picture.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert foreign.status == 403
    for each in (foreign, plain):
        assert "Access-Control-Allow-Origin" not in each.headers
        assert each.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_every_page_may_ask_but_with_nobody_s_session(serving):
    async def scenario(client):
        answer = await client.get("/queue", headers={"Origin": "http://any.example"})
        return answer.status, answer.headers

    status, headers = serving(scenario, serving=Serving(allowed_origins=("*",)))
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "Access-Control-Allow-Credentials" not in headers


def test_an_allowed_page_needs_the_token_all_the_same(serving):
    rules = Serving(allowed_origins=(TOOLS,))

    async def scenario(client):
        headers = {"Origin": TOOLS, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
        preflight = await client.options(
            "/prompt", headers={**headers, "Access-Control-Request-Method": "POST"}
        )
        without = await client.get("/queue", headers=headers)
        entered = await client.get("/queue", headers={**headers, **bearer(TOKEN)})
        return preflight.status, without.status, without.headers, entered.status

    preflight, without, headers, entered = serving(scenario, serving=rules, tokens=Tokens(TOKEN))
    assert (preflight, without, entered) == (204, 401, 200)
    assert headers["Access-Control-Allow-Origin"] == TOOLS


def test_the_socket_opens_for_an_allowed_page(serving):
    rules = Serving(allowed_origins=(TOOLS,))

    async def scenario(client):
        async with client.ws_connect("/ws?clientId=a", origin=TOOLS) as socket:
            first = (await socket.receive_json())["type"]
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect("/ws?clientId=a", origin="http://evil.example")
        return first

    assert serving(scenario, serving=rules) == "status"


@pytest.mark.parametrize("prefix", ["/studio", "/a/b", ""])
def test_the_studio_is_served_below_its_base_path_and_where_a_proxy_cuts_it_off(prefix, serving):
    async def scenario(client):
        answers = {
            path: await client.get(path, allow_redirects=False)
            for path in (
                f"{prefix}/",
                f"{prefix}/queue",
                f"{prefix}/api/queue",
                f"{prefix}/api/jobs",
                "/queue",
                "/",
            )
        }
        async with client.ws_connect(f"{prefix}/ws") as socket:
            first = await socket.receive_json()
        folder = await client.get(f"{prefix}?a=b", allow_redirects=False) if prefix else None
        return {path: each.status for path, each in answers.items()}, first["type"], folder

    statuses, first, folder = serving(scenario, serving=Serving(base_path=prefix))
    assert set(statuses.values()) == {200}
    assert first == "status"
    if folder is not None:
        assert folder.status == 308
        assert folder.headers["Location"] == f"{prefix.rpartition('/')[2]}/?a=b"


def test_a_one_time_address_below_a_base_path(serving):
    tokens = Tokens(TOKEN)

    async def scenario(client):
        once = tokens.new_one_time_token()
        answer = await client.get(f"/studio/?token={once}", allow_redirects=False)
        inside = await client.get("/studio/queue", cookies={COOKIE: answer.cookies[COOKIE].value})
        return answer.status, answer.headers["Location"], inside.status

    found = serving(scenario, tokens=tokens, serving=Serving(base_path="/studio"))
    assert found == (303, "./", 200)


def test_a_session_behind_a_proxy_with_https_is_sent_over_https_only(serving):
    tokens = Tokens(TOKEN)

    async def scenario(client):
        answer = await client.get(
            f"/?token={tokens.new_one_time_token()}",
            headers={"X-Forwarded-Proto": "https"},
            allow_redirects=False,
        )
        return answer.cookies[COOKIE]

    cookie = serving(scenario, tokens=tokens, serving=Serving(allow_links=True))
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"  # else a link would not send the session


def test_a_token_that_is_asked_for_on_this_machine_leaves_the_names_as_they_are(serving):
    rules = Serving(require_token=True)

    async def scenario(client):
        strange = await client.get("/queue", headers={**bearer(TOKEN), "Host": "evil.example"})
        ours = await client.get("/queue", headers=bearer(TOKEN))
        return strange.status, ours.status

    assert serving(scenario, serving=rules, tokens=Tokens(TOKEN)) == (403, 200)


def test_the_largest_upload_can_be_chosen(serving):
    async def scenario(client):
        small = await client.post("/userdata/a", data=b"x" * 1000)
        large = await client.post("/userdata/b", data=b"x" * 1001)
        features = await (await client.get("/features")).json()
        return small.status, large.status, features["max_upload_size"]

    assert serving(scenario, serving=Serving(most_upload=1000)) == (200, 413, 1000)


def test_answers_can_be_sent_compressed(serving):
    async def scenario(client):
        headers = {"Accept-Encoding": "gzip"}
        plain = await client.get("/system_stats", headers=headers)
        return plain.headers.get("Content-Encoding"), (await plain.json())["system"] is not None

    assert serving(scenario, serving=Serving(compress=True)) == ("gzip", True)
    assert serving(scenario) == (None, True)
