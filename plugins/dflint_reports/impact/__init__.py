"""What a change does to everything else, as text and as pictures."""
