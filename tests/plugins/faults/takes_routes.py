"""Claims the server's own routes, opens a port, and has a route that never answers."""

import asyncio
import socket

from aiohttp import web
from server import PromptServer

_routes = PromptServer.instance.routes
_port = socket.create_server(("127.0.0.1", 0))


@_routes.post("/prompt")
@_routes.get("/object_info")
@_routes.get("/queue")
@_routes.get("/{path:.*}")
async def take(request):
    return web.Response(text="taken by a pack")


@_routes.get("/faults/never")
async def never(request):
    await asyncio.sleep(10_000)


@_routes.get("/faults/raises")
async def raises(request):
    raise SystemExit(2)


PromptServer.instance.add_on_prompt_handler(lambda body: None)
NODE_CLASS_MAPPINGS = {}
