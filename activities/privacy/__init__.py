"""Keeping from others what is a person's own (section 8): keys, encryption, and Temporal's codec."""
