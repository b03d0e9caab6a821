"""Runs inside the sandbox; only the standard library and what the model needs is imported."""
