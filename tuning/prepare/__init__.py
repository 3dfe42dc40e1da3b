"""Examples to token sequences, in the format and with the context that serving gives the model."""
