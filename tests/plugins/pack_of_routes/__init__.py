"""A pack that uses the host's server in every way that packs do."""

# ruff: noqa: ASYNC251 - written as plugins are

import asyncio
import hashlib
import json
import os
import time
from pathlib import Path

import server
from aiohttp import web
from server import BinaryEventTypes, PromptServer

routes = PromptServer.instance.routes
HERE = Path(__file__).parent
calls = {"started": 0}


@routes.get("/pack_of_routes/json/{name}")
async def get_json(request):
    return web.json_response(
        {
            "name": request.match_info["name"],
            "query": dict(request.query),
            "cookies": dict(request.cookies),
            "authorization": request.headers.get("Authorization"),
            "host": request.host,
            **calls,
        }
    )


@routes.post("/pack_of_routes/upload")
async def post_upload(request):
    digest, size = hashlib.sha256(), 0
    async for part in await request.multipart():
        while piece := await part.read_chunk():
            digest.update(piece)
            size += len(piece)
    return web.json_response({"size": size, "digest": digest.hexdigest()})


@routes.put("/pack_of_routes/count")
async def put_count(request):
    return web.Response(text=str(len(await request.read())))


@routes.get("/pack_of_routes/events")
async def get_events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(3):
        await response.write(f"data: {number}\n\n".encode())
        await asyncio.sleep(0.05)
    return response


@routes.get("/pack_of_routes/ws")
async def get_socket(request):
    socket = web.WebSocketResponse(protocols=("mine",))
    await socket.prepare(request)
    async for message in socket:
        if message.type is web.WSMsgType.BINARY:
            await socket.send_bytes(message.data[::-1])
        elif message.data == "end":
            await socket.close(code=4001)
        else:
            await socket.send_str(message.data.upper())
    return socket


@routes.get("/pack_of_routes/raises")
async def get_raises(request):
    raise ValueError("this route is broken")


@routes.get("/pack_of_routes/page")
async def get_page(request):
    response = web.Response(
        text="<script>1</script>",
        content_type="text/html",
        headers={"Access-Control-Allow-Origin": "*", "Service-Worker-Allowed": "/"},
    )
    response.set_cookie("calotype_session", "stolen")
    response.set_cookie("mine", "kept")
    return response


@routes.post("/pack_of_routes/block")
async def post_block(request):
    """Blocks the event loop of routes, and nobody else's."""
    time.sleep(float(await request.text()))
    return web.Response()


@routes.get("/pack_of_routes/exits")
async def get_exits(request):
    os._exit(3)


@routes.post("/prompt")
@routes.post("/calotype/packs/reload")
async def post_prompt(request):
    return web.json_response({"prompt_id": "stolen"})


@routes.get("/pack_of_routes/json/{name")
async def get_wrong(request):
    return web.Response()


@web.middleware
async def mark(request, handler):
    response = await handler(request)
    if not response.prepared:
        response.headers["X-Marked"] = "yes"
    return response


async def started(app):
    calls["started"] += 1


async def fails_at_start(app):
    raise RuntimeError("a signal that is broken")


app = PromptServer.instance.app
if not app.router.frozen:
    app.add_routes([web.static("/pack_of_routes/files", str(HERE / "files"))])
    app.router.add_get("/pack_of_routes/added", get_page)
    app.middlewares.append(mark)
    app.on_startup.append(fails_at_start)
    app.on_startup.append(started)


def breaks_prompts(body):
    body["prompt"].clear()
    raise ValueError("a handler that is broken")


def changes_prompts(body):
    for node in body["prompt"].values():
        if node["inputs"].get("color") == 7:
            node["inputs"]["color"] = 255
    return body


def holds_prompts(body):
    """Does not return while the file exists that the prompt names."""
    held = body.get("extra_data", {}).get("held_by")
    while held and Path(held).exists():
        time.sleep(0.05)
    return body


PromptServer.instance.add_on_prompt_handler(breaks_prompts)
PromptServer.instance.add_on_prompt_handler(holds_prompts)
PromptServer.instance.add_on_prompt_handler(changes_prompts)


class SendsEvents:
    """Sends events of every kind while it runs."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}, "hidden": {"node": "UNIQUE_ID"}}

    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    def run(self, image, node):
        from PIL import Image

        host = PromptServer.instance
        told = {"client": host.client_id, "node": host.last_node_id, "prompt": host.last_prompt_id}
        host.send_sync("pack_of_routes.mine", told, host.client_id)
        host.send_sync("pack_of_routes.all", {"nan": float("nan"), "many": {1}})
        picture = ["PNG", Image.new("RGB", (64, 32)), 16]
        host.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, picture, host.client_id)
        host.send_progress_text("half", node)
        host.loop.call_soon_threadsafe(host.send_sync, "pack_of_routes.loop", {})
        item = next(iter(host.prompt_queue.currently_running.values()))
        return {"ui": {"text": [json.dumps([item[1], host.get_queue_info(), len(item[2])])]}}


class Repeats:
    """Queues its prompt once more, as packs that work in batches do."""

    done = False

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    def run(self, image):
        host = PromptServer.instance
        if not Repeats.done:
            Repeats.done = True
            [item] = host.prompt_queue.currently_running.values()
            number, _, prompt, extra, outputs, _ = item
            new = str(server.uuid.uuid4())
            host.prompt_queue.put((-number, new, prompt, extra, outputs, {}))
            return {"ui": {"text": [new]}}
        return {"ui": {"text": ["again"]}}


class Computes:
    """Holds the computing thread until a file exists."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "until": ("STRING",)}}

    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    def run(self, image, until):
        while not Path(until).exists():
            time.sleep(0.01)
        return ()


NODE_CLASS_MAPPINGS = {"SendsEvents": SendsEvents, "Repeats": Repeats, "Computes": Computes}
