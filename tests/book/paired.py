"""A source with its pair, and what may happen to that."""

import json
from pathlib import Path

import nbformat

new = nbformat.v4

SOURCE = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A title

A sentence with {glue:text}`number`.

:::{admonition} In short
:class: brief

Question
: Is it?

Answer
: No.
:::

The last word, of {cite:p}`post2024`.

```{code-cell} python
:tags: [parameters]

lr: float = 0.1  # a rate
```

A second text.

+++

A third.

```{code-cell} python
---
mystnb:
  figure:
    caption: |
      A caption that is set on a line of its own, and that is longer than what a YAML library would leave on one line
    name: fig-one
---
1 + 1
```
"""

CHANGES = {
    "output": lambda notebook: notebook["cells"][1].update(outputs=[new.new_output("stream", text="0.1")]),
    "count": lambda notebook: notebook["cells"][1].update(execution_count=3),
    "metadata": lambda notebook: notebook["metadata"].update(widgets={}),
    "source": lambda notebook: notebook["cells"][1].update(source="lr = 1"),
    "format": lambda notebook: None,
}


def edit(path: Path, change) -> None:
    """Change a notebook in place."""
    notebook = json.loads(path.read_text())
    change(notebook)
    path.write_text(json.dumps(notebook))
