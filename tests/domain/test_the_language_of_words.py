"""What the words of customers tell by themselves."""

import pytest

from domain.joining.words import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "Dzień dobry, gdzie jest moja paczka? Zamówiłam ją tydzień temu i nie wiem, co się z nią stało.",
            "pl",
        ),
        ("Hola, ¿dónde está mi pedido? Lo compré hace una semana y todavía no ha llegado nada.", "es"),
        ("Bon dia, on és la meva comanda? La vaig fer fa una setmana i encara no m'ha arribat res.", "ca"),
        ("Hello, where is my parcel? I ordered it a week ago and it has not arrived yet.", "en"),
        ("1042", None),
        ("Pedido 1042", None),
        ("Привет, где моя посылка?", None),
        ("", None),
    ],
)
def test_a_text_tells_its_language_or_none(text: str, language: str | None) -> None:
    assert language_of(text) == language
