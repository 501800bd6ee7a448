"""Surfaces of triangles: as values on wires, in files, from voxels, and as pictures of them.

Imports no graph, no queue and no HTTP. Arrays are numpy's; the values on wires hold tensors.
"""
