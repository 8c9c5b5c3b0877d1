"""Which charset a few European letters are written in, judged by the languages that have such letters."""

import re

# Each with the letters it has beyond a to z. Those of one text are of one language.
_LETTERS = {
    language: frozenset(letters + letters.upper())
    for language, letters in {
        "pl": "ąćęłńóśźż",
        "cs": "áčďéěíňóřšťúůýž",
        "sk": "áäčďéíĺľňóôŕšťúýž",
        "hu": "áéíóöőúüű",
        "hr": "čćđšž",
        "ro": "âîăşţ",
        "es": "áéíóúñü",
        "ca": "àçèéíïòóúü",
        "fr": "àâæçèéêëîïôœùûüÿ",
        "de": "äöüß",
        "it": "àèéìíòóùú",
        "pt": "àáâãçéêíóôõú",
        "nl": "áéèëïóöü",
        "sv": "åäöéæø",
        "is": "áæðéíóöúýþ",
    }.items()
}
_SIGNS = frozenset("¿¡«»„“”‘’‚–—…€£§°·ªº©®™•‹›´¨¼½¾×±\xa0")
_CHARSETS = ("cp1252", "cp1250", "iso8859_2")


def likeliest(raw: bytes, before: str | None = None) -> str:
    """Between equals the one that was right `before`: `cp1252`, `cp1250` or `iso8859_2`; "" where none of them makes sense, or there is nothing to judge by."""
    judged = [
        (_sense(raw.decode(name, "replace")), name == before, -at, name) for at, name in enumerate(_CHARSETS)
    ]
    sense, _, _, best = max(judged)
    return best if sense > 0 else ""


def _sense(text: str) -> int:
    letters: dict[str, int] = {}
    wrong = 0
    for found in re.finditer(r"[^\x00-\x7f]", text):
        letter, at = found[0], found.start()
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if letter.isalpha():
            letters[letter] = letters.get(letter, 0) + 1
            wrong += 2 * (letter.isupper() and before.islower())
        elif (
            letter not in _SIGNS
            or letter < "\xa0"
            or (before.isalpha() and after.isalpha() and letter not in "·’")
        ):
            wrong += 2
    most = max(
        sum(count if letter in own else -count for letter, count in letters.items())
        for own in _LETTERS.values()
    )
    return most - wrong
