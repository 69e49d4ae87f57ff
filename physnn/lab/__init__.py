"""What the experiments share: data, training, notebook parameters, provenance, figures, statistics, studies."""

from physnn.lab.glue import glue, glued
from physnn.lab.parameters import parameters
from physnn.lab.provenance import elapsed, provenance

__all__ = ["elapsed", "glue", "glued", "parameters", "provenance"]
