"""Programs that are measured, each in a process of its own: Heddle, what it is compared with, and who loads it."""
