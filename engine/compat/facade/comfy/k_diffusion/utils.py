"""Small functions beside the samplers."""

from engine.compat.sampling.folder_of_images import FolderOfImages
from engine.compat.sampling.k_samplers import append_dims
