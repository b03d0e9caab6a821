"""Models of TensorFlow Lite: files read as data, whose operators are TensorFlow's; nothing is loaded or run."""
