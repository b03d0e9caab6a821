"""archcheck: does a neural network's code compute what its paper claims?"""

__version__ = "0.1.0"
