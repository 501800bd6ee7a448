"""Samplers: functions that walk a noisy image down a schedule; see table.py for their names."""
