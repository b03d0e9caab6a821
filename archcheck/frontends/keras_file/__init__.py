"""Models that Keras saved, read as data: `.keras` archives, `.h5` files, and the JSON of `model.to_json()`."""
