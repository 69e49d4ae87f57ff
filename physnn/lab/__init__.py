"""What the experiments share: data, training, notebook parameters, provenance, figures, recorded studies."""

from physnn.lab.glue import glue

__all__ = ["glue"]
