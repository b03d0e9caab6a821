"""What runs in the sandbox for JAX. It imports the traced environment's jax, and nothing of archcheck's host side."""
