"""One module per figure; each function takes tables and returns a `Figure`."""
