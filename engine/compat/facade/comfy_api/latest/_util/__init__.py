"""Parts of videos."""

from engine.audiovisual.video import VideoCodec, VideoComponents, VideoContainer
from engine.compat.v3.namespaces import MESH, VOXEL, File3D
