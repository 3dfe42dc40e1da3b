"""Events in; a file on this machine, acceptance and persistence out. Opens no connection, knows no editor or model."""
