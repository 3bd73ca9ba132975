"""The values everything else is made of. Nothing here does I/O."""
