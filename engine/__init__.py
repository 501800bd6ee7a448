"""Calotype's engine: a dry wing that plans, a wet wing that computes. See docs/tour.md."""
