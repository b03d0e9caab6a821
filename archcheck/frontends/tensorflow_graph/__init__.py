"""Graphs of TensorFlow as files hold them: SavedModels and frozen graphs, read as data and never loaded."""
