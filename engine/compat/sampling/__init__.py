"""Sampling as plugins see it: guiders, samplers, schedules and conditionings in the making."""
