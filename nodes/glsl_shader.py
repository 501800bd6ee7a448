"""Images computed by fragment shaders in GLSL ES 3.00, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, DynamicCombo, Range, Text
from nodes.curves import table_of
from nodes.image_scaling import with_channels
from nodes.shader_functions import Texture, zero
from nodes.shader_run import Machine
from nodes.shader_syntax import Shader, parse
from nodes.sockets import Image

PASSING = """#version 300 es
precision highp float;

uniform sampler2D u_image0;

in vec2 v_texCoord;
layout(location = 0) out vec4 fragColor0;

void main() {
    fragColor0 = texture(u_image0, v_texCoord);
}
"""
OUTPUTS = 4
STRIP = 1 << 18
"""Pixels that are computed at once."""
Side = Annotated[int, Range(1, 16384)]


class FromInput(NamedTuple):
    """Results have the size of the first image."""


class Custom(NamedTuple):
    """Results have this size in pixels."""

    width: Side = 512
    height: Side = 512


class Shaded(NamedTuple):
    """What the shader's outputs hold; black for those it has not."""

    IMAGE0: Image
    IMAGE1: Image
    IMAGE2: Image
    IMAGE3: Image


@node("GLSLShader", category="image/shader", display="GLSL Shader", experimental=True)
def glsl_shader(
    *,
    fragment_shader: Annotated[str, Text(multiline=True)] = PASSING,
    size_mode: Annotated[
        Mapping[str, Any], DynamicCombo({"from_input": FromInput, "custom": Custom})
    ],
    images: Annotated[Mapping[str, Tensor], Autogrow("image", "IMAGE", 1, 5)],
    floats: Annotated[Mapping[str, float] | None, Autogrow("u_float", "FLOAT", 0, 20)] = None,
    ints: Annotated[Mapping[str, int] | None, Autogrow("u_int", "INT", 0, 20)] = None,
    bools: Annotated[Mapping[str, bool] | None, Autogrow("u_bool", "BOOLEAN", 0, 10)] = None,
    curves: Annotated[Mapping[str, Any] | None, Autogrow("u_curve", "CURVE", 0, 4)] = None,
    ctx: Context,
) -> Shaded:
    """Compute images with a fragment shader (GLSL ES 3.00).

    It reads `u_image0` to `u_image4`, `u_float0` ..., `u_int0` ..., `u_bool0` ..., `u_curve0` to
    `u_curve3`, `u_resolution` and `v_texCoord` (0, 0 at the lower left). `#pragma passes N` runs it
    N times, each time on the result before. It runs on the CPU, interpreted, and can do nothing
    but compute colours.
    """
    shader = parse(fragment_shader)
    given = [each for each in images.values() if each is not None]
    if not given:
        raise NodeError("the shader has no image; connect one to image0")
    if size_mode["size_mode"] == "custom":
        size = int(size_mode["height"]), int(size_mode["width"])
    else:
        size = given[0].shape[1], given[0].shape[2]
    values = (
        _values(floats, torch.float32) | _values(ints, torch.int32) | _values(bools, torch.bool)
    )
    values |= {name: Texture(_strip(curve)) for name, curve in (curves or {}).items() if curve}
    count = max(len(each) for each in given)
    rows = [
        _frame(shader, [each[min(index, len(each) - 1)] for each in given], values, size, ctx)
        for index in range(count)
    ]
    return Shaded(*(torch.stack([row[place] for row in rows]) for place in range(OUTPUTS)))


def _values(given: Mapping[str, Any] | None, dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        name: torch.tensor([value], dtype=dtype)
        for name, value in (given or {}).items()
        if value is not None
    }


def _strip(curve: Any) -> Tensor:
    """A curve as a picture of one row."""
    return torch.tensor(table_of(curve), dtype=torch.float32)[None, :, None].repeat(1, 1, 4)


def _frame(
    shader: Shader,
    images: list[Tensor],
    values: Mapping[str, Any],
    size: tuple[int, int],
    ctx: Context,
) -> list[Tensor]:
    """The four results [H, W, 3 or 4] of one image of a batch."""
    textures = [Texture(_upright(each)) for each in images]
    alpha = images[0].shape[-1] == 4
    found: dict[str, Tensor] = {}
    for number in range(shader.passes):
        uniforms: dict[str, Any] = {**_standard(shader, size), **values}
        uniforms |= {f"u_image{place}": texture for place, texture in enumerate(textures)}
        uniforms["u_pass"] = torch.tensor([number], dtype=torch.int32)
        found = _computed(shader, uniforms, size, ctx)
        first = min(shader.outputs, key=lambda name: shader.outputs[name], default=None)
        if first is not None:
            textures[0] = Texture(found[first])
    by_place = {place: found[name] for name, place in shader.outputs.items()}
    black = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(*size, 4)
    results = [by_place.get(place, black).flip(0) for place in range(OUTPUTS)]
    return [(each if alpha else each[..., :3]).clamp(0.0, 1.0).contiguous() for each in results]


def _upright(image: Tensor) -> Tensor:
    return with_channels(image[None], 4)[0].float().flip(0)


def _standard(shader: Shader, size: tuple[int, int]) -> dict[str, Any]:
    """Values of uniforms that nothing is joined to."""
    empty = Texture(torch.zeros(1, 1, 4))
    found: dict[str, Any] = {}
    for name, kind in shader.uniforms.items():
        if kind == "sampler2D":
            straight = torch.linspace(0, 1, 256)[None, :, None].repeat(1, 1, 4)
            found[name] = Texture(straight) if name.startswith("u_curve") else empty
        else:
            found[name] = zero(kind)
    found["u_resolution"] = torch.tensor([[float(size[1]), float(size[0])]])
    return found


def _computed(
    shader: Shader, uniforms: Mapping[str, Any], size: tuple[int, int], ctx: Context
) -> dict[str, Tensor]:
    """The outputs [H, W, 4] by name, the lowest row first, computed strip by strip."""
    height, width = size
    step = max(STRIP // width, 1)
    strips: dict[str, list[Tensor]] = {name: [] for name in shader.outputs}
    for start in range(0, height, step):
        end = min(start + step, height)
        rows = torch.arange(start, end, dtype=torch.float32) + 0.5
        columns = torch.arange(width, dtype=torch.float32) + 0.5
        y, x = (each.flatten() for each in torch.meshgrid(rows, columns, indexing="ij"))
        varying = {
            "v_texCoord": torch.stack((x / width, y / height), dim=-1),
            "gl_FragCoord": torch.stack(
                (x, y, torch.full_like(x, 0.5), torch.ones_like(x)), dim=-1
            ),
        }
        machine = Machine(shader, uniforms, ctx.checkpoint)
        for name, color in machine.run(varying, len(x)).items():
            strips[name].append(color.nan_to_num(0.0).reshape(end - start, width, 4))
    return {name: torch.cat(parts) for name, parts in strips.items()}
