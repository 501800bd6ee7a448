"""A pack of the V3 dialect, whose entry point is a sync function."""

from comfy_api.latest import ComfyExtension, io

loaded = []


class Node(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="LoadingEntrySync",
            category="test/loading",
            inputs=[io.String.Input("text")],
            outputs=[io.String.Output()],
        )

    @classmethod
    def execute(cls, text):
        return io.NodeOutput(f"{text} {loaded}")


class Extension(ComfyExtension):
    async def on_load(self):
        loaded.append("on_load")

    async def get_node_list(self):
        if not loaded:
            raise RuntimeError("on_load was not awaited")
        return [Node]


def comfy_entrypoint():
    return Extension()
