"""Nodes that load control networks and apply them to conditioning with a picture."""

from __future__ import annotations

from typing import Annotated

from engine.files import file_identity
from engine.inference.control import Control, controlled, load_control, on_top_of, with_hole
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, Range
from nodes.sockets import Conditioning, ControlNet, Image, Mask, Model, Vae

FOLDER = "controlnet"
Strength = Annotated[float, Range(0.0, 10.0, step=0.01)]
UNION_TYPES = (
    "openpose",
    "depth",
    "hed/pidi/scribble/ted",
    "canny/lineart/anime_lineart/mlsd",
    "normal",
    "segment",
    "tile",
    "repaint",
)
"""In the order of the rows of `task_embedding`."""
Time = Annotated[float, Range(0.0, 1.0, step=0.001)]


@node("ControlNetLoader", category="loaders", display="Load ControlNet Model")
def load_control_net(
    control_net_name: Annotated[str, FileChoice(FOLDER)], ctx: Context
) -> ControlNet:
    """Load a control network, which controls a model by the lines, depths or poses of a picture."""
    found = load_control(ctx.files.find(FOLDER, control_net_name))
    if found.is_difference:
        sentence = (
            f"{control_net_name} holds differences from the weights of a model and is used as it "
            "is; Load ControlNet Model (diff) adds the model's weights to it"
        )
        ctx.show(text=[sentence])
    return found


@load_control_net.fingerprint
def _(control_net_name: str | None, ctx: Context) -> object:
    return control_net_name and file_identity(ctx.files.find(FOLDER, control_net_name))


@node("DiffControlNetLoader", category="loaders", display="Load ControlNet Model (diff)")
def load_control_net_difference(
    model: Model, control_net_name: Annotated[str, FileChoice(FOLDER)], ctx: Context
) -> ControlNet:
    """Load a control network; one stored as differences is added to this model."""
    found = load_control(ctx.files.find(FOLDER, control_net_name))
    return on_top_of(found, model) if found.is_difference else found


@load_control_net_difference.fingerprint
def _(model: Model | None, control_net_name: str | None, ctx: Context) -> object:
    del model
    return control_net_name and file_identity(ctx.files.find(FOLDER, control_net_name))


@node(
    "ControlNetApply",
    category="conditioning/controlnet",
    display="Apply ControlNet (OLD)",
    deprecated=True,
)
def control_net_apply(
    conditioning: Conditioning, control_net: ControlNet, image: Image, strength: Strength = 1.0
) -> Conditioning:
    """Control by a picture, also for the negative; strength 0 has no effect."""
    if strength == 0:
        return conditioning
    control = Control(control_net, image, strength)
    (found,) = controlled((conditioning,), control, also_negative=True)
    return found


@node(
    "ControlNetApplyAdvanced",
    category="conditioning/controlnet",
    display="Apply ControlNet",
    output_names=("positive", "negative"),
)
def control_net_apply_advanced(
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Time = 0.0,
    end_percent: Time = 1.0,
    vae: Vae | None = None,
    *,
    ctx: Context,
) -> tuple[Conditioning, Conditioning]:
    """Control both by a picture, in a part of the run; strength 0 has no effect.

    Control networks of FLUX.1, SD3 and Qwen-Image take a picture encoded with the model's VAE.
    """
    control = Control(control_net, image, strength, start_percent, end_percent, vae=vae)
    return _applied((positive, negative), control, ctx)


@node(
    "ControlNetApplySD3",
    category="conditioning/controlnet",
    display="Apply Controlnet with VAE",
    deprecated=True,
    output_names=("positive", "negative"),
)
def control_net_apply_vae(
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Vae,
    image: Image,
    strength: Strength = 1.0,
    start_percent: Time = 0.0,
    end_percent: Time = 1.0,
    *,
    ctx: Context,
) -> tuple[Conditioning, Conditioning]:
    """Control both by a picture, as Apply ControlNet does."""
    control = Control(control_net, image, strength, start_percent, end_percent, vae=vae)
    return _applied((positive, negative), control, ctx)


@node(
    "ControlNetInpaintingAliMamaApply",
    category="conditioning/controlnet",
    output_names=("positive", "negative"),
)
def control_net_apply_inpainting(
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Vae,
    image: Image,
    mask: Mask,
    strength: Strength = 1.0,
    start_percent: Time = 0.0,
    end_percent: Time = 1.0,
    *,
    ctx: Context,
) -> tuple[Conditioning, Conditioning]:
    """Control both by a picture with a hole, which a ControlNet for inpainting fills.

    Its pixels where the mask is over 0.5 become -1, as ControlNets for inpainting of Stable
    Diffusion 1 and XL expect. Those of FLUX.1, SD3 and Qwen-Image see them black, and the mask.
    """
    pierced = with_hole(control_net, image, mask)
    times = start_percent, end_percent
    control = Control(control_net, pierced, strength, *times, vae=vae, mask=mask)
    return _applied((positive, negative), control, ctx)


def _applied(
    both: tuple[Conditioning, Conditioning], control: Control, ctx: Context
) -> tuple[Conditioning, Conditioning]:
    """Both with one more control network."""
    if control.strength == 0:
        return both
    if control.start >= control.end:
        sentence = (
            f"the control network has no effect: it starts at {control.start:g} of the run and "
            f"ends at {control.end:g}; choose a start_percent below end_percent"
        )
        ctx.show(text=[sentence])
    found, other = controlled(both, control, also_negative=False)
    return found, other


@node("SetUnionControlNetType", category="conditioning/controlnet")
def set_union_type(
    control_net: ControlNet,
    type: Annotated[str, Choice("auto", *UNION_TYPES)],  # noqa: A002 - the incumbent's name
    ctx: Context,
) -> ControlNet:
    """Say what pictures a union ControlNet gets; auto says nothing. Others are unchanged."""
    if not control_net.types:
        ctx.show(text=["this control network has no types of pictures; it is used as it is"])
    return control_net.of_type(None if type == "auto" else UNION_TYPES.index(type))
