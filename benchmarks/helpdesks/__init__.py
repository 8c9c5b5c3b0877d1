"""Other helpdesks on the same machine and the same PostgreSQL: `./run bench peers`."""
