"""How the laboratory runs something: notebooks and chunks in processes, what they are made from, files kept whole."""
