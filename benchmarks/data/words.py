"""What people write, dealt from a few words of four languages."""

import random

WORDS = [
    "parcel",
    "order",
    "kubek",
    "paczka",
    "pedido",
    "paquete",
    "comanda",
    "cistella",
    "dzień",
    "dobry",
    "nie",
    "przyszła",
    "where",
    "is",
    "my",
    "when",
    "will",
    "the",
    "blue",
    "size",
    "wrong",
    "kolor",
    "zły",
    "rozmiar",
    "gracias",
    "encara",
    "mañana",
    "zwrot",
    "refund",
    "money",
    "pieniądze",
    "devolver",
    "gràcies",
    "please",
    "proszę",
    "invoice",
    "faktura",
    "factura",
    "adres",
    "dirección",
    "adreça",
    "Łódź",
    "Kraków",
    "Valencia",
    "Girona",
    "shipped",
    "courier",
    "kurier",
    "damaged",
    "stłuczony",
    "roto",
    "trencat",
    "again",
    "znowu",
    "otra",
    "vegada",
    "thanks",
    "dziękuję",
    "photo",
    "zdjęcie",
    "foto",
    "number",
    "numer",
    "número",
    "waiting",
    "czekam",
    "espero",
]
TAGS = (
    "refund",
    "parcel",
    "invoice",
    "vip",
    "size",
    "damaged",
    "gift",
    "b2b",
    "late",
    "address",
    "photo",
    "promo",
)
NAMES = (
    "Zofia",
    "Ada",
    "Joan",
    "Núria",
    "Łukasz",
    "Lucía",
    "Marek",
    "Mercè",
    "Wojciech",
    "Inés",
    "Pau",
    "Halina",
)
SURNAMES = ("Kowalska", "Puig", "García", "Nowak", "Ferrer", "Wiśniewski", "Serra", "Muñoz", "Zając", "Vila")


def name(dice: random.Random) -> str:
    return f"{dice.choice(NAMES)} {dice.choice(SURNAMES)}"


def subjects(dice: random.Random, many: int) -> list[str]:
    return [_line(dice, dice.randint(2, 8)) for _ in range(many)]


def texts(dice: random.Random, many: int) -> list[str]:
    """Some words to some paragraphs."""
    return [
        "\n".join(_line(dice, dice.randint(4, 25)) for _ in range(dice.randint(1, 4))) for _ in range(many)
    ]


def tags(dice: random.Random) -> list[str]:
    return dice.sample(TAGS, dice.choice((0, 0, 1, 1, 2, 3)))


def _line(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(WORDS, k=words)).capitalize()
