"""The host's application, of which plugins use the log."""
