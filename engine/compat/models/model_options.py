# pyright: basic
"""`model_options`: the dictionary in which plugins keep what changes a model's sampling."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from engine.compat.models.patcher_extension import copy_nested_dicts


def create_model_options_clone(orig_model_options: dict[str, Any]) -> dict[str, Any]:
    """A copy, with copies of the dictionaries and lists in it."""
    return copy_nested_dicts(orig_model_options)


def set_model_options_patch_replace(
    model_options: dict[str, Any],
    patch: Any,
    name: str,
    block_name: str,
    number: int,
    transformer_index: int | None = None,
) -> dict[str, Any]:
    """Options with a replacement of kind `name` at a block; the given ones stay as they are."""
    options = dict(model_options.get("transformer_options", {}))
    replaced = dict(options.get("patches_replace", {}))
    place = (block_name, number)
    if transformer_index is not None:
        place = (block_name, number, transformer_index)
    replaced[name] = {**replaced.get(name, {}), place: patch}
    options["patches_replace"] = replaced
    model_options["transformer_options"] = options
    return model_options


def set_model_options_post_cfg_function(
    model_options: dict[str, Any],
    post_cfg_function: Callable[[dict[str, Any]], Any],
    disable_cfg1_optimization: bool = False,
) -> dict[str, Any]:
    """Options with one more function on the result of guidance."""
    return _with_function(
        model_options, "sampler_post_cfg_function", post_cfg_function, disable_cfg1_optimization
    )


def set_model_options_pre_cfg_function(
    model_options: dict[str, Any],
    pre_cfg_function: Callable[[dict[str, Any]], Any],
    disable_cfg1_optimization: bool = False,
) -> dict[str, Any]:
    """Options with one more function on the predictions before guidance."""
    return _with_function(
        model_options, "sampler_pre_cfg_function", pre_cfg_function, disable_cfg1_optimization
    )


def _with_function(
    model_options: dict[str, Any], name: str, function: Any, both: bool
) -> dict[str, Any]:
    model_options[name] = [*model_options.get(name, []), function]
    if both:
        model_options["disable_cfg1_optimization"] = True
    return model_options


class OptionSetters:
    """The methods of a patcher that write to its `model_options`."""

    model_options: dict[str, Any]

    def set_model_sampler_cfg_function(
        self, sampler_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Replace guidance: `function(args)` returns the guided noise, x minus the clean image.

        Of three parameters, it is called with the two predictions of noise and the scale.
        """
        function = sampler_cfg_function
        if _takes_three(function):

            def by_name(args: dict[str, Any]) -> Any:
                return sampler_cfg_function(args["cond"], args["uncond"], args["cond_scale"])

            function = by_name
        self.model_options["sampler_cfg_function"] = function
        if disable_cfg1_optimization:
            self.model_options["disable_cfg1_optimization"] = True

    def set_model_sampler_post_cfg_function(
        self, post_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Add a function on the result of guidance."""
        set_model_options_post_cfg_function(
            self.model_options, post_cfg_function, disable_cfg1_optimization
        )

    def set_model_sampler_pre_cfg_function(
        self, pre_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Add a function on the predictions before guidance."""
        set_model_options_pre_cfg_function(
            self.model_options, pre_cfg_function, disable_cfg1_optimization
        )

    def set_model_sampler_calc_cond_batch_function(
        self, sampler_calc_cond_batch_function: Callable[..., Any]
    ) -> None:
        """Replace the evaluation of the conditionings."""
        self.model_options["sampler_calc_cond_batch_function"] = sampler_calc_cond_batch_function

    def set_model_unet_function_wrapper(self, unet_wrapper_function: Callable[..., Any]) -> None:
        """Surround each call of the network: `function(apply_model, args)`."""
        self.model_options["model_function_wrapper"] = unet_wrapper_function

    def set_model_denoise_mask_function(self, denoise_mask_function: Callable[..., Any]) -> None:
        """Change the noise mask of each step: `function(sigma, mask, extra_options=)`."""
        self.model_options["denoise_mask_function"] = denoise_mask_function

    def set_model_patch(self, patch: Any, name: str) -> None:
        """Add a patch of a kind, see `engine.nets.hooks.NetHooks`."""
        options = self.model_options.setdefault("transformer_options", {})
        patches = options.setdefault("patches", {})
        patches[name] = [*patches.get(name, []), patch]

    def set_model_patch_replace(
        self,
        patch: Any,
        name: str,
        block_name: str,
        number: int,
        transformer_index: int | None = None,
    ) -> None:
        """Replace what kind `name` computes at a block."""
        self.model_options = set_model_options_patch_replace(
            self.model_options, patch, name, block_name, number, transformer_index
        )

    def set_model_attn1_patch(self, patch: Any) -> None:
        """On the inputs of self-attention."""
        self.set_model_patch(patch, "attn1_patch")

    def set_model_attn2_patch(self, patch: Any) -> None:
        """On the inputs of the attention to text."""
        self.set_model_patch(patch, "attn2_patch")

    def set_model_attn1_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """Instead of self-attention at a block."""
        self.set_model_patch_replace(patch, "attn1", block_name, number, transformer_index)

    def set_model_attn2_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        """Instead of the attention to text at a block."""
        self.set_model_patch_replace(patch, "attn2", block_name, number, transformer_index)

    def set_model_attn1_output_patch(self, patch: Any) -> None:
        """On the result of self-attention."""
        self.set_model_patch(patch, "attn1_output_patch")

    def set_model_attn2_output_patch(self, patch: Any) -> None:
        """On the result of the attention to text."""
        self.set_model_patch(patch, "attn2_output_patch")

    def set_model_attn12_output_patch(self, patch: Any) -> None:
        """On the tokens between the two attentions."""
        self.set_model_patch(patch, "middle_patch")

    def set_model_input_block_patch(self, patch: Any) -> None:
        """On the features after an input block, which the skip connection takes too."""
        self.set_model_patch(patch, "input_block_patch")

    def set_model_input_block_patch_after_skip(self, patch: Any) -> None:
        """On the features after an input block, which the skip connection does not take."""
        self.set_model_patch(patch, "input_block_patch_after_skip")

    def set_model_middle_block_patch(self, patch: Any) -> None:
        """On the features after the middle block."""
        self.set_model_patch(patch, "middle_block_patch")

    def set_model_middle_block_after_patch(self, patch: Any) -> None:
        """The same, behind those."""
        self.set_model_patch(patch, "middle_block_after_patch")

    def set_model_output_block_patch(self, patch: Any) -> None:
        """On the features and the skip connection before an output block."""
        self.set_model_patch(patch, "output_block_patch")

    def set_model_emb_patch(self, patch: Any) -> None:
        """On the embedding of time."""
        self.set_model_patch(patch, "emb_patch")

    def set_model_forward_timestep_embed_patch(self, patch: Any) -> None:
        """A pair of a class and a function that calls layers of that class."""
        self.set_model_patch(patch, "forward_timestep_embed_patch")

    def set_model_double_block_patch(self, patch: Any) -> None:
        """On a double block of later networks."""
        self.set_model_patch(patch, "double_block")

    def set_model_post_input_patch(self, patch: Any) -> None:
        """On the tokens after the input layers of later networks."""
        self.set_model_patch(patch, "post_input")

    def set_model_noise_refiner_patch(self, patch: Any) -> None:
        """On the refiner of later networks."""
        self.set_model_patch(patch, "noise_refiner")

    def set_model_rope_options(
        self,
        scale_x: float = 1.0,
        shift_x: float = 0.0,
        scale_y: float = 1.0,
        shift_y: float = 0.0,
        scale_t: float = 1.0,
        shift_t: float = 0.0,
        **kwargs: Any,
    ) -> None:
        """Scale and shift the positions of later networks."""
        options = self.model_options.setdefault("transformer_options", {})
        options["rope_options"] = {
            "scale_x": scale_x,
            "shift_x": shift_x,
            "scale_y": scale_y,
            "shift_y": shift_y,
            "scale_t": scale_t,
            "shift_t": shift_t,
            **kwargs,
        }


def _takes_three(function: Any) -> bool:
    try:
        return len(inspect.signature(function).parameters) == 3
    except (TypeError, ValueError):
        return False
