"""TorchScript archives → graph: code is read as text and pickles as data; torch is not needed, and nothing runs."""
