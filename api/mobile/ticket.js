// One ticket: who waits, what was said, and what can be done about it: take it over or give it to somebody, answer, note, settle.

import { ask, change, knows, make, refusals, say, tell } from "/m/talk.js";
import { customer, deadline, lateness, moment, now, subject, title } from "/m/telling.js";
import { assign } from "/m/assigning.js";
import { noteOpened } from "/m/opened.js";
import { showing } from "/m/shown.js";
import { undoable } from "/m/undoing.js";
import { viewing } from "/m/viewing.js";

const ID = location.pathname.split("/").pop();
const BEFORE = new URLSearchParams(location.search).get("before"); // an earlier page: to read, not to answer on
const A_DAY = 24 * 60 * 60_000; // milliseconds for which Heddle knows an answer by its clientMutationId
const DONE = ["SOLVED", "CLOSED"];

const READ = `query MobileTicket($id: ID!, $before: String) {
  serverTime changeCursor
  viewer { agent { id name locale } }
  agents { id name }
  ticket(id: $id) {
    id number subject status seq lastChannel assignee { id name } waitsBecause
    viewers { agent { id name } intent }
    contact { id name identities { label } }
    clock { metric state dueAt }
    alert { id kind state clock { metric } }
    draft { body identityId }
    replyChannels { id channel label canReply replyWindow { humanAgentUntil reason } }
    timeline(first: 30, before: $before) {
      edges {
        node {
          __typename
          ... on Message {
            id at author channel direction side folded quotedHidden unsentAt delivery deliveryError
            attachments { name url scan lost }
          }
          ... on Call { id at direction state number agent { name } notes recordings { name url scan lost } }
          ... on Note { id at author text }
          ... on SystemEvent { id at text }
        }
      }
      pageInfo { endCursor hasNextPage }
    }
  }
}`;
const WHOLE = "query Whole($id: ID!) { node(id: $id) { ... on Message { text } } }";
const SEND = "mutation Send($input: MessageSendInput!) { messageSend(input: $input) { userErrors { code message } } }";
const NOTE = "mutation Note($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { message } } }";
const UPDATE = "mutation Update($input: TicketUpdateInput!) { ticketUpdate(input: $input) { changeId undoUntil userErrors { message } } }";

const part = (id) => document.getElementById(id);
const whole = new Map(); // what was unfolded, by its message
let me = null;
let isNoting = false;

function draw({ viewer, agents, ticket }) {
  me = viewer.agent;
  if (!ticket) return [make("p", {}, say("no_such_ticket"))];
  document.title = `${say("ticket", ticket)} · Heddle`;
  const { edges, pageInfo } = ticket.timeline;
  const entries = edges.map(({ node }) => node).reverse();
  goToNewest(entries.at(-1));
  viewing(ticket.id);
  return [
    heading(ticket),
    facts(ticket),
    make(
      "section",
      { class: "page" },
      make("h2", {}, say("history")),
      pageInfo.hasNextPage && make("a", { id: "earlier", class: "button", href: `?before=${pageInfo.endCursor}` }, say("earlier")),
      make("ol", { class: "entries" }, ...entries.map(entry)),
    ),
    BEFORE ? make("a", { id: "newest", class: "button best", href: location.pathname }, say("newest")) : actions(ticket, agents),
  ];
}

/** Whoever reads what was said before is left there; at a desk the history scrolls by itself. */
function goToNewest(newest) {
  const history = () => document.querySelector("#place > .page");
  const last = () => document.querySelector(".entries > :last-child");
  const [shown, scrolled] = [last(), history()?.scrollTop];
  const stays = shown && (shown.id === newest.id || shown.getBoundingClientRect().top > innerHeight);
  queueMicrotask(() => (stays ? history().scrollTo(0, scrolled) : last()?.scrollIntoView({ block: "nearest" })));
}

function heading(ticket) {
  const { alert, clock, contact } = ticket;
  const isLate = clock?.state === "BREACHED";
  return make(
    "header",
    { class: `card level-${isLate ? 1 : 0} ${DONE.includes(ticket.status) ? "resolved" : ""}` },
    make("h1", {}, subject(ticket)),
    make("a", { id: "customer", class: "leads", href: `/m/tickets?q=${encodeURIComponent(`contact:"${contact.id}"`)}` }, customer(ticket)),
    clock && make("p", { class: "clock" }, [say(`promise_${clock.metric.toLowerCase()}`), lateness(ticket)].filter(Boolean).join(": ")),
    clock && make("p", {}, say("promised_for", { time: deadline(clock.dueAt) })),
    alert?.state === "FIRING" && make("a", { id: "alert", class: "leads", href: `/m/a/${alert.id}` }, title(alert)),
  );
}

function facts({ status, assignee, waitsBecause, viewers }) {
  const why = waitsBecause && say(`waits_${waitsBecause.toLowerCase()}`);
  const others = viewers.filter(({ agent }) => agent.id !== me.id);
  const rows = [
    ["status", say(`status_${status.toLowerCase()}`)],
    ["has_ticket", assignee?.name ?? [say("nobody"), why].filter(Boolean).join(": ")],
    ...(others.length ? [["open_at", others.map(seen).join(", ")]] : []),
  ];
  return make("dl", { class: "card" }, ...rows.flatMap(([term, words]) => [make("dt", {}, say(term)), make("dd", {}, words)]));
}

function seen({ agent: { name }, intent }) {
  return intent === "TYPING" ? say("types", { name }) : name;
}

// What was said

function entry(item) {
  const { by, words, kind, below = [] } = TOLD[item.__typename](item);
  return make(
    "li",
    { id: item.id, class: kind },
    make("p", { class: "quiet" }, ...by, " · ", make("time", { datetime: item.at }, moment(item.at))),
    words && make("p", { class: "words" }, words),
    ...below,
  );
}

const TOLD = {
  Message: (message) => ({
    kind: message.direction === "IN" ? "theirs" : "ours",
    by: [make("strong", {}, message.author), ` · ${say(`channel_${message.channel.toLowerCase()}`)}`, message.side && ` · ${say("aside")}`],
    words: message.unsentAt ? say("taken_back") : (whole.get(message.id) ?? message.folded),
    below: [message.quotedHidden && folding(message), ...message.attachments.map(file), delivery(message)],
  }),
  Call: ({ direction, number, state, agent, notes, recordings }) => ({
    kind: direction === "IN" ? "theirs" : "ours",
    by: [make("strong", {}, say(`call_${direction.toLowerCase()}`, { number }))],
    words: [[say(`line_${state.toLowerCase()}`), agent?.name].filter(Boolean).join(" · "), notes].filter(Boolean).join("\n"),
    below: recordings.map(file),
  }),
  Note: ({ author, text }) => ({ kind: "note", by: [make("strong", {}, author), ` · ${say("note")}`], words: text }),
  SystemEvent: ({ text }) => ({ kind: "event", by: [text] }),
};

/** What a mail quotes, and its signature, are shown and hidden by a tap. */
function folding({ id, folded }) {
  const label = () => say(whole.has(id) ? "less" : "more");
  const button = make("button", { id: `more-${id}`, type: "button", "aria-expanded": String(whole.has(id)), click: turn }, label());
  async function turn() {
    try {
      if (!whole.delete(id)) whole.set(id, (await ask(WHOLE, { id })).node.text);
    } catch {
      return tell(say("not_read"), { bad: true });
    }
    document.querySelector(`[id="${id}"] .words`).textContent = whole.get(id) ?? folded;
    button.textContent = label();
    button.ariaExpanded = String(whole.has(id));
  }
  return button;
}

function file({ name, url, scan, lost }) {
  if (url) return make("a", { class: "leads", href: url, target: "_blank", rel: "noopener" }, name);
  const why = lost ?? say(scan === "INFECTED" ? "file_infected" : "file_waits");
  return make("p", {}, name, " ", make("span", { class: "wrong" }, why));
}

/** What has left is not spoken of. */
function delivery({ delivery: state, deliveryError }) {
  const named = `delivery_${state?.toLowerCase()}`;
  if (!knows(named)) return null;
  return make("p", { class: state === "FAILED" ? "wrong" : "quiet" }, [say(named), deliveryError].filter(Boolean).join(": "));
}

// What one can do

function actions(ticket, agents) {
  const isMine = ticket.assignee?.id === me.id;
  const others = agents.filter(({ id }) => id !== me.id && id !== ticket.assignee?.id);
  return make(
    "section",
    { class: "card actions", "aria-label": say("actions") },
    !isMine && button("take", say("take"), () => assign(ticket, null)),
    ...answering(ticket),
    noting(ticket),
    ...(others.length ? handing(ticket, others) : []),
    ["NEW", "OPEN"].includes(ticket.status) && button("wait", say("wait"), () => settle(ticket, "PENDING")),
    !DONE.includes(ticket.status) && button("solve", say("solve"), () => settle(ticket, "SOLVED")),
  );
}

function handing(ticket, others) {
  const field = make("select", { id: "to" }, ...others.map(({ id, name }) => make("option", { value: id }, name)));
  const chosen = () => others.find(({ id }) => id === field.value);
  return [
    make("label", { for: "to" }, say("assign")),
    make("div", { class: "row" }, field, button("give", say("give"), () => assign(ticket, chosen()))),
  ];
}

function button(id, words, act, kind = "button") {
  return make("button", { id, type: "button", class: kind, click: () => doing(act) }, words);
}

function answering(ticket) {
  const ways = ticket.replyChannels.filter((way) => way.canReply || isForPeople(way));
  if (!ways.length) {
    const closed = ticket.replyChannels.find(({ replyWindow }) => replyWindow?.reason);
    return [make("p", { id: "closed" }, closed?.replyWindow.reason ?? say("no_way"))];
  }
  const begun = ticket.draft?.identityId ? ticket.draft : {}; // without one it was to be a note
  const { text = begun.body, to = begun.identityId } = written();
  const way = () => ways.find(({ id }) => id === part("way")?.value) ?? ways[0];
  const field = make("textarea", { id: "answer", rows: 4, input: () => write({ text: field.value, to: way().id, seq: ticket.seq }) }, text);
  return [
    ...(ways.length > 1 ? choice(ways, to) : [make("p", {}, `${say("answer_by")}: ${told(ways[0])}`)]),
    make("label", { for: "answer" }, say("answer")),
    field,
    button("send", say("send"), () => send(ticket, way(), field.value), "button best"),
  ];
}

/** Apart from the answer, so that nobody sends a customer what was meant for colleagues. */
function noting(ticket) {
  const begun = ticket.draft?.identityId ? "" : ticket.draft?.body;
  const { note = begun } = written();
  const field = make("textarea", { id: "note", rows: 3, "aria-label": say("note"), input: () => write({ note: field.value }) }, note);
  return make(
    "details",
    { id: "noting", class: "note", open: isNoting || Boolean(note), toggle: ({ target }) => (isNoting = target.open) },
    make("summary", { class: "leads" }, say("note_for_colleagues")),
    field,
    button("keep", say("keep_note"), () => keepNote(ticket, field.value)),
  );
}

function choice(ways, to) {
  const options = ways.map((way) => make("option", { value: way.id, selected: way.id === to }, told(way)));
  const field = make("select", { id: "way", change: () => write({ to: field.value }) }, ...options);
  return [make("label", { for: "way" }, say("answer_by")), field];
}

function told({ channel, label }) {
  return `${say(`channel_${channel.toLowerCase()}`)}, ${label}`;
}

/** Messenger closes after a day; what a person wrote may leave for a week. */
function isForPeople({ canReply, replyWindow }) {
  return !canReply && Date.parse(replyWindow?.humanAgentUntil) > now();
}

/** What is being written outlives a reload, the session, and the way to an identity provider; it is theirs who wrote it. */
function written() {
  return JSON.parse(sessionStorage.getItem(draft()) ?? "{}");
}

function write(news) {
  sessionStorage.setItem(draft(), JSON.stringify({ ...written(), ...news }));
}

function draft() {
  return `heddle:written:${me.id}:${ID}`;
}

/** Up to where it was read when it was written: what came since, Heddle wants to be read first. */
async function send(ticket, way, text) {
  const { seq: lastSeenSeq = ticket.seq } = written();
  write({ text, to: way.id });
  const input = { ticketId: ticket.id, identityId: way.id, text, lastSeenSeq, humanAgent: isForPeople(way) };
  const payload = await change(`answer:${ID}:${way.id}:${text}`, SEND, input, { keptFor: A_DAY });
  if (payload.userErrors.some(({ code }) => code === "SOMEBODY_ANSWERED")) write({ seq: undefined });
  if (payload.userErrors.length) throw new Error(refusals(payload));
  if (written().text === text) write({ text: undefined, to: undefined, seq: undefined });
  return say("sent");
}

async function keepNote(ticket, text) {
  const payload = await change(`note:${ID}:${text}`, NOTE, { ticketId: ticket.id, text }, { keptFor: A_DAY });
  if (payload.userErrors.length) throw new Error(refusals(payload));
  if (written().note === text) write({ note: undefined });
  isNoting = false;
  return say("noted");
}

async function settle(ticket, status) {
  const payload = await change(`${status}:${ID}:${ticket.seq}`, UPDATE, { ids: [ticket.id], status });
  if (payload.userErrors.length) throw new Error(refusals(payload));
  return undoable(say(status === "SOLVED" ? "solved" : "waits"), payload);
}

noteOpened();
const { refresh, doing } = showing(() => ask(READ, { id: ID, before: BEFORE }), draw, {
  topics: ["TICKETS", "TIMELINE"],
  concerns: ({ ticket, ticketId }) => (ticketId ?? ticket?.id ?? ID) === ID,
});
addEventListener("hashchange", () => {
  noteOpened();
  refresh();
});
