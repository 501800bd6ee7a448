"""Parts of videos."""

from comfy_api.latest._util import VideoCodec, VideoComponents, VideoContainer
