"""Odd requests, against a Heddle that runs: `./run fuzz`."""
