"""What a graph is, in a paper's words: its layers, their sublayers and signatures, and the facts that follow."""
