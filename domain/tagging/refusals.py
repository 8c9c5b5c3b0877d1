"""Why a tag stays what it is."""

from domain.errors import Conflict, Refused
from domain.languages import N_


class TagInUse(Refused):
    """`sentence` says what uses it, by its kind (`domain/tagging/rules.py`)."""

    code = "TAG_IN_USE"

    def __init__(self, sentence: str, names: list[str]) -> None:
        self.sentence = sentence
        super().__init__(field=["tag"], names=", ".join(names))


class TagFixed(Refused):
    code = "TAG_FIXED"
    sentence = N_(
        "Complaints are known by the tag {tag}: it is neither renamed nor removed, nor does another become it."
    )


class TagsChanging(Conflict):
    code = "TAGS_CHANGING"
    sentence = N_("The tag {tag} is being changed on its tickets: wait until that is done.")
