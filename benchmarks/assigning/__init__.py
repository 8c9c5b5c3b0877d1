"""A day of a shop whose work is handed out by Heddle, minute by minute, with workers that die: `./run bench assigning`."""
