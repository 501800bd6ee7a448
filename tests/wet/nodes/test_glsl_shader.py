"""Fragment shaders against numpy, and shaders that are wrong or would never end."""

import numpy as np
import pytest
import torch

from engine.errors import NodeError, Stopped
from engine.nodekit.context import RunningContext
from nodes.curves import table_of
from nodes.glsl_shader import PASSING, glsl_shader

IMAGE = torch.rand(2, 7, 9, 3, generator=torch.Generator().manual_seed(1))
HEAD = "#version 300 es\nprecision highp float;\nuniform sampler2D u_image0;\nin vec2 v_texCoord;\n"
OUT = "out vec4 fragColor;\n"
FROM_INPUT = {"size_mode": "from_input"}


@pytest.fixture
def shade(files):
    def run(body, image=IMAGE, *, size=FROM_INPUT, ctx=None, **more):
        source = body if body.startswith("#") else HEAD + OUT + body
        return glsl_shader(
            fragment_shader=source,
            size_mode=size,
            images={"image0": image},
            ctx=ctx or RunningContext("1", files),
            **more,
        )

    return run


def color_of(expression, declarations=""):
    return f"{declarations}\nvoid main() {{ fragColor = {expression}; }}"


def test_an_image_passes_unchanged_and_other_outputs_are_black(shade):
    found = shade(PASSING)
    assert torch.allclose(found.IMAGE0, IMAGE, atol=1e-6)
    assert found.IMAGE3.shape == IMAGE.shape
    assert found.IMAGE3.sum() == 0
    rgba = torch.rand(1, 4, 5, 4)
    assert torch.allclose(shade(PASSING, rgba).IMAGE0, rgba, atol=1e-6)


def test_places_count_from_the_lower_left(shade):
    found = shade(color_of("vec4(v_texCoord, gl_FragCoord.y / 7.0, 1.0)")).IMAGE0[0]
    assert torch.allclose(found[..., 0], ((torch.arange(9) + 0.5) / 9).expand(7, 9), atol=1e-6)
    assert torch.allclose(found[:, 0, 1], (6.5 - torch.arange(7)) / 7, atol=1e-6)
    assert torch.allclose(found[..., 1], found[..., 2], atol=1e-6)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("vec4(7 / 2, 7 % 4, -7 / 2 + 3, 1) / 4.0", (0.75, 0.75, 0.0)),
        ("vec4(1.0 / 4.0, .5, 1e-1, 1)", (0.25, 0.5, 0.1)),
        ("vec4(mix(0.0, 1.0, 0.25), step(0.5, 0.4), smoothstep(0.0, 1.0, 0.5), 1)", (0.25, 0, 0.5)),
        ("vec4(mod(-0.25, 1.0), fract(2.75), abs(-0.5), 1)", (0.75, 0.75, 0.5)),
        ("vec4(clamp(2.0, 0.0, 0.5), min(1, 0), max(0.25, 0.0), 1)", (0.5, 0.0, 0.25)),
        ("vec4(dot(vec2(0.5), vec2(1.0)), length(vec2(0.3, 0.4)), 0.0, 1)", (1.0, 0.5, 0.0)),
        ("vec4(vec3(0.1, 0.2, 0.3).zyx, 1.0)", (0.3, 0.2, 0.1)),
        ("vec4(mat2(0.0, 1.0, 0.5, 0.0) * vec2(0.4, 0.8), 0.0, 1.0)", (0.4, 0.4, 0.0)),
        ("vec4(vec2(0.4, 0.8) * mat2(0.0, 1.0, 0.5, 0.0), 0.0, 1.0)", (0.8, 0.2, 0.0)),
        ("true && !false || false ^^ true ? vec4(1.0) : vec4(0.0)", (1.0, 1.0, 1.0)),
        ("vec4(float(0xffffffffu >> 31u), float(3 << 1 & 4) / 8.0, float(~0 + 1), 1)", (1, 0.5, 0)),
        ("vec4(float(4294967295u + 2u), float(2u - 3u) / 4294967295.0, 0, 1)", (1.0, 1.0, 0.0)),
        ("vec4(reflect(vec2(1.0, -1.0), vec2(0.0, 1.0)), 0.0, 1.0)", (1.0, 1.0, 0.0)),
        ("vec4(cross(vec3(1, 0, 0), vec3(0, 1, 0)), 1.0)", (0.0, 0.0, 1.0)),
        ("vec4(pow(0.25, 0.5), sqrt(0.25), exp2(-2.0), 1.0)", (0.5, 0.5, 0.25)),
        ("vec4(vec3(lessThan(vec3(1, 2, 3), vec3(2))), 1.0)", (1.0, 0.0, 0.0)),
        ("vec4(float[3](0.1, 0.2, 0.3)[1], ivec2(3, 4) == ivec2(3, 4), 0, 1)", (0.2, 1.0, 0.0)),
    ],
)
def test_expressions(shade, expression, expected):
    found = shade(color_of(expression), IMAGE[:1]).IMAGE0[0, 3, 4]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_pixels_take_their_own_branches_and_loops(shade):
    body = """
    const int STEPS = 3;
    #define HALF 0.5
    float rest(float x, inout float count) {
        if (x > HALF) { count += 1.0; return x - HALF; }
        return x;
    }
    void main() {
        vec3 c = texture(u_image0, v_texCoord).rgb;
        float count = 0.0, sum = 0.0;
        float r = rest(c.r, count);
        for (int i = 0; i < 8; i++) {
            if (float(i) > c.g * 8.0) break;
            if (i == 1) continue;
            sum += 0.125;
        }
        float[2] both = float[2](c.b, 0.0);
        while (both[0] > 0.2) { both[0] -= 0.2; }
        c.gb = vec2(sum, both[0]);
        fragColor = vec4(r, c.gb, 1.0) * (count > 0.5 ? 0.5 : 1.0);
    }"""
    found = shade(body).IMAGE0.numpy()
    red, green, blue = (IMAGE.double().numpy()[..., i] for i in range(3))
    count = red > 0.5
    steps = np.minimum(np.floor(green * 8) + 1, 8)
    total = (steps - (steps > 1)) * 0.125
    rest = blue.copy()
    while (rest > 0.2).any():
        rest = np.where(rest > 0.2, rest - 0.2, rest)
    expected = np.stack((np.where(count, red - 0.5, red), total, rest), -1)
    expected *= np.where(count, 0.5, 1.0)[..., None]
    assert np.abs(found - expected).max() < 1e-5


def test_two_passes_blur_as_numpy_does(shade):
    source = (
        "#version 300 es\n#pragma passes 2\n"
        + HEAD.split("\n", 1)[1]
        + """uniform int u_pass;
    layout(location = 0) out vec4 fragColor0;
    layout(location = 1) out vec4 fragColor1;
    void main() {
        vec2 texel = 1.0 / vec2(textureSize(u_image0, 0));
        vec2 dir = (u_pass == 0) ? vec2(1.0, 0.0) : vec2(0.0, 1.0);
        vec4 color = vec4(0.0);
        for (int i = -1; i <= 1; i++)
            color += texture(u_image0, v_texCoord + dir * float(i) * texel);
        fragColor0 = color / 3.0;
        fragColor1 = texelFetch(u_image0, ivec2(0, 0), 0);
    }"""
    )
    found = shade(source)
    image = np.pad(IMAGE.numpy(), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    expected = sum(image[:, y : y + 7, x : x + 9] for x in range(3) for y in range(3)) / 9
    assert np.abs(found.IMAGE0.numpy() - expected).max() < 1e-5
    assert not torch.equal(found.IMAGE1, found.IMAGE0)


def test_values_curves_and_sizes(shade):
    body = """
    uniform float u_float0; uniform int u_int0; uniform bool u_bool0; uniform sampler2D u_curve0;
    uniform vec2 u_resolution;
    void main() {
        float c = texture(u_curve0, vec2(0.5, 0.5)).r;
        fragColor = vec4(u_bool0 ? u_float0 : 0.0, float(u_int0) / 4.0, c, 1.0);
        if (u_resolution != vec2(12.0, 5.0)) fragColor = vec4(0.0);
    }"""
    curve = {"points": [[0, 0], [1, 0.5]], "interpolation": "linear"}
    found = shade(
        body,
        size={"size_mode": "custom", "width": 12, "height": 5},
        floats={"u_float0": 0.25},
        ints={"u_int0": 3},
        bools={"u_bool0": True},
        curves={"u_curve0": curve},
    ).IMAGE0
    assert found.shape == (2, 5, 12, 3)
    assert found[0, 2, 3].tolist() == pytest.approx([0.25, 0.75, 0.25], abs=1e-3)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("void main() { fragColor = vec4(1.0) }", r"line 6 of the shader: expected ';', found '}'"),
        ("void main() { fragColor = nothing; }", "nothing is not declared"),
        ("void main() { fragColor = vec4(foo(1.0)); }", "there is no function foo"),
        ("void main() { vec2 v; v.z = 1.0; }", r"\.z is no part of a vector of 2"),
        ("void main() { fragColor = vec3(1.0) * vec2(1.0); }", "the values do not fit"),
        ("struct A { float b; };", "expected a type, found 'struct'"),
        ("float f() { return 1.0; }", "no function main"),
        ("#if 1\nvoid main() {}", "'#if 1' is not read here"),
        ("void main() { @ }", "'@' is no GLSL"),
        ("void main() { " + "{" * 80 + "}" * 80 + "}", "levels of nesting"),
        ("void main() { fragColor = vec4(" + "(" * 3000 + "1" + ")" * 3000 + "); }", "nesting"),
        ("float f(float x) { return f(x); } void main() { fragColor = vec4(f(1.0)); }", "deeply"),
        ("void main() { while (true) { } }", "more than 2,000,000 operations"),
        ("void main() { float a[100000]; }", "an array of 100000"),
    ],
)
def test_what_is_wrong_is_said(shade, monkeypatch, body, match):
    monkeypatch.setattr("nodes.shader_run.MOST_OPERATIONS", 3000)
    match = match.replace("2,000,000", "3,000")
    source = body if body.startswith("#if") else HEAD + OUT + body
    with pytest.raises(NodeError, match=match):
        shade(source if source.startswith("#v") else HEAD + OUT + body, IMAGE[:1])


def test_an_interrupt_ends_a_loop(shade, files):
    ctx = RunningContext("1", files, stopped=lambda: True)
    with pytest.raises(Stopped):
        shade("void main() { for (int i = 0; i < 9; i++) fragColor = vec4(1.0); }", ctx=ctx)


def test_a_curve_is_monotone_and_goes_through_its_points():
    points = [[0, 0], [0.2, 0.6], [0.6, 0.6], [1, 1]]
    found = np.array(table_of({"points": points, "interpolation": "monotone_cubic"}, 101))
    assert found[[0, 20, 60, 100]] == pytest.approx([0, 0.6, 0.6, 1])
    assert (np.diff(found) >= -1e-12).all()
    straight = np.array(table_of({"points": points, "interpolation": "linear"}, 101))
    xs, ys = zip(*points, strict=True)
    assert straight == pytest.approx(np.interp(np.linspace(0, 1, 101), xs, ys))
    assert table_of([[0.5, 2.0]], 3) == [1.0, 1.0, 1.0]
    for wrong in ({"points": 3}, "curve", {"points": []}):
        with pytest.raises(NodeError):
            table_of(wrong)
