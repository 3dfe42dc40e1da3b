"""From a Prompt to a stream of tokens."""
