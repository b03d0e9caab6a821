"""`model.onnx` → graph, read as a file: its graph is parsed, its weights are skipped, and nothing of it runs."""
