"""Saved programs of PyTorch → graph, read as files: nothing is loaded, unpickled or run, and torch is not needed."""
