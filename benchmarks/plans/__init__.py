"""`./run bench plans`: what the database does for each question of a shop that has been open for years."""
