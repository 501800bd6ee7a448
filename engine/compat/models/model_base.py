# pyright: basic
"""Models as plugins see them (`comfy.model_base`): a network, its noise levels and its inputs.

One object stands for the weights of one file. Plugins also derive from it and give it networks of
their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn

from engine.compat.models import conds, levels, networks, saved_weights, transformers
from engine.compat.models.latent_formats import format_of
from engine.compat.models.model_kinds import ModelType, model_sampling, model_type_of
from engine.compat.models.patcher_extension import (
    WrapperExecutor,
    WrappersMP,
    get_all_wrappers,
)
from engine.diffusion.conditioning import Role
from engine.families.family import Entry, Run
from engine.inference.values import Model
from engine.nets.layers import timestep_embedding
from engine.residency.manager import current

INPUT_NAMES: Mapping[str, str] = {"context": "c_crossattn", "vector": "y", "concat": "c_concat"}
"""The network's inputs, as the engine's families name them, by the names that plugins know."""


def convert_tensor(tensor: Tensor, dtype: Any, device: Any) -> Tensor:
    """A tensor on a device, a floating-point one in `dtype`."""
    return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)


def sdxl_pooled(args: Mapping[str, Any], noise_augmentor: Any = None) -> Any:
    """The pooled text of an entry."""
    return args["pooled_output"]


class Timestep(nn.Module):
    """The sinusoidal embedding of numbers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, t: Tensor) -> Tensor:
        """[N] -> [N, dim]."""
        return timestep_embedding(t, self.dim)


class BaseModel(nn.Module):
    """A model.

    Attributes:
        model_config: see `supported_models.BASE`.
        diffusion_model: the network; of the engine's models under its original names, with weights
            on the device only while it is used.
        model_sampling: its noise levels, as the file says.
        latent_format: of its latents.
        current_patcher: the patcher that shows it.
        value: the frozen model it was made from; None for a plugin's own.
    """

    value: Model | None = None

    def __init__(
        self,
        model_config: Any,
        model_type: ModelType = ModelType.EPS,
        device: Any = None,
        unet_model: Any = None,
    ) -> None:
        """Make a plugin's own model, with a network of class `unet_model` if there is one."""
        super().__init__()
        self.value = None
        self._set(model_config, model_type, device)
        if unet_model is not None and not model_config.unet_config.get(
            "disable_unet_model_creation", False
        ):
            settings = dict(model_config.unet_config)
            operations = model_config.custom_operations
            if operations is not None:
                settings["operations"] = operations
            self.diffusion_model = unet_model(**settings, device=device)
            self.diffusion_model.eval()
        self.model_sampling = model_sampling(model_config, model_type)
        self.latent_format = model_config.latent_format

    def _set(self, model_config: Any, model_type: ModelType, device: Any) -> None:
        unet = model_config.unet_config
        self.model_config = model_config
        self.model_type = model_type
        self.device = device
        self.manual_cast_dtype = model_config.manual_cast_dtype
        self.current_patcher = None
        self.adm_channels = unet.get("adm_in_channels") or 0
        self.inpaint_model = False
        self.concat_keys: tuple[str, ...] = ()
        self.memory_usage_factor = model_config.memory_usage_factor
        self.memory_usage_factor_conds: tuple[str, ...] = ()
        self.memory_usage_shape_process: dict[str, Any] = {}
        self.model_lowvram = False
        self.lowvram_patch_counter = 0
        self.model_loaded_weight_memory = 0
        self.model_offload_buffer_memory = 0
        self.current_weight_patches_uuid: Any = None
        self.force_cast_weights = False

    @classmethod
    def showing(cls, plain: Model, config: Any) -> BaseModel:
        """The object of an engine's model, without patches, with its configuration."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.value = plain
        made._set(config, model_type_of(plain), current().device)
        made.model_sampling = levels.sampling_object(plain.parameterization, config)
        made.latent_format = format_of(plain.latent)
        if config.unet_config.get("in_channels", 4) == 9:
            made.set_inpaint()
        return made

    def __getattr__(self, name: str) -> Any:
        if name == "diffusion_model" and self.value is not None:
            # Made on first use: many nodes never look into a network.
            net = transformers.shown_network(self.value)
            self._modules["diffusion_model"] = net
            return net
        return super().__getattr__(name)

    def named_children(self) -> Any:
        """As of any module, with the network."""
        self._show_network()
        return super().named_children()

    def named_modules(self, *args: Any, **kwargs: Any) -> Any:
        """As of any module, with the network."""
        self._show_network()
        return super().named_modules(*args, **kwargs)

    def _show_network(self) -> None:
        if self.value is not None:
            _ = self.diffusion_model

    @property
    def current_patcher(self) -> Any:
        """See the class; not kept alive by it."""
        found = self.__dict__.get("_current_patcher")
        return found() if isinstance(found, ref) else found

    @current_patcher.setter
    def current_patcher(self, patcher: Any) -> None:
        try:
            self.__dict__["_current_patcher"] = ref(patcher)
        except TypeError:
            self.__dict__["_current_patcher"] = patcher

    def apply_model(
        self,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        """The clean image [B, C, ...] from x [B, C, ...] at sigma t [B]."""
        options = transformer_options or {}
        wrappers = get_all_wrappers(WrappersMP.APPLY_MODEL, options)
        executor = WrapperExecutor.new_class_executor(self._apply_model, self, wrappers)
        return executor.execute(x, t, c_concat, c_crossattn, control, options, **kwargs)

    def _apply_model(
        self,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        dtype = self.get_dtype_inference()
        sampling = self.model_sampling
        entering = sampling.calculate_input(t, x)
        if c_concat is not None:
            entering = torch.cat((entering, c_concat.to(entering)), dim=1)
        context = None if c_crossattn is None else c_crossattn.to(entering.device, dtype)
        further = {name: _cast(value, dtype) for name, value in kwargs.items()}
        found = self.diffusion_model(
            entering.to(dtype),
            sampling.timestep(t).float(),
            context=context,
            control=control,
            transformer_options=transformer_options or {},
            **further,
        )
        return sampling.calculate_denoised(t, found.float(), x)

    def get_dtype(self) -> torch.dtype:
        """The dtype of its weights."""
        if self.value is not None:
            return current().dtype_of(self.value.net)
        found = getattr(self.diffusion_model, "dtype", None)
        return found or next((each.dtype for each in self.parameters()), torch.float32)

    def get_dtype_inference(self) -> torch.dtype:
        """The dtype that it is computed in."""
        return self.manual_cast_dtype or self.get_dtype()

    def is_adm(self) -> bool:
        """Whether the network takes a vector `y`."""
        return self.adm_channels > 0

    def _inputs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The network's inputs by the engine's names, from the options of an entry."""
        value = self.value
        noise = kwargs.get("noise")
        if value is None or noise is None:
            return {}
        text = kwargs.get("cross_attn")
        text = torch.zeros(1, 77, 0) if text is None else text.cpu()
        extras = {k: v.cpu() if isinstance(v, Tensor) else v for k, v in kwargs.items()}
        role = Role.NEGATIVE if kwargs.get("prompt_type") == "negative" else Role.POSITIVE
        run = Run(noise.shape, int(kwargs.get("seed") or 0), clean=kwargs.get("latent_image"))
        return dict(value.family.inputs(value.config, Entry(text, extras), run=run, role=role))

    def encode_adm(self, **kwargs: Any) -> Tensor | None:
        """The vector `y` [1, V] of an entry; None for a network without one."""
        found = self._inputs(kwargs).get("vector")
        return None if found is None else found.value

    def concat_cond(self, **kwargs: Any) -> Tensor | None:
        """The further channels of x of an entry; None for a network without them."""
        found = self._inputs(kwargs).get("concat")
        return None if found is None else found.value

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        """The network's inputs from the options of an entry, as objects of `conds`."""
        device = kwargs.get("device")
        made: dict[str, Any] = {}
        for name, found in self._inputs(kwargs).items():
            kind = {"context": conds.CONDCrossAttn, "concat": conds.CONDNoiseShape}.get(
                name, conds.CONDRegular
            )
            value = found.value if device is None else found.value.to(device)
            made[INPUT_NAMES.get(name, name)] = kind(value)
        if self.value is None and kwargs.get("cross_attn") is not None:
            made["c_crossattn"] = conds.CONDCrossAttn(kwargs["cross_attn"])
        return made

    def extra_conds_shapes(self, **kwargs: Any) -> dict[str, Any]:
        """Shapes that add to the memory of a call."""
        return {}

    def process_latent_in(self, latent: Tensor) -> Tensor:
        """An autoencoder's latent at the denoiser's scale."""
        return self.latent_format.process_in(latent)

    def process_latent_out(self, latent: Tensor) -> Tensor:
        """The inverse of `process_latent_in`."""
        return self.latent_format.process_out(latent)

    def scale_latent_inpaint(
        self, sigma: Tensor, noise: Tensor, latent_image: Tensor, **kwargs: Any
    ) -> Tensor:
        """The latent with the noise of sigma, for what a mask preserves."""
        wide = sigma.reshape(sigma.shape[0], *(1,) * (noise.ndim - 1))
        return self.model_sampling.noise_scaling(wide, noise, latent_image)

    def memory_required(self, input_shape: Any, cond_shapes: Any = None) -> float:
        """Bytes that a call on x of a shape needs beside the weights."""
        value, itemsize = self.value, self.get_dtype_inference().itemsize
        if value is not None:
            shape = list(input_shape)
            return value.family.activation_bytes(value.config, shape, itemsize)
        area = input_shape[0] * math.prod(input_shape[2:])
        return area * itemsize * 0.01 * self.memory_usage_factor * 1024 * 1024

    def set_inpaint(self) -> None:
        """Declare that the network takes a mask and a picture with a hole."""
        self.inpaint_model = True
        self.concat_keys = ("mask", "masked_image")

    def load_model_weights(self, sd: dict[str, Any], unet_prefix: str = "") -> BaseModel:
        """Take a plugin's own weights, and remove them from `sd`."""
        found = {
            name[len(unet_prefix) :]: sd.pop(name)
            for name in list(sd)
            if name.startswith(unet_prefix)
        }
        missing, unexpected = self.diffusion_model.load_state_dict(found, strict=False)
        del missing, unexpected
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The weights by name, those of the network under `diffusion_model.`."""
        if self.value is None:
            return super().state_dict(*args, **kwargs)
        prefix = f"{kwargs.get('prefix', args[1] if len(args) > 1 else '')}diffusion_model."
        stored = networks.stored_tensors(self.value.net.base)
        return {f"{prefix}{name}": tensor for name, tensor in stored}

    def to(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Itself, for the engine's models: the engine decides where weights are."""
        return super().to(*args, **kwargs) if self.value is None else self

    def state_dict_for_saving(
        self,
        clip_state_dict: Any = None,
        vae_state_dict: Any = None,
        clip_vision_state_dict: Any = None,
    ) -> dict[str, Any]:
        """The weights by their names in a checkpoint, see `saved_weights.checkpoint_weights`."""
        shown_by = self.current_patcher or self
        network = saved_weights.network_weights(shown_by)
        parts = (clip_state_dict, vae_state_dict, clip_vision_state_dict)
        return saved_weights.checkpoint_weights(self, network, *parts)

    def get_fsdp_model(self) -> Any:
        """The network."""
        return self.diffusion_model


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(dtype)
    return value
