"""Training: one network in a short loop, and many replicas at once."""
