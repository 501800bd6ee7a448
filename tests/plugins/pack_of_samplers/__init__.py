"""A pack that samples: its own sampler, schedule, guider, noise, wrappers and replacements."""

import comfy.patcher_extension
import comfy.sample
import comfy.samplers
import torch
from comfy.k_diffusion import sampling as k_diffusion_sampling
from comfy.samplers import SCHEDULER_HANDLERS, SCHEDULER_NAMES, KSampler, SchedulerHandler

SEEN = []
"""What was called, for the tests."""


def euler_by_hand(model, x, sigmas, extra_args=None, callback=None, disable=None, shrink=1.0):
    extra_args = {} if extra_args is None else extra_args
    rows = x.new_ones([x.shape[0]])
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i] * rows, **extra_args)
        if callback is not None:
            callback(
                {"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised}
            )
        d = k_diffusion_sampling.to_d(x, sigmas[i], denoised)
        x = x + d * (sigmas[i + 1] - sigmas[i]) * shrink
    levels = model.inner_model.inner_model.model_sampling
    SEEN.append(("euler_by_hand", float(levels.sigma_max) > 14))
    return x


def flat_schedule(model_sampling, steps):
    top = float(model_sampling.sigma_max)
    return torch.tensor([*(top * (steps - i) / steps for i in range(steps)), 0.0])


if "by_hand" not in KSampler.SAMPLERS:
    KSampler.SAMPLERS.insert(KSampler.SAMPLERS.index("euler") + 1, "by_hand")
    k_diffusion_sampling.sample_by_hand = euler_by_hand
    SCHEDULER_HANDLERS["flat"] = SchedulerHandler(handler=flat_schedule, use_ms=True)
    SCHEDULER_NAMES.append("flat")


class SamplerByHand:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"shrink": ("FLOAT", {"default": 1.0, "step": 0.01})}}

    RETURN_TYPES = ("SAMPLER",)
    FUNCTION = "get"
    CATEGORY = "sampling"

    def get(self, shrink):
        options = {} if shrink == 1.0 else {"shrink": shrink}
        return (comfy.samplers.KSAMPLER(euler_by_hand, options),)


class HalvedGuidance(comfy.samplers.CFGGuider):
    """Guidance that is off in the second half of a run."""

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 - as packs write it
        sigmas = model_options["transformer_options"]["sample_sigmas"]
        if float(timestep[0]) <= float(sigmas[len(sigmas) // 2]):
            (cond,) = comfy.samplers.calc_cond_batch(
                self.inner_model, [self.conds["positive"]], x, timestep, model_options
            )
            return cond
        return super().predict_noise(x, timestep, model_options, seed)


class GuiderHalved:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "cfg": ("FLOAT", {"default": 4.0}),
            }
        }

    RETURN_TYPES = ("GUIDER",)
    FUNCTION = "get"
    CATEGORY = "sampling"

    def get(self, model, positive, negative, cfg):
        guider = HalvedGuidance(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        return (guider,)


class HalfNoise:
    def __init__(self, seed):
        self.seed = seed

    def generate_noise(self, latent):
        samples = latent["samples"]
        noise = comfy.sample.prepare_noise(samples, self.seed, latent.get("batch_index"))
        return noise * 0.5


class NoiseOfHalf:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seed": ("INT", {"default": 0})}}

    RETURN_TYPES = ("NOISE",)
    FUNCTION = "get"
    CATEGORY = "sampling"

    def get(self, seed):
        return (HalfNoise(seed),)


class Watched:
    """Puts a wrapper of every kind, callbacks, and functions around guidance on a model."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "watch"
    CATEGORY = "sampling"

    def watch(self, model):
        model = model.clone()
        kinds = comfy.patcher_extension.WrappersMP
        for name in (
            "OUTER_SAMPLE",
            "PREPARE_SAMPLING",
            "SAMPLER_SAMPLE",
            "PREDICT_NOISE",
            "CALC_COND_BATCH",
        ):
            model.add_wrapper_with_key(getattr(kinds, name), "pack", self.wrapper(name))
        calls = comfy.patcher_extension.CallbacksMP
        for name in ("ON_PRE_RUN", "ON_CLEANUP"):
            model.add_callback_with_key(
                getattr(calls, name), "pack", lambda *_, name=name: SEEN.append((name, ""))
            )
        return (model,)

    @staticmethod
    def wrapper(name):
        def wrapped(executor, *args, **kwargs):
            SEEN.append((name, type(executor.class_obj).__name__))
            return executor(*args, **kwargs)

        return wrapped


class Steered:
    """Functions before, for and after guidance; the last evaluates a conditioning again."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "weight": ("FLOAT", {"default": 0.0})}}

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "steer"
    CATEGORY = "sampling"

    def steer(self, model, weight):
        model = model.clone()

        def before(args):
            SEEN.append(("pre", len(args["conds_out"])))
            return args["conds_out"]

        def combine(args):
            SEEN.append(("cfg", args["cond_scale"]))
            return args["uncond"] + (args["cond"] - args["uncond"]) * args["cond_scale"]

        def after(args):
            (again,) = comfy.samplers.calc_cond_batch(
                args["model"], [args["cond"]], args["input"], args["sigma"], args["model_options"]
            )
            SEEN.append(
                ("post", torch.allclose(again, args["cond_denoised"], rtol=1e-3, atol=1e-2))
            )
            return args["denoised"] + weight * (again - args["denoised"])

        model.set_model_sampler_pre_cfg_function(before)
        model.set_model_sampler_cfg_function(combine)
        model.set_model_sampler_post_cfg_function(after)
        return (model,)


class SamplesItself:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "seed": ("INT", {"default": 0}),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "latent": ("LATENT",),
            }
        }

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "sampling"

    def sample(self, model, seed, sampler_name, scheduler, positive, negative, latent):
        samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
        noise = comfy.sample.prepare_noise(samples, seed)
        found = comfy.sample.sample(
            model,
            noise,
            3,
            4.0,
            sampler_name,
            scheduler,
            positive,
            negative,
            samples,
            denoise=1.0,
            disable_noise=False,
            start_step=0,
            last_step=3,
            force_full_denoise=True,
            noise_mask=latent.get("noise_mask"),
            callback=None,
            disable_pbar=True,
            seed=seed,
        )
        return ({**latent, "samples": found},)


NODE_CLASS_MAPPINGS = {
    "PackSamplerByHand": SamplerByHand,
    "PackGuiderHalved": GuiderHalved,
    "PackNoiseOfHalf": NoiseOfHalf,
    "PackWatched": Watched,
    "PackSteered": Steered,
    "PackSamplesItself": SamplesItself,
}
