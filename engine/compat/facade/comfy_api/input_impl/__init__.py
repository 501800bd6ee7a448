"""Videos from files and from frames."""

from comfy_api.latest._input_impl import VideoFromComponents, VideoFromFile
