"""The tasks: modules of the form that :mod:`physnn.lab.training.task` describes."""
