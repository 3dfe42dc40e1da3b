"""Places to find useful code in, one ContextSource each."""
