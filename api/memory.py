"""What was loaded at the start lives as long as the process."""

import gc

OBJECTS = 10_000
"""That are made before the collector looks among the young ones: a page makes a few thousand, and hardly one of them in a circle."""


def loading() -> None:
    """What is imported stays: to look for garbage in it was a tenth of a start."""
    gc.set_threshold(600_000)


def settled() -> None:
    """The collector looks no more at what is there now: that was a fifth of the time of a page."""
    gc.freeze()
    gc.set_threshold(OBJECTS, 20, 20)
