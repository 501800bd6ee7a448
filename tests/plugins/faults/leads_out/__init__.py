"""Names a folder of browser files that is not its own."""

WEB_DIRECTORY = "../.."
NODE_CLASS_MAPPINGS = {}
