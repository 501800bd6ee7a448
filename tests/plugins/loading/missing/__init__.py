"""A pack that needs what is not installed, and says so in words of its own."""

try:
    import not_a_real_module_anywhere  # noqa: F401 - never found
except ImportError as error:
    raise RuntimeError("please install me") from error
