"""Classes of values, for annotations."""

from engine.audiovisual.video import VideoInput
from engine.compat.v3.namespaces import AudioInput, ImageInput, LatentInput, MaskInput
