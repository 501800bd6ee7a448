"""Surfaces in files: what is written is read again, and damaged files are refused."""

import base64
import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import MediaError
from engine.meshes.glb import glb_bytes, with_texts
from engine.meshes.gltf import read_gltf
from engine.meshes.plain_files import read_obj, read_stl
from engine.meshes.reading import read_surface
from engine.meshes.shading import smoothed, with_tangents
from engine.meshes.surface import Material
from engine.meshes.values import File3D
from tests.wet.meshes.shapes import cube, decode, encode, textured_cube, volume


def parts(content):
    """The JSON and the binary part of a GLB file."""
    length = int.from_bytes(content[12:16], "little")
    return json.loads(content[20 : 20 + length]), content[28 + length :]


def glb(document, binary=b""):
    head = json.dumps(document).encode()
    head += b" " * (-len(head) % 4)
    size = 12 + 8 + len(head) + 8 + len(binary)
    return b"".join(
        [
            *(b"glTF", struct.pack("<II", 2, size), struct.pack("<I", len(head)), b"JSON", head),
            *(struct.pack("<I", len(binary)), b"BIN\0", binary),
        ]
    )


def changed(change):
    """A cube's file whose JSON is changed."""
    document, binary = parts(glb_bytes(cube(), encode))
    change(document)
    return glb(document, binary)


def test_everything_that_is_written_is_read_again():
    given = with_tangents(smoothed(textured_cube(), 30))
    given = replace(given, material=Material((1.0, 0.5, 0.25, 1.0), 0.5, 0.75))
    found = read_gltf(glb_bytes(given, encode), decode)
    for name in ("vertices", "faces", "uvs", "colors", "normals", "tangents"):
        assert np.array_equal(getattr(found, name), getattr(given, name)), name
    assert np.array_equal(found.textures["texture"], given.textures["texture"])
    assert found.material == given.material


def test_the_parts_of_a_glb_are_as_the_format_says():
    content = glb_bytes(cube(), encode, {"prompt": "{}"})
    assert content[:4] == b"glTF"
    assert int.from_bytes(content[8:12], "little") == len(content)
    document, _ = parts(content)
    assert document["asset"]["extras"] == {"prompt": "{}"}
    place = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert (place["min"], place["max"]) == ([-1, -1, -1], [1, 1, 1])
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])


def test_texts_are_added_to_a_file_that_exists():
    content = with_texts(glb_bytes(cube(), encode, {"prompt": "a"}), {"workflow": "b"})
    assert parts(content)[0]["asset"]["extras"] == {"prompt": "a", "workflow": "b"}
    assert volume(read_gltf(content, decode)) == pytest.approx(8)
    assert with_texts(b"something else", {"a": "b"}) == b"something else"


def test_nodes_move_turn_scale_and_mirror():
    def place(document):
        document["nodes"] = [
            {"children": [1, 2], "translation": [10, 0, 0]},
            {"mesh": 0, "rotation": [0, 0, 0.7071068, 0.7071068], "scale": [1, 2, 3]},
            {"mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 5, 0, 1]},
        ]

    found = read_gltf(changed(place), decode)
    assert volume(found) == pytest.approx(8 * 6 + 8)  # the mirrored one is not inside out
    assert found.vertices.min(0) == pytest.approx([8, -1, -3], abs=1e-5)
    assert found.vertices.max(0) == pytest.approx([12, 6, 3], abs=1e-5)


def test_whole_numbers_strips_and_strides():
    # A quadrilateral as a strip, places as bytes between other bytes, colours as bytes.
    places = bytes([0, 0, 0, 9, 2, 0, 0, 9, 0, 2, 0, 9, 2, 2, 0, 9])
    colors = bytes([255, 0, 0, 255] * 4)
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"mode": 5, "attributes": {"POSITION": 0, "COLOR_0": 1}}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5121, "count": 4, "type": "VEC3"},
            {
                "bufferView": 1,
                "componentType": 5121,
                "count": 4,
                "type": "VEC4",
                "normalized": True,
            },
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 16, "byteStride": 4},
            {"buffer": 0, "byteOffset": 16, "byteLength": 16},
        ],
        "buffers": [{"byteLength": 32}],
    }
    found = read_gltf(glb(document, places + colors), decode)
    assert found.faces.tolist() == [[0, 1, 2], [2, 1, 3]]
    assert found.vertices[3].tolist() == [2, 2, 0]
    assert found.colors[0].tolist() == [1, 0, 0]


def test_buffers_in_base64_and_beside_the_file(tmp_path):
    document, binary = parts(glb_bytes(cube(), encode))
    inside = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    document["buffers"][0]["uri"] = inside
    assert volume(read_gltf(json.dumps(document).encode(), decode)) == pytest.approx(8)
    (tmp_path / "a b.bin").write_bytes(binary)
    document["buffers"][0]["uri"] = "a%20b.bin"
    (tmp_path / "cube.gltf").write_text(json.dumps(document), encoding="utf-8")
    found = read_surface(File3D(tmp_path / "cube.gltf"), decode)
    assert volume(found) == pytest.approx(8)


@pytest.mark.parametrize(
    "uri",
    ["../secret.bin", "/etc/passwd", "file:///etc/passwd", "http://example.com/a.bin",
     "a/../../secret.bin", "..\\secret.bin", "link.bin", "absent.bin", "%2e%2e/secret.bin"],
)  # fmt: skip
def test_a_file_cannot_read_others_of_this_machine(uri, tmp_path):
    (tmp_path / "secret.bin").write_bytes(b"x" * 10_000)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    document, _ = parts(glb_bytes(cube(), encode))
    document["buffers"][0]["uri"] = uri
    (folder / "cube.gltf").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(MediaError, match=r"cube\.gltf: the glTF file refers to"):
        read_surface(File3D(folder / "cube.gltf"), decode)


def hostile(document):
    """Changes to a cube's JSON, by what they do."""
    accessors, views = document["accessors"], document["bufferViews"]
    primitive = document["meshes"][0]["primitives"][0]
    return {
        "a count of many terabytes": lambda: accessors[0].update(count=10**14),
        "a count below zero": lambda: accessors[0].update(count=-1),
        "a count that is no number": lambda: accessors[0].update(count="12"),
        "a count that is a truth": lambda: accessors[0].update(count=True, type="VEC3"),
        "a view beyond its buffer": lambda: views[0].update(byteLength=10**12),
        "a view that begins before it": lambda: views[0].update(byteOffset=-8),
        "an accessor that is not there": lambda: primitive.update(indices=99),
        "a mesh that is not there": lambda: (
            document["nodes"].append({"mesh": 7}) or document["scenes"][0].update(nodes=[1])
        ),
        "a node within itself": lambda: document["nodes"][0].update(children=[0]),
        "an index below zero": lambda: document["scenes"][0].update(nodes=[-1]),
        "an unknown kind of numbers": lambda: accessors[0].update(componentType=1),
        "places of two numbers": lambda: accessors[0].update(type="VEC2"),
        "attributes that are a list": lambda: primitive.update(attributes=[]),
        "a draco primitive": lambda: primitive.update(
            extensions={"KHR_draco_mesh_compression": {}}
        ),
        "a sparse accessor": lambda: accessors[0].update(sparse={"count": 10**12}),
        "no triangles": lambda: primitive.update(mode=0),
        "indices as places": lambda: primitive.update(indices=0),
        "buffers that are none": lambda: document.update(buffers=[7]),
    }


@pytest.mark.parametrize("name", list(hostile(parts(glb_bytes(cube(), encode))[0])))
def test_a_hostile_file_is_refused_with_a_sentence(name):
    document, binary = parts(glb_bytes(cube(), encode))
    hostile(document)[name]()
    if name == "a count that is a truth":
        document["accessors"][0]["count"] = True
    with pytest.raises(MediaError, match="glTF file"):
        read_gltf(glb(document, binary), decode)


def test_a_triangle_beyond_the_vertices_is_refused():
    given = cube()
    faces = given.faces.copy()
    faces[0, 0] = 1000
    content = glb_bytes(replace(given, faces=faces), encode)
    with pytest.raises(MediaError, match="refers to vertex 1000 of 24"):
        read_gltf(content, decode)


def test_places_that_are_no_numbers_are_refused():
    vertices = cube().vertices.copy()
    vertices[0, 0] = np.nan
    with pytest.raises(MediaError, match="not finite"):
        read_gltf(glb_bytes(replace(cube(), vertices=vertices), encode), decode)


@pytest.mark.parametrize("kind", ["glb", "stl", "obj"])
def test_a_file_that_is_cut_anywhere_is_read_or_refused(kind):
    whole = {
        "glb": glb_bytes(textured_cube(), encode),
        "stl": stl(cube()),
        "obj": obj(cube()).encode(),
    }[kind]
    refused = 0
    for end in range(0, len(whole), max(1, len(whole) // 150)):
        try:
            read_surface(File3D(whole[:end], kind), decode)
        except MediaError as error:
            refused += 1
            assert len(str(error)) > 20  # noqa: PT017 - a sentence
    assert refused > 5


def test_many_uses_of_one_mesh_have_a_bound(monkeypatch):
    monkeypatch.setattr("engine.meshes.gltf._MOST_ELEMENTS", 1000)
    content = changed(
        lambda document: document.update(
            nodes=[{"mesh": 0}] * 100, scenes=[{"nodes": list(range(100))}]
        )
    )
    with pytest.raises(MediaError, match="more than 1,000 vertices"):
        read_gltf(content, decode)


def stl(surface):
    rows = b"".join(
        struct.pack("<12fH", 0, 0, 0, *surface.vertices[face].ravel(), 0) for face in surface.faces
    )
    return bytes(80) + struct.pack("<I", len(surface.faces)) + rows


def obj(surface):
    lines = ["# a cube", "mtllib ../other.mtl"]
    lines += [f"v {x} {y} {z}" for x, y, z in surface.vertices]
    lines += [f"vt {u} {1 - v}" for u, v in surface.uvs]
    lines += [f"f {a + 1}/{a + 1} {b - 24}/{b - 24} {c + 1}/{c + 1}" for a, b, c in surface.faces]
    return "\n".join(lines)


def test_stl_in_both_forms():
    found = read_stl(stl(cube()))
    assert (len(found.vertices), len(found.faces)) == (8, 12)  # corners are joined
    assert volume(found) == pytest.approx(8)
    text = "solid a\n"
    for face in cube().faces:
        text += "facet normal 0 0 0\nouter loop\n"
        text += "".join(f"vertex {x} {y} {z}\n" for x, y, z in cube().vertices[face])
        text += "endloop\nendfacet\n"
    assert volume(read_stl(text.encode())) == pytest.approx(8)


def test_obj_with_coordinates_and_relative_indices():
    found = read_obj(obj(cube()).encode())
    assert volume(found) == pytest.approx(8)
    order = [
        int(np.flatnonzero((found.vertices == v).all(1) & np.isclose(found.uvs, u).all(1))[0])
        for v, u in zip(cube().vertices, cube().uvs, strict=True)
    ]
    assert len(set(order)) >= 20


def test_obj_with_colours_and_polygons():
    text = "v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 1 1 0 0 0 1\nv 0 1 0 1 1 1\nf 1 2 3 4\n"
    found = read_obj(text.encode())
    assert found.faces.shape == (2, 3)
    assert found.colors[0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "text", ["f 1 2 3", "v 0 0 0\nf 1 2 3", "v 0 0\nv 1 1\nv 2 2\nf 1 2 3", "v a b c\nf 1 1 1",
             "v 0 0 nan\nf 1 1 1", "f /1 /2 /3", ""]
)  # fmt: skip
def test_damaged_obj(text):
    with pytest.raises(MediaError, match="OBJ file"):
        read_obj(text.encode())


def test_a_format_that_is_not_read_says_which_are():
    with pytest.raises(MediaError, match=r"FBX are not read.*GLB, glTF, OBJ and STL are"):
        read_surface(File3D(b"Kaydara FBX Binary", "fbx"), decode)
