"""Intervals, tests and summaries, thin over scipy: every chapter computes them here."""
