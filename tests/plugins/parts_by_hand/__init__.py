"""A pack that does by hand what built-in nodes do with CLIP, VAE, LoRA hooks and conditionings."""

import comfy.hooks
import comfy.model_management
import comfy.sd1_clip
import torch
from comfy.sdxl_clip import SDXLClipModel


class Encode:
    """Own weighted tokens through the encoder itself."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"clip": ("CLIP",), "text": ("STRING",), "skip": ("INT", {"min": -4})}}

    RETURN_TYPES = ("CONDITIONING", "CLIP")
    FUNCTION = "go"
    CATEGORY = "test/parts"

    def go(self, clip, text, skip):
        assert not isinstance(clip.cond_stage_model, SDXLClipModel)
        clip = clip.clone()
        clip.clip_layer(skip)
        chunks = clip.tokenize(text, return_word_ids=True)["l"]
        assert all(word == 0 for _, _, word in chunks[0][:1])
        own = [[(token, weight) for token, weight, _ in chunk] for chunk in chunks]
        comfy.model_management.load_models_gpu([clip.load_model()])
        model = clip.cond_stage_model
        model.reset_clip_options()
        model.set_clip_options({"layer": clip.layer_idx})
        states, pooled = model.clip_l.encode_token_weights(own)
        return ([[states, {"pooled_output": pooled}]], clip)


class Decode:
    """Decodes, encodes, and decodes with the raw autoencoder."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"vae": ("VAE",), "samples": ("LATENT",)}}

    RETURN_TYPES = ("IMAGE", "LATENT", "IMAGE")
    FUNCTION = "go"
    CATEGORY = "test/parts"

    def go(self, vae, samples):
        pixels = vae.decode(samples["samples"])
        raw = vae.first_stage_model.decode(samples["samples"].to(vae.device, vae.vae_dtype))
        raw = vae.process_output(raw.to(vae.output_device).float()).movedim(1, -1)
        return (pixels, {"samples": vae.encode(pixels)}, raw)


class Hooked:
    """A LoRA as a hook, with keyframes, on a conditioning."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"conditioning": ("CONDITIONING",)}}

    RETURN_TYPES = ("CONDITIONING", "HOOKS")
    FUNCTION = "go"
    CATEGORY = "test/parts"

    def go(self, conditioning):
        lora = {"unet.x.lora_A.weight": torch.ones(1, 4), "unet.x.lora_B.weight": torch.ones(4, 1)}
        group = comfy.hooks.create_hook_lora(lora, strength_model=0.5, strength_clip=0.0)
        frames = comfy.hooks.HookKeyframeGroup()
        frames.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.5))
        group.set_keyframes_on_hooks(frames)
        return (comfy.hooks.set_hooks_for_conditioning(conditioning, group), group)


class Same:
    """Whether two values are the same numbers, up to rounding: calls may be batched otherwise."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("*",), "b": ("*",)}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"
    CATEGORY = "test/parts"

    def go(self, a, b):
        return (str(torch.allclose(numbers(a), numbers(b), atol=1e-4)),)


class Brighter(comfy.hooks.TransformerOptionsHook):
    """A hook of a pack's own that patches the network for its entries."""

    def __init__(self):
        patches = {"patches": {"attn2_output_patch": [lambda out, options: out * 3.0]}}
        super().__init__(patches, hook_scope=comfy.hooks.EnumHookScope.HookedOnly)


class Patched:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"conditioning": ("CONDITIONING",)}}

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "go"
    CATEGORY = "test/parts"

    def go(self, conditioning):
        group = comfy.hooks.HookGroup()
        group.add(Brighter())
        return (comfy.hooks.set_hooks_for_conditioning(conditioning, group),)


def numbers(value):
    if isinstance(value, dict):
        return value["samples"]
    return value if isinstance(value, torch.Tensor) else value[0][0]


NODE_CLASS_MAPPINGS = {
    "PartsEncode": Encode,
    "PartsDecode": Decode,
    "PartsHooked": Hooked,
    "PartsPatched": Patched,
    "PartsSame": Same,
}
