"""What carries a case out on Temporal: its mailbox, its book, its effects, and the loop around them."""
