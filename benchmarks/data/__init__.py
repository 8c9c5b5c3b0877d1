"""The fixed data set: one seed deals the same people, tickets and words each time, with times counted back from now."""
