"""A pack whose `prestartup_script.py` another one needs."""

NODE_CLASS_MAPPINGS = {}
