"""Calotype's engine: packages that plan without torch, and ones that compute. See docs/tour.md."""
