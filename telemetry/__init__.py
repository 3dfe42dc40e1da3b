"""Events in; a file on this machine, acceptance and persistence out. Connects nowhere (but `otlp`), knows no editor."""
