"""Tables on disk to encoded, memory-mapped columns, and back to what serves them. A room for each step."""
