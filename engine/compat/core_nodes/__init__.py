"""Built-in nodes as the classes that plugins import, call and derive from."""
