"""Samplers: functions that take a noisy image along a schedule; see table.py for their names."""
