"""A pack of the V3 dialect: dynamic inputs of each kind, hidden values, results in the editor."""

import torch
from comfy_api.latest import ComfyAPI, ComfyAPISync, ComfyExtension, io, ui


def told(*values):
    """A text result, shown and returned."""
    text = " ".join(str(value) for value in values)
    return io.NodeOutput(text, ui=ui.PreviewText(text))


class Grown(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        number = io.Float.Input("number", default=1.0)
        return io.Schema(
            node_id="V3Grown",
            display_name="Grown",
            category="test/v3",
            inputs=[
                io.Autogrow.Input(
                    "images",
                    template=io.Autogrow.TemplatePrefix(
                        io.Image.Input("image"), prefix="image", min=1, max=4
                    ),
                ),
                io.Autogrow.Input(
                    "values",
                    template=io.Autogrow.TemplateNames(number, names=["a", "b"], min=1),
                ),
            ],
            outputs=[io.String.Output("text")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images, values):
        shapes = {name: list(each.shape) for name, each in sorted(images.items())}
        return told(shapes, sorted(values.items()))


class Chosen(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        option = io.DynamicCombo.Option
        inner = io.DynamicCombo.Input(
            "codec", options=[option("h264", [io.Int.Input("crf", default=19)]), option("raw", [])]
        )
        return io.Schema(
            node_id="V3Chosen",
            inputs=[
                io.DynamicCombo.Input(
                    "format",
                    options=[
                        option("png", [io.Int.Input("level", default=4, min=0, max=9)]),
                        option("mp4", [inner]),
                    ],
                ),
                io.DynamicSlot.Input(io.Image.Input("mask_of"), [io.Int.Input("grow", default=2)]),
            ],
            outputs=[io.String.Output("text")],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, format):
        return "level 9 takes long" if format.get("level") == 9 else True

    @classmethod
    def fingerprint_inputs(cls, **inputs):
        assert isinstance(inputs["format"], dict)
        return 1

    @classmethod
    def execute(cls, format, mask_of=None):
        slot = {name: getattr(each, "ndim", each) for name, each in (mask_of or {}).items()}
        return told(format, slot)


class Matched(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        template = io.MatchType.Template("any", [io.Image, io.Mask])
        return io.Schema(
            node_id="V3Matched",
            inputs=[
                io.MatchType.Input("first", template=template),
                io.MultiType.Input("second", types=[io.Image, io.Mask], optional=True),
                io.Combo.Input("which", options=["first", "second"], default="first"),
                io.Boolean.Input("flag", default=True, advanced=True, from_the_future="kept"),
            ],
            outputs=[io.MatchType.Output(template=template, display_name="chosen")],
            enable_expand=True,
            a_newer_keyword=3,
        )

    @classmethod
    def execute(cls, first, which, flag, second=None):
        assert flag is True
        return io.NodeOutput(first if which == "first" else second)


class Hidden(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Hidden",
            inputs=[io.Custom("THING").Input("thing", optional=True)],
            outputs=[io.String.Output()],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, thing=None):
        hidden = cls.hidden
        parent = hidden.dynprompt.get_parent_node_id(hidden.unique_id)
        return told(hidden.unique_id, parent, sorted(hidden.prompt), hidden.not_there_yet, thing)


class Listed(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Listed",
            inputs=[io.Int.Input("count", default=3)],
            outputs=[io.Int.Output(is_output_list=True), io.AnyType.Output(display_name="all")],
            is_input_list=True,
        )

    @classmethod
    def execute(cls, count):
        return io.NodeOutput(list(range(count[0])), list(count))


class Awaited(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Awaited",
            inputs=[io.AnyType.Input("a", lazy=True), io.AnyType.Input("b", lazy=True)],
            outputs=[io.String.Output()],
            is_output_node=True,
        )

    @classmethod
    def check_lazy_status(cls, a=None, b=None):
        return ["a"] if a is None else []

    @classmethod
    async def execute(cls, a=None, b=None):
        await ComfyAPI().execution.set_progress(1, 2, preview_image=torch.zeros(8, 8, 3))
        ComfyAPISync().execution.set_progress(2, 2)
        return told(a, b)


class Blocks(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Blocks", inputs=[io.String.Input("why")], outputs=[io.String.Output()]
        )

    @classmethod
    def execute(cls, why):
        return io.NodeOutput(block_execution=why)


class Shows(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Shows",
            inputs=[
                io.Image.Input("image"),
                io.Combo.Input("kind", options=["image", "mask", "audio", "saved", "3d"]),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image, kind):
        if kind == "mask":
            return io.NodeOutput(ui=ui.PreviewMask(image[..., 0], cls=cls))
        if kind == "audio":
            sound = {"waveform": torch.zeros(1, 2, 100), "sample_rate": 8000}
            return io.NodeOutput(ui=ui.PreviewAudio(sound, cls=cls))
        if kind == "saved":
            return io.NodeOutput(
                ui=ui.ImageSaveHelper.get_save_images_ui(image, "v3/shown", cls=cls)
            )
        if kind == "3d":
            return io.NodeOutput(ui=ui.PreviewUI3D("model.glb", {"fov": 35}))
        return io.NodeOutput(ui=ui.PreviewImage(image, cls=cls))


class Pack(ComfyExtension):
    async def get_node_list(self):
        return [Grown, Chosen, Matched, Hidden, Listed, Awaited, Blocks, Shows]


async def comfy_entrypoint():
    return Pack()
