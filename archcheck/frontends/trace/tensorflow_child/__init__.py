"""The traced side for TensorFlow and Keras. It runs in the sandbox, and answers in the same form as for PyTorch."""
