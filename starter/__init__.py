"""For services and people: the typed client, the command line, and what starts the whole stack."""
