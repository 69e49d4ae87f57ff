"""Closed forms that experiments are held against."""
