// Who has a ticket from now on.

import { change, refusals, say } from "/m/talk.js";

const ASSIGN = `mutation Assign($input: TicketAssignInput!) {
  ticketAssign(input: $input) { tickets { assignee { name } } conflict { name } userErrors { message } }
}`;

/** `to` null: to oneself. */
export async function assign(ticket, to) {
  const expectedAssigneeId = ticket.assignee?.id ?? null;
  const input = { ticketIds: [ticket.id], expectedAssigneeId, ...(to ? { agentId: to.id } : { takeOver: true }) };
  const name = `assign:${ticket.id}:${to?.id ?? "me"}:${expectedAssigneeId ?? "nobody"}`;
  const { conflict, userErrors } = await change(name, ASSIGN, input);
  if (conflict) throw new Error(say("has_it", { name: conflict.name }));
  if (userErrors.length) throw new Error(refusals({ userErrors }));
  return to ? say("assigned", { name: to.name }) : say("taken");
}
