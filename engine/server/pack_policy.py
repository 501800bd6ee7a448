"""What files and answers of plugins may do in a browser.

Our editor's origin can do everything, so a page of a plugin that is opened there gets an origin of
its own by a sandbox: it can run its scripts, and reach neither our API nor our storage. In the
classic view, on another origin, plugins' scripts are at home.
"""

from __future__ import annotations

from aiohttp import web
from multidict import CIMultiDict

from engine.server.guard import COOKIE

SANDBOX = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"
PACK_POLICY = web.AppKey("pack_policy", str)
"""The Content-Security-Policy of plugins' answers in an application; empty for none."""
_POLICY = "Content-Security-Policy"
_OURS = (
    "Service-Worker-Allowed",
    "Clear-Site-Data",
    "Strict-Transport-Security",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Private-Network",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Cross-Origin-Embedder-Policy",
    "Referrer-Policy",
)
"""Headers that the server sets, or that reach beyond one answer."""


def restrict(headers: CIMultiDict[str], policy: str) -> None:
    """Take from a plugin's answer what reaches beyond it, and add the policy to its own."""
    for name in _OURS:
        headers.popall(name, None)
    cookies = headers.popall("Set-Cookie", [])
    for cookie in cookies:
        if cookie.partition("=")[0].strip() != COOKIE:
            headers.add("Set-Cookie", cookie)
    if policy:
        own = headers.popall(_POLICY, [])
        headers[_POLICY] = ", ".join((*own, policy))
