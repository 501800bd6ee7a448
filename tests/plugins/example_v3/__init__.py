"""Brightens pictures and shows them."""

from comfy_api.latest import ComfyExtension, io, ui


class ExampleBrighten(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ExampleBrighten",
            display_name="Brighten",
            category="example",
            inputs=[io.Image.Input("image"), io.Float.Input("factor", default=1.5, min=0.0)],
            outputs=[io.Image.Output(display_name="image")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image, factor):
        result = (image * factor).clamp(0.0, 1.0)
        return io.NodeOutput(result, ui=ui.PreviewImage(result, cls=cls))


class Example(ComfyExtension):
    async def get_node_list(self):
        return [ExampleBrighten]


async def comfy_entrypoint():
    return Example()
