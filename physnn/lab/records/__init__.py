"""Recorded studies: how they are run, kept, run again, compared and judged."""
