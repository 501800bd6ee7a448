"""Fades pictures to grey."""

from comfy.utils import ProgressBar


class ExampleFade:
    CATEGORY = "example"
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "fade"

    @classmethod
    def INPUT_TYPES(cls):
        strength = ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05})
        return {"required": {"image": ("IMAGE",), "strength": strength}}

    def fade(self, image, strength):
        bar, result = ProgressBar(len(image)), image.clone()
        for one in result:
            one.lerp_(one.mean(dim=-1, keepdim=True).expand_as(one), strength)
            bar.update(1)
        return (result,)


NODE_CLASS_MAPPINGS = {"ExampleFade": ExampleFade}
NODE_DISPLAY_NAME_MAPPINGS = {"ExampleFade": "Fade to grey"}
