"""The outside systems as protocols, and the stand-ins that keep their own books."""
