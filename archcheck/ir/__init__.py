"""The op graph that claims and code share, and its vocabulary."""
