"""From a request to what the model shall see. Knows nothing of models beyond their prompt format."""
