"""A pack that runs in a process of its own: values of every kind, state, hooks, faults."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch
from aiohttp import web
from comfy_execution.graph_utils import ExecutionBlocker, GraphBuilder
from server import PromptServer

folder_paths.add_model_folder_path("apart_files", str(Path(__file__).parent / "files"))


class AnyType(str):
    def __ne__(self, _other):
        return False


ANY = AnyType("*")


def node(inputs=None, outputs=(), **attributes):
    """A class with these inputs and outputs."""

    def decorate(function):
        body = {
            "INPUT_TYPES": classmethod(lambda cls: {"required": {}, **(inputs or {})}),
            "RETURN_TYPES": outputs,
            "FUNCTION": "go",
            "CATEGORY": "test/apart",
            "go": function,
            **attributes,
        }
        return type(function.__name__, (), body)

    return decorate


@node(outputs=("APART",))
def ApartMake(self):
    values = {
        "int": 7,
        "big": 1 << 90,
        "float": 0.1,
        "text": "äöü 🙂",
        "none": None,
        "true": True,
        "bytes": b"\x00\xff",
        "tuple": (1, (2, [3])),
        "set": {1, 2},
        3: "a key that is no text",
        "nan": float("nan"),
        "half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
        "bf16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(5),
        "empty": torch.zeros(0, 4),
        "strided": torch.arange(12.0).reshape(3, 4).t(),
        "array": np.arange(4, dtype=np.int16).reshape(2, 2),
        "same": None,
    }
    values["same"] = values["half"]
    return (values,)


@node({"required": {"values": ("APART",)}}, ("STRING",), OUTPUT_NODE=True)
def ApartTell(self, values):
    """The values as text, and whether it runs in the process that made them."""
    text = []
    for key, each in values.items():
        is_tensor = hasattr(each, "dtype")
        told = (str(each.dtype), tuple(each.shape), each.tolist()) if is_tensor else each
        text.append(f"{key}: {told!r}")
    text.append(f"shared: {values['same'] is values['half']}")
    return {"ui": {"text": text}, "result": ("\n".join(text),)}


@node(
    {"required": {"image": ("IMAGE",), "by": ("FLOAT", {"default": 0.5})}},
    ("IMAGE", "MASK", "INT"),
)
def ApartFade(self, image, by):
    image *= by  # in place: what the other process has must not change
    return image, image[..., 0], os.getpid()


@node(
    {"required": {"latent": ("LATENT",), "conditioning": ("CONDITIONING",)}},
    ("LATENT", "CONDITIONING"),
)
def ApartNested(self, latent, conditioning):
    latent = {**latent, "samples": latent["samples"] + 1}
    return latent, [[tokens * 2, {**extra, "strength": 0.5}] for tokens, extra in conditioning]


@node(outputs=("INT",), IS_CHANGED=classmethod(lambda cls: float("nan")))
def ApartCount(self):
    self.count = getattr(self, "count", 0) + 1
    return (self.count,)


@node(outputs=("CONDITIONING",))
def ApartConditioning(self):
    return ([[torch.ones(1, 77, 8), {"pooled_output": torch.ones(1, 8), "guidance": 3.5}]],)


@node({"required": {"conditioning": ("CONDITIONING",)}}, OUTPUT_NODE=True)
def ApartTokens(self, conditioning):
    return {"ui": {"text": [str(tuple(each.shape)) for each, _ in conditioning]}}


@node({"required": {"image": ("IMAGE",)}}, ("FLOAT",))
def ApartPixel(self, image):
    return (float(image[0, 0, 0, 0]),)


@node({"required": {"numbers": ("INT", {"forceInput": True})}}, ("STRING",), INPUT_IS_LIST=True)
def ApartGather(self, numbers):
    return (str(sorted(numbers)),)


class Thing:
    """An object that cannot leave its process."""

    def __init__(self, text):
        self.text = text


@node({"required": {"text": ("STRING", {"default": ""})}}, ("THING",))
def ApartThing(self, text):
    return (Thing(text),)


@node({"required": {"thing": ("THING",)}}, ("STRING",))
def ApartOpen(self, thing):
    return (thing.text,)


@node({"required": {"value": (ANY,)}}, (ANY,))
def ApartPass(self, value):
    return (value,)


@node({"required": {"model": ("MODEL",)}}, ("MODEL",))
def ApartModel(self, model):
    return (model.clone(),)


@node({"required": {"what": ("STRING", {"default": "raise"})}}, ("INT",))
def ApartFault(self, what):
    match what:
        case "raise":
            raise KeyError("not there")
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "sys.exit":
            raise SystemExit("enough")
        case "allocate":
            held = []
            while True:
                held.append(torch.ones(64 << 20, dtype=torch.uint8))
        case "sleep":
            time.sleep(60)
        case "steps":
            bar = comfy.utils.ProgressBar(10_000)
            for _ in range(10_000):
                bar.update(1)
                time.sleep(0.01)
        case "throw":
            while True:
                comfy.model_management.throw_exception_if_processing_interrupted()
                time.sleep(0.01)
        case "connect":
            socket.create_connection(("127.0.0.1", 9), timeout=1)
    return (os.getpid(),)


@node({"required": {"number": ("INT", {"default": 1})}}, ("INT",))
async def ApartLater(self, number):
    await asyncio.sleep(0.2)
    return (number * 2,)


@node(
    {"required": {"numbers": ("INT", {"forceInput": True})}},
    ("INT",),
    INPUT_IS_LIST=True,
    OUTPUT_IS_LIST=(True,),
)
def ApartReverse(self, numbers):
    return (numbers[::-1],)


@node({"required": {"count": ("INT", {"default": 3})}}, ("INT",), OUTPUT_IS_LIST=(True,))
def ApartList(self, count):
    return (list(range(count)),)


@node(
    {
        "required": {"which": ("BOOLEAN", {"default": True})},
        "optional": {"yes": (ANY, {"lazy": True}), "no": (ANY, {"lazy": True})},
    },
    (ANY,),
    check_lazy_status=lambda self, which, yes=None, no=None: ["yes" if which else "no"],
)
def ApartSwitch(self, which, yes=None, no=None):
    return (yes if which else no,)


@node(
    {"required": {"number": ("INT", {"default": 1})}},
    ("INT",),
    VALIDATE_INPUTS=classmethod(lambda cls, number: True if number < 100 else "too many"),
)
def ApartChecked(self, number):
    return (number,)


@node({"required": {"image": ("IMAGE",)}}, ("IMAGE",))
def ApartExpand(self, image):
    graph = GraphBuilder()
    faded = graph.node("ApartFade", image=image, by=0.5)
    inverted = graph.node("ImageInvert", image=faded.out(0))
    return {"result": (inverted.out(0),), "expand": graph.finalize()}


@node({"required": {"value": (ANY,)}}, (ANY,))
def ApartBlock(self, value):
    return (ExecutionBlocker("blocked on purpose"),)


@node(
    {
        "required": {"value": (ANY,)},
        "hidden": {
            "prompt": "PROMPT",
            "extra": "EXTRA_PNGINFO",
            "me": "UNIQUE_ID",
            "graph": "DYNPROMPT",
        },
    },
    (),
    OUTPUT_NODE=True,
)
def ApartShow(self, value, prompt=None, extra=None, me=None, graph=None):
    PromptServer.instance.send_sync("apart.event", {"node": me})
    told = [
        repr(value),
        sorted(prompt),
        extra.get("workflow"),
        me,
        graph.get_node(me)["class_type"],
        graph.get_display_node_id(me),
        str(os.getpid()),
        PromptServer.instance.client_id,
        PromptServer.instance.last_node_id,
    ]
    return {"ui": {"text": [str(each) for each in told]}}


@PromptServer.instance.routes.get("/apart/pid")
async def pid(request):
    return web.json_response({"pid": os.getpid()})


def on_prompt(body):
    for each in body["prompt"].values():
        if each["inputs"].get("text") == "replace me":
            each["inputs"]["text"] = "replaced"
    return body


PromptServer.instance.add_on_prompt_handler(on_prompt)
NODE_CLASS_MAPPINGS = {name: found for name, found in globals().items() if name.startswith("Apart")}
NODE_DISPLAY_NAME_MAPPINGS = {"ApartFade": "Fade, apart"}
WEB_DIRECTORY = "./js"
