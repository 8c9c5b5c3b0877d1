"""What a ticket shows of the work on it: its fields, the reader's draft, who is there, what it is linked to."""

from api.context import Reading
from api.desk.ticket_fields import TicketField, TicketFieldValue
from api.desk.tickets import Ticket
from api.fields import fields_of, values_of
from api.selection import Selection
from api.working.drafts import drafts_of
from api.working.links import links_of
from api.working.viewing import viewers_of


async def fill_working(reading: Reading, tickets: list[Ticket], selection: Selection) -> None:
    ids = [ticket.row_id for ticket in tickets]
    if "fields" in selection:
        fields = await fields_of(reading, TicketField)
        for ticket in tickets:
            ticket.fields = values_of(ticket.kept_fields, fields, TicketFieldValue)
    if "draft" in selection:
        drafts = await drafts_of(reading, ids, selection["draft"])
        for ticket in tickets:
            ticket.draft = drafts.get(ticket.row_id)
    if "viewers" in selection:
        viewers = await viewers_of(reading, ids)
        for ticket in tickets:
            ticket.viewers = viewers.get(ticket.row_id, [])
    if "links" in selection:
        links = await links_of(reading, ids, selection["links"])
        for ticket in tickets:
            ticket.links = links.get(ticket.row_id, [])
