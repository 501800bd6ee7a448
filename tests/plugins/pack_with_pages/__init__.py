"""A pack that brings files for browsers, and no node."""

WEB_DIRECTORY = "./web"
NODE_CLASS_MAPPINGS = {}
