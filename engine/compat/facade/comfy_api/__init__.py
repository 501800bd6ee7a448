"""The V3 interface for plugins; `latest` is the version that they import."""
