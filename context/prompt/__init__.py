"""Context to Prompt: markers, budget, layout."""
