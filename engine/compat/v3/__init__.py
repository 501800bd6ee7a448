"""The V3 interface: `comfy_api`, implemented."""
