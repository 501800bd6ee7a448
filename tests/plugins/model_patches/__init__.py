"""A pack that changes models in every way there is; each node takes a MODEL and gives one."""

import comfy.model_sampling
import comfy.patcher_extension
import torch


class Patch:
    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "tests/model_patches"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "strength": ("FLOAT", {"default": 1.0})}}

    def patch(self, model, strength):
        changed = model.clone()
        self.change(changed, strength)
        return (changed,)


class RescaledGuidance(Patch):
    """Lin et al. 2023, eqs. 15 and 16, on v-predictions."""

    def change(self, model, strength):
        def guide(args):
            x, scale = args["input"], args["cond_scale"]
            sigma = args["sigma"].view(-1, 1, 1, 1)
            total = sigma * sigma + 1.0
            to_v = total**0.5 / sigma
            base = x / total
            good, bad = ((base - (x - args[name])) * to_v for name in ("cond", "uncond"))
            plain = bad + scale * (good - bad)
            kept = plain * (
                good.std(dim=(1, 2, 3), keepdim=True) / plain.std(dim=(1, 2, 3), keepdim=True)
            )
            found = strength * kept + (1.0 - strength) * plain
            return x - (base - found / to_v)

        model.set_model_sampler_cfg_function(guide)


class HalvedResult(Patch):
    def change(self, model, strength):
        model.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * strength)


class SwappedPredictions(Patch):
    def change(self, model, strength):
        model.set_model_sampler_pre_cfg_function(lambda args: list(reversed(args["conds_out"])))


class PlainAttention(Patch):
    def change(self, model, strength):
        def attend(q, k, v, extra_options):
            split = (
                each.unflatten(-1, (extra_options["n_heads"], -1)).transpose(1, 2)
                for each in (q, k, v)
            )
            found = torch.nn.functional.scaled_dot_product_attention(*split)
            return found.transpose(1, 2).flatten(2) * strength

        for number in range(12):
            model.set_model_attn1_replace(attend, "input", number)
            model.set_model_attn2_replace(attend, "output", number)


class ScaledNetwork(Patch):
    def change(self, model, strength):
        def around(apply_model, args):
            return apply_model(args["input"], args["timestep"], **args["c"]) * strength

        model.set_model_unet_function_wrapper(around)


class Velocity(Patch):
    def change(self, model, strength):
        class Sampling(
            comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.V_PREDICTION
        ):
            pass

        model.add_object_patch("model_sampling", Sampling(model.model.model_config))


class Wrapped(Patch):
    """A wrapper of every kind; each scales what it surrounds or counts its call."""

    calls = {}

    def change(self, model, strength):
        for kind in vars(comfy.patcher_extension.WrappersMP).values():
            if isinstance(kind, str) and kind.islower() and kind.count(".") == 0:
                model.add_wrapper_with_key(kind, "tests", self.counting(kind))

    def counting(self, kind):
        def wrapper(executor, *args, **kwargs):
            self.calls[kind] = self.calls.get(kind, 0) + 1
            return executor(*args, **kwargs)

        return wrapper


class WithoutClone(Patch):
    """What no pack should do, and some do."""

    def patch(self, model, strength):
        model.set_model_attn1_output_patch(lambda out, options: out * strength)
        model.model_options["transformer_options"]["mine"] = strength
        model.model.mine = strength
        return (model,)


class Adapted(Patch):
    """A full difference of one layer, and a low-rank one of another."""

    def change(self, model, strength):
        names = model.model_state_dict()
        name = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_q.weight"
        rows, columns = names[name].shape
        up, down = torch.ones(rows, 2), torch.ones(2, columns) * 0.01
        added = model.add_patches({name: ("lora", (up, down, 1.0, None, None, None))}, strength)
        assert added == [name]
        model.add_patches({"diffusion_model.out.2.bias": (torch.ones(4) * 0.1,)}, strength)


NODE_CLASS_MAPPINGS = {
    each.__name__: each
    for each in (
        RescaledGuidance,
        HalvedResult,
        SwappedPredictions,
        PlainAttention,
        ScaledNetwork,
        Velocity,
        Wrapped,
        WithoutClone,
        Adapted,
    )
}
