"""Videos from files and from frames."""

from engine.audiovisual.video import VideoFromComponents, VideoFromFile
