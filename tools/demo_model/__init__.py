"""Draws, trains, exports and measures the demo checkpoint; the application never imports it."""
