"""The host's package of models and sampling; its modules are imported one by one."""
