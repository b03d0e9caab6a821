"""(expected, actual) -> Alignment of pairs and edits."""
