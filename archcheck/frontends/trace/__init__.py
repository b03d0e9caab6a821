"""Code → graph by running it: the tracer, and the sandbox that it runs in."""
