"""A module with the name of the host's."""


def shown(text):
    return f"b: {text}"
