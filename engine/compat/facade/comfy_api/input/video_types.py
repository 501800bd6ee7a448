"""The class of videos, for annotations."""

from comfy_api.latest._input import VideoInput
