// Who has a ticket from now on.

import { change, refusals, say } from "/m/talk.js";
import { undoable } from "/m/undoing.js";

const ASSIGN = `mutation Assign($input: TicketAssignInput!) {
  ticketAssign(input: $input) { tickets { assignee { name } } conflict { name } changeId undoUntil userErrors { message } }
}`;

/** `to` null: to oneself. */
export async function assign(ticket, to) {
  const expectedAssigneeId = ticket.assignee?.id ?? null;
  const input = { ticketIds: [ticket.id], expectedAssigneeId, ...(to ? { agentId: to.id } : { takeOver: true }) };
  const name = `assign:${ticket.id}:${to?.id ?? "me"}:${expectedAssigneeId ?? "nobody"}`;
  const payload = await change(name, ASSIGN, input);
  const { conflict, userErrors } = payload;
  if (conflict) throw new Error(say("has_it", { name: conflict.name }));
  if (userErrors.length) throw new Error(refusals({ userErrors }));
  return undoable(to ? say("assigned", { name: to.name }) : say("taken"), payload);
}
