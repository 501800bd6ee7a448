"""A pack that calls built-in nodes' classes and derives from them."""

from comfy_extras.nodes_compositing import JoinImageWithAlpha
from comfy_extras.nodes_mask import GrowMask, ImageCompositeMasked

import nodes
from nodes import ConditioningSetMask, EmptyLatentImage, ImageScale, LoadImage, SaveImage


class Calls:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "image": ("IMAGE",),
                "method": (ImageScale.upscale_methods,),
                "width": ("INT", {"default": 8, "max": nodes.MAX_RESOLUTION}),
            }
        }

    RETURN_TYPES = ("IMAGE", "LATENT", "STRING")
    FUNCTION = "go"
    CATEGORY = "test/core"

    def go(self, image, method, width):
        (scaled,) = nodes.ImageScale().upscale(image, method, width, width, "disabled")
        masked = ConditioningSetMask().append([[None, {}]], image[..., 0], "default", 0.5)[0]
        grown = GrowMask().expand_mask(scaled[..., 0], 1, True)[0]
        (joined,) = JoinImageWithAlpha().join_image_with_alpha(scaled, grown)
        (pasted,) = ImageCompositeMasked.execute(joined[..., :3], scaled, 0, 0, False, grown)
        latent = EmptyLatentImage().generate(64, 64)[0]
        cls = nodes.NODE_CLASS_MAPPINGS["ImageInvert"]
        (inverted,) = getattr(cls(), cls.FUNCTION)(image=pasted)
        text = f"{sorted(masked[0][1])} {masked[0][1]['mask_strength']} {joined.shape[-1]}"
        return (inverted, latent, text)


class SaveElsewhere(SaveImage):
    def __init__(self):
        self.output_dir = nodes.PreviewImage().output_dir
        self.type = "temp"
        self.prefix_append = "_mine"
        self.compress_level = 0

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"images": ("IMAGE",), "name": ("STRING", {"default": "elsewhere"})},
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "keep"

    def keep(self, images, name, prompt=None, extra_pnginfo=None):
        shown = self.save_images(images, name, prompt, extra_pnginfo)
        return {"ui": shown["ui"], "result": (shown["ui"]["images"][0]["filename"],)}


class LoadTwice(LoadImage):
    FUNCTION = "twice"
    RETURN_TYPES = ("IMAGE",)

    def twice(self, image):
        return (self.load_image(image)[0].repeat(2, 1, 1, 1),)


NODE_CLASS_MAPPINGS = {
    "CoreCalls": Calls,
    "CoreSaveElsewhere": SaveElsewhere,
    "CoreLoadTwice": LoadTwice,
}
