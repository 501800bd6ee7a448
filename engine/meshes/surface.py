"""One surface of triangles, as arrays: what the functions of this package take and return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Faces = NDArray[np.int64]
Pixels = NDArray[np.uint8]
"""[H, W, 3 or 4], as stored in a picture file."""
BASE_COLOR, ORM, NORMAL_MAP, EMISSIVE = "texture", "metallic_roughness", "normal_map", "emissive"
TEXTURES = (BASE_COLOR, ORM, NORMAL_MAP, EMISSIVE)
"""The textures of a surface. `metallic_roughness` has occlusion in red, roughness in green and
metal in blue, as glTF packs them."""


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface reflects light, where no texture says it; the meanings are those of glTF 2.0.

    Attributes:
        color: red, green, blue and alpha, linear, 0 to 1; multiplied with the texture.
        metallic, roughness: 0 to 1; multiplied with the texture's channels.
        occlusion: whether red of `metallic_roughness` is ambient occlusion.
    """

    color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    metallic: float = 0.0
    roughness: float = 1.0
    occlusion: bool = False


@dataclass(frozen=True, slots=True)
class Surface:
    """A surface of triangles; y is up, units are the file's.

    Attributes:
        vertices: [N, 3].
        faces: [M, 3], indices of vertices, anticlockwise as seen from outside.
        uvs: [N, 2], (0, 0) the upper left corner of the texture, as in glTF.
        colors: [N, 3 or 4], linear, 0 to 1.
        normals: [N, 3], of length 1.
        tangents: [N, 4]: a direction of length 1, and 1 or -1 for the side of the third axis.
        textures: pictures by their name in `TEXTURES`.
        material: what applies besides them.
    """

    vertices: Floats
    faces: Faces
    uvs: Floats | None = None
    colors: Floats | None = None
    normals: Floats | None = None
    tangents: Floats | None = None
    textures: Mapping[str, Pixels] = field(default_factory=dict[str, Pixels])
    material: Material = Material()

    @property
    def is_empty(self) -> bool:
        """Whether there is no triangle."""
        return not len(self.vertices) or not len(self.faces)

    def taking(self, kept: NDArray[np.int64], faces: Faces) -> Surface:
        """The surface with the vertices of these indices (one may come twice), and new faces."""
        return replace(
            self,
            vertices=self.vertices[kept],
            faces=faces,
            **{
                name: None if values is None else values[kept]
                for name, values in self.per_vertex().items()
            },
        )

    def per_vertex(self) -> dict[str, Any]:
        """The optional values of its vertices, by their names."""
        return {name: getattr(self, name) for name in ("uvs", "colors", "normals", "tangents")}
