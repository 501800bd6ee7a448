"""A pack that loads, encodes, samples and decodes by the built-in nodes' classes."""

import torch

import nodes

CURVE = ("euler", "karras")


LOADER = nodes.CheckpointLoaderSimple.INPUT_TYPES()["required"]


class Made:
    """Everything from a checkpoint's name to pictures, in one node."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "ckpt_name": LOADER["ckpt_name"],
                "lora_name": ("STRING",),
                "control_name": ("STRING",),
                "image": ("IMAGE",),
                "mask": ("MASK",),
            }
        }

    RETURN_TYPES = ("LATENT", "LATENT", "LATENT", "IMAGE", "LATENT", "LATENT", "CONDITIONING")
    FUNCTION = "go"
    CATEGORY = "test/core"

    def go(self, ckpt_name, lora_name, control_name, image, mask):
        model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint(ckpt_name)
        model, clip = nodes.LoraLoader().load_lora(model, clip, lora_name, 0.8, 0.7)
        (clip,) = nodes.CLIPSetLastLayer().set_last_layer(clip, -2)
        (positive,) = nodes.CLIPTextEncode().encode(clip, "a boat")
        (negative,) = nodes.CLIPTextEncode().encode(clip=clip, text="blurry")
        (scaled,) = nodes.ImageScale().upscale(image, "bilinear", 64, 64, "center")
        (control,) = nodes.ControlNetLoader().load_controlnet(control_name)
        positive, negative = nodes.ControlNetApplyAdvanced().apply_controlnet(
            positive, negative, control, scaled, 0.6, 0.0, 0.8
        )
        (encoded,) = nodes.VAEEncode().encode(vae, scaled)
        (masked,) = nodes.VAEEncodeForInpaint().encode(vae, scaled, mask, 4)
        (empty,) = nodes.EmptyLatentImage().generate(64, 64, 1)
        (sampled,) = nodes.KSampler().sample(
            model, 7, 2, 4.0, *CURVE, positive, negative, empty, 0.9
        )
        (begun,) = nodes.KSamplerAdvanced().sample(
            model, "enable", 7, 3, 4.0, *CURVE, positive, negative, encoded, 1, 2, "enable"
        )
        (common,) = nodes.common_ksampler(
            model, 7, 2, 4.0, *CURVE, positive, negative, encoded, denoise=0.5
        )
        (pixels,) = nodes.VAEDecode().decode(vae, sampled)
        (large,) = nodes.LatentUpscale().upscale(encoded, "nearest-exact", 128, 128, "disabled")
        (both,) = nodes.ConditioningCombine().combine(positive, negative)
        assert masked["noise_mask"].shape[-2:] == (64, 64)
        return (sampled, begun, common, pixels, masked, large, both)


class Difference:
    """The largest difference of two values' tensors, as text."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("*",), "b": ("*",)}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"
    CATEGORY = "test/core"

    def go(self, a, b):
        pairs = list(zip(tensors(a), tensors(b), strict=True))
        assert pairs
        return (str(max(float((one.float() - other.float()).abs().max()) for one, other in pairs)),)


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = [value[name] for name in ("samples", "pooled_output") if name in value]
    return [found for each in value for found in tensors(each)]


NODE_CLASS_MAPPINGS = {"CoreModelsMade": Made, "CoreModelsDifference": Difference}
