"""Reads a file of a model in three dimensions as one surface, by its format."""

from __future__ import annotations

from pathlib import Path

from engine.errors import MediaError
from engine.meshes.glb import MAGIC
from engine.meshes.gltf import Decode, read_gltf
from engine.meshes.gltf_buffers import Resolve
from engine.meshes.plain_files import read_obj, read_stl
from engine.meshes.surface import Surface
from engine.meshes.values import File3D

READABLE = ("glb", "gltf", "obj", "stl")
_MOST_BYTES = 4 << 30


def read_surface(file: File3D, decode: Decode) -> Surface:
    """The surface in a file.

    Args:
        file: on disk or in memory; a glTF file on disk may refer to files in its own folder.
        decode: reads its textures.

    Raises:
        MediaError: it is damaged, too large, of a format that is not read, or has no triangles.
    """
    name = file.path.name if file.path is not None else f"the {file.format.upper()} file"
    try:
        if file.path is not None and file.path.stat().st_size > _MOST_BYTES:
            raise MediaError(f"{name} has more than 4 GB; simplify the model first")
        content = file.get_bytes()
    except OSError as error:
        raise MediaError(f"{name} cannot be read: {error.strerror}") from error
    folder = None if file.path is None else file.path.parent
    try:
        kind = _format(file.format, content)
        if kind == "stl":
            return read_stl(content)
        if kind == "obj":
            return read_obj(content)
        return read_gltf(content, decode, None if folder is None else _resolver(folder))
    except MediaError as error:
        raise MediaError(f"{name}: {error}") from error


def _format(stated: str, content: bytes) -> str:
    """What a file is: by its first bytes, else by its name."""
    if content[:4] == MAGIC:
        return "glb"
    if stated in READABLE:
        return stated
    if content.lstrip()[:1] == b"{":
        return "gltf"
    raise MediaError(
        f"files of the format {stated.upper()} are not read as meshes; GLB, glTF, OBJ and STL are. "
        "Convert it, for example with Blender"
    )


def _resolver(folder: Path) -> Resolve:
    def resolve(name: str) -> bytes:
        # Only below its own folder: a file of somebody else must not read this machine's files.
        parts = name.replace("\\", "/").split("/")
        if ":" in name or not name or name.startswith("/") or ".." in parts:
            raise MediaError(
                f"the glTF file refers to {name!r}, which is not a file in its own folder; use a "
                "GLB file, which holds all of itself"
            )
        path = folder.joinpath(*parts)
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise MediaError(
                f"the glTF file refers to {name!r}, which is not there; put it beside the file, or "
                "use a GLB file, which holds all of itself"
            )
        if path.stat().st_size > _MOST_BYTES:
            raise MediaError(f"{path.name} has more than 4 GB")
        return path.read_bytes()

    return resolve
