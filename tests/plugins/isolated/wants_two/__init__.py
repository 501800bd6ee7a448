"""A pack that needs a version of a module which another pack cannot use."""

import socket

import apart_thing


class WantsThing:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"
    CATEGORY = "test/apart"
    OUTPUT_NODE = True

    def go(self):
        return {"ui": {"text": [apart_thing.VERSION]}, "result": (apart_thing.VERSION,)}


class WantsNetwork(WantsThing):
    def go(self):
        found = []
        for family in ("AF_UNIX", "AF_INET", "AF_INET6"):
            try:
                socket.socket(getattr(socket, family)).close()
                found.append("open")
            except OSError as error:
                found.append(type(error).__name__)
        return {"ui": {"text": found}, "result": ("",)}


NODE_CLASS_MAPPINGS = {"Wants_two": WantsThing, "WantsNetwork": WantsNetwork}
