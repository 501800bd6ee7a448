"""Whether flags are read from the command line; they are, by the engine itself."""

from engine.compat.host.arguments import enable_args_parsing

args_parsing = False
