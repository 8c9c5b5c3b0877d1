"""Why a conversation is where it is, and why another ticket may be the same matter: stable codes, and words for a person."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from domain.customers.contacts import Proof
from domain.languages import N_, translate


class JoinCode(StrEnum):
    OPENED_TICKET = "opened_ticket"
    AGENT_OPENED = "agent_opened"
    # The same person, without doubt; and as far as one can tell the same matter.
    SAME_VERIFIED_ADDRESS = "same_verified_address"
    REPLY_ADDRESS = "reply_address"
    SIGNED_CHAT_IDENTITY = "signed_chat_identity"
    SAME_CHAT_SESSION = "same_chat_session"
    SAME_MESSENGER_PERSON = "same_messenger_person"
    MESSENGER_LINK = "messenger_link"
    LINKED_BY_AGENT = "linked_by_agent"
    MARKETPLACE_ORDER = "marketplace_order"
    CALLER_NUMBER = "caller_number"
    # What began here goes on elsewhere.
    VISITOR_LEFT = "visitor_left"
    # What was said before Heddle was here.
    IMPORTED = "imported"
    ASKED_AFTERWARDS = "asked_afterwards"
    # Somebody's word about a ticket.
    MOVED_BY_AGENT = "moved_by_agent"


JOINS = {
    JoinCode.OPENED_TICKET: N_("This conversation opened the ticket."),
    JoinCode.AGENT_OPENED: N_("An agent began this conversation from the ticket."),
    JoinCode.SAME_VERIFIED_ADDRESS: N_("The sender's verified address is this contact's."),
    JoinCode.REPLY_ADDRESS: N_("The mail came to the signed address that only our mail to this contact had."),
    JoinCode.SIGNED_CHAT_IDENTITY: N_("The shop's signature says that the chat visitor is this contact."),
    JoinCode.SAME_CHAT_SESSION: N_("The same browser session as this contact's earlier chat."),
    JoinCode.SAME_MESSENGER_PERSON: N_(
        "The same Messenger person as in this contact's earlier conversation."
    ),
    JoinCode.MESSENGER_LINK: N_("The conversation was opened by the signed link made for this contact."),
    JoinCode.LINKED_BY_AGENT: N_("An agent said that this is the same customer."),
    JoinCode.MARKETPLACE_ORDER: N_("The same marketplace wrote on behalf of the buyer of the same order."),
    JoinCode.CALLER_NUMBER: N_("Only this contact has the caller's number. It is not verified."),
    JoinCode.VISITOR_LEFT: N_(
        "The visitor had left the chat: what was not read there went out by mail to this address."
    ),
    JoinCode.IMPORTED: N_("It was brought along from an older mailbox."),
    JoinCode.ASKED_AFTERWARDS: N_(
        "The customer was asked afterwards how the help was, by mail to this proven address."
    ),
    JoinCode.MOVED_BY_AGENT: N_("An agent said that this belongs here."),
}

REASON_OF_PROOF = {
    Proof.MAIL_AUTHENTICATED: JoinCode.SAME_VERIFIED_ADDRESS,
    Proof.REPLY_ADDRESS: JoinCode.REPLY_ADDRESS,
    Proof.CHAT_SIGNATURE: JoinCode.SIGNED_CHAT_IDENTITY,
    Proof.CHAT_SESSION: JoinCode.SAME_CHAT_SESSION,
    Proof.MESSENGER_PAGE: JoinCode.SAME_MESSENGER_PERSON,
    Proof.MESSENGER_LINK: JoinCode.MESSENGER_LINK,
    Proof.MARKETPLACE: JoinCode.MARKETPLACE_ORDER,
    Proof.AGENT: JoinCode.LINKED_BY_AGENT,
}


class MatterCode(StrEnum):
    """What makes it the same matter."""

    SAME_NUMBER = "same_number"
    SAME_SUBJECT = "same_subject"
    SAME_TOPIC = "same_topic"
    SOON_AFTER = "soon_after"
    ONLY_TICKET = "only_ticket"


MATTERS = {
    MatterCode.SAME_NUMBER: N_("Both name the number {value}."),
    MatterCode.SAME_SUBJECT: N_("Both have the same subject."),
    MatterCode.SAME_TOPIC: N_("Both are about the same thing."),
    MatterCode.SOON_AFTER: N_("It came soon after, and says nothing that parts the two."),
    MatterCode.ONLY_TICKET: N_("It is this contact's only open ticket."),
}


class SuggestionCode(StrEnum):
    """Why it may be the same matter, although nothing proves it."""

    SAME_CUSTOMER = "same_customer"
    SAME_ADDRESS = "same_address"
    SAME_PHONE = "same_phone"
    SAME_NUMBER = "same_number"
    ANSWERS_ITS_MAIL = "answers_its_mail"
    NAMES_ITS_NUMBER = "names_its_number"
    FOLLOWS_UP = "follows_up"


SUGGESTIONS = {
    SuggestionCode.SAME_CUSTOMER: N_("The same customer wrote about this too."),
    SuggestionCode.SAME_ADDRESS: N_(
        "Somebody gave the address {value}. It is not proven that it was the same person."
    ),
    SuggestionCode.SAME_PHONE: N_("The number {value} is known here. A caller's number proves nothing."),
    SuggestionCode.SAME_NUMBER: N_("Both name the number {value}, from different senders."),
    SuggestionCode.ANSWERS_ITS_MAIL: N_("It answers or forwards a mail of this ticket, from somebody else."),
    SuggestionCode.NAMES_ITS_NUMBER: N_(
        "Its subject names the number {value}. It is not proven that the sender takes part there."
    ),
    SuggestionCode.FOLLOWS_UP: N_(
        "It answers a mail of a ticket that was settled before, and was taken for a new matter."
    ),
}


class DuplicateCode(StrEnum):
    """What two contacts have in common."""

    SAME_ADDRESS = "same_address"
    SAME_PHONE = "same_phone"
    SAME_ORDER = "same_order"
    SAME_NAME_AND_CITY = "same_name_and_city"


DUPLICATES = {
    DuplicateCode.SAME_ADDRESS: N_("Both have the address {value}."),
    DuplicateCode.SAME_PHONE: N_("Both have the number {value}."),
    DuplicateCode.SAME_ORDER: N_("Both wrote about {value}."),
    DuplicateCode.SAME_NAME_AND_CITY: N_("Both are called {value}, in the same city."),
}

SAID: dict[type[StrEnum], Mapping[Any, str]] = {
    JoinCode: JOINS,
    MatterCode: MATTERS,
    SuggestionCode: SUGGESTIONS,
    DuplicateCode: DUPLICATES,
}
"""Codes of two kinds may read the same."""


def sentence(
    code: JoinCode | MatterCode | SuggestionCode | DuplicateCode, locale: str, *, value: str = ""
) -> str:
    """`value`: the number, address or name that both have."""
    return translate(locale, SAID[type(code)][code], value=value)
