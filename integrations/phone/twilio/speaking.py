"""What a line says to who calls, in the language of the line."""

from domain.languages import N_, day_said, translate
from integrations.orders import OrderStatus, Stage

VOICES: dict[str, tuple[str, str]] = {
    "en": ("en-GB", "Polly.Amy"),
    "pl": ("pl-PL", "Polly.Ewa"),
    "es": ("es-ES", "Polly.Lucia"),
    "ca": ("ca-ES", "Polly.Arlet-Neural"),
}
"""What Twilio calls the language, which is also how it listens, and a voice that speaks it."""

ANNOUNCED = N_("This call is recorded. If you do not want that, please hang up and write to us.")
ASKED = N_("May we record this call? Press 1 if so. Otherwise stay on the line, and it is not recorded.")
LEAVE_A_MESSAGE = N_(
    "Nobody can take your call now. Please leave a message after the tone. It is recorded, so that we can call you back."
)
NOBODY = N_("Nobody can take your call now. Please call again later, or write to us.")
THANKS = N_("Thank you. We call you back.")
WHICH_ORDER = N_(
    "To hear how far your order is, enter or say its number, and press the hash key. To talk to us, stay on the line."
)
NO_ORDER = N_("We have found no order with this number.")
BUSY = N_("The customer's line is busy.")
NOT_REACHED = N_("The customer was not reached.")

STAGES = {
    Stage.RECEIVED: (N_("We have received your order."), N_("We have received your order on {day}.")),
    Stage.PACKED: (N_("Your order is packed."), N_("Your order was packed on {day}.")),
    Stage.SHIPPED: (N_("Your order is on its way."), N_("Your order was sent on {day}.")),
    Stage.READY: (
        N_("Your order is ready to be collected."),
        N_("Your order has been ready to be collected since {day}."),
    ),
    Stage.DELIVERED: (N_("Your order was delivered."), N_("Your order was delivered on {day}.")),
    Stage.CANCELLED: (N_("Your order is cancelled."), N_("Your order was cancelled on {day}.")),
}


def how_far(status: OrderStatus, language: str) -> str:
    without, with_day = STAGES[status.stage]
    if status.on is None:
        return translate(language, without)
    return translate(language, with_day, day=day_said(status.on, language))
