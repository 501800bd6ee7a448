"""Nodes that end, block or burden the process they run in, each in its own way."""

import ctypes
import os
import resource
import threading
import time
from pathlib import Path


class _Fault:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test/faults"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}


class NullPointer(_Fault):
    def run(self, text):
        ctypes.string_at(0)


class LeavesAtOnce(_Fault):
    def run(self, text):
        os._exit(3)


class Exits(_Fault):
    def run(self, text):
        raise SystemExit("enough of this")


class RaisesStop(_Fault):
    def run(self, text):
        raise KeyboardInterrupt


class Endless(_Fault):
    def run(self, text):
        while True:
            try:
                time.sleep(0.01)
            except BaseException:  # noqa: BLE001 - so do some packs
                continue


class LeavesThread(_Fault):
    def run(self, text):
        threading.Thread(target=self._fail_late).start()
        threading.Thread(target=time.sleep, args=(10_000,)).start()
        return (text,)

    @staticmethod
    def _fail_late():
        raise RuntimeError("the thread that was left behind")


class LeavesProcess(_Fault):
    """A fork holds every file of the worker: its channel, its output, the lock."""

    def run(self, text):
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
        os._exit(4)


class Allocates(_Fault):
    def run(self, text):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), resource.RLIM_INFINITY))
        blocks = []
        try:
            while True:
                blocks.append(bytearray(16 << 20))
        finally:
            blocks.clear()
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)


class BadText(_Fault):
    def run(self, text):
        raise ValueError("\ud800 half a character")


class ErrorWithoutText(_Fault):
    def run(self, text):
        class NoText(Exception):
            def __str__(self):
                raise RuntimeError("no text")

            __repr__ = __str__

        raise NoText


class ShowsGarbage(_Fault):
    def run(self, text):
        circle = []
        circle.append(circle)
        return {
            "ui": {"text": [circle, float("nan"), {1, 2}, b"\xff", "\ud800"]},
            "result": (text,),
        }


NODE_CLASS_MAPPINGS = {
    f"Fault{each.__name__}": each
    for each in [*vars().values()]
    if isinstance(each, type) and issubclass(each, _Fault) and each is not _Fault
}
