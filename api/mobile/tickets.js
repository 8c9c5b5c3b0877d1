// Tickets: the views with their numbers, what one looks for, and each ticket as a line that leads to its page.

import { Refused, ask, make, say } from "/m/talk.js";
import { customer, lateness, moment, subject } from "/m/telling.js";
import { showing } from "/m/shown.js";

const asked = new URLSearchParams(location.search);
const VIEW = asked.get("view");
const SOUGHT = asked.get("q");
const AFTER = asked.get("after");
const OPEN = "is:open";

const HEAD = `
  serverTime changeCursor
  viewer { agent { id name locale } }
  views { id name query count breached }`;
const READ = `query MobileTickets($filter: TicketFilter!, $orderBy: TicketOrder, $after: String) {
  ${HEAD}
  tickets(filter: $filter, orderBy: $orderBy, first: 25, after: $after) {
    edges {
      node {
        id number subject preview status lastChannel unreadCount updatedAt assignee { name }
        contact { name identities { label } }
        clock { metric state dueAt }
      }
    }
    pageInfo { endCursor hasNextPage }
  }
}`;

/** A view that is gone, or a query that is not understood, leaves the others to choose from. */
async function read() {
  const filter = VIEW ? { viewId: VIEW } : { query: SOUGHT ?? OPEN };
  const orderBy = VIEW ? null : SOUGHT ? "UPDATED" : "DUE";
  try {
    return await ask(READ, { filter, orderBy, after: AFTER });
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    return { ...(await ask(`query MobileViews { ${HEAD} }`)), wrong: problem.message };
  }
}

function draw({ views, tickets, wrong }) {
  const chosen = views.find(isChosen);
  const name = chosen?.name ?? SOUGHT ?? say("tickets");
  document.title = `${name} · Heddle`;
  showChosen();
  return [
    make("h1", {}, say("tickets")),
    make("nav", { "aria-label": say("views") }, make("ul", { class: "views" }, ...views.map((view) => make("li", {}, choice(view))))),
    seeking(),
    wrong ? make("p", { id: "wrong", class: "wrong" }, wrong) : list(tickets),
  ];
}

/** Once; then the views are left where somebody has moved them. */
function showChosen() {
  const views = () => document.querySelector(".views");
  const moved = views()?.scrollLeft;
  queueMicrotask(() => {
    if (moved === undefined) views().querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    else views().scrollTo(moved, 0);
  });
}

function isChosen({ id, query }) {
  return VIEW ? id === VIEW : query === (SOUGHT ?? OPEN);
}

function choice(view) {
  const { id, name, count, breached } = view;
  return make(
    "a",
    { id: `view-${id}`, class: "button", href: `?view=${encodeURIComponent(id)}`, "aria-current": isChosen(view) && "page" },
    name,
    count > 0 && make("small", {}, count > 1000 ? "1000+" : String(count)),
    breached > 0 && make("small", { class: "wrong", title: say("of_them_late", { count: breached }) }, `${breached}!`),
  );
}

function seeking() {
  const field = make("input", { id: "q", name: "q", type: "search", value: SOUGHT ?? "", placeholder: say("seek"), "aria-label": say("seek") });
  const go = (event) => {
    event.preventDefault();
    location.assign(field.value.trim() ? `?q=${encodeURIComponent(field.value.trim())}` : location.pathname);
  };
  return make("form", { role: "search", submit: go }, field);
}

function list({ edges, pageInfo }) {
  if (!edges.length) return make("p", { id: "none" }, say("no_tickets"));
  const next = new URLSearchParams({ ...Object.fromEntries(asked), after: pageInfo.endCursor });
  return make(
    "section",
    { class: "page", "aria-label": say("tickets") },
    make("ol", { class: "lines" }, ...edges.map(({ node }) => make("li", {}, line(node)))),
    pageInfo.hasNextPage && make("a", { id: "next", class: "button", href: `?${next}` }, say("more_tickets")),
  );
}

function line(ticket) {
  const { id, clock, status, assignee, preview, unreadCount, updatedAt } = ticket;
  const isLate = clock?.state === "BREACHED";
  const promise = clock && [say(`promise_${clock.metric.toLowerCase()}`), lateness(ticket)].filter(Boolean).join(": ");
  return make(
    "a",
    { id: `ticket-${id}`, class: `card level-${isLate ? 1 : 0} ${clock ? "" : "resolved"}`, href: `/m/t/${id}` },
    make("strong", { class: "subject" }, subject(ticket)),
    make("span", { class: "customer" }, customer(ticket), unreadCount > 0 && make("b", { class: "unread", title: say("unread", { count: unreadCount }) }, String(unreadCount))),
    preview && make("span", { class: "preview" }, preview),
    promise && make("span", { class: "clock" }, promise),
    make("span", { class: "quiet" }, [say(`status_${status.toLowerCase()}`), assignee?.name ?? say("nobody"), moment(updatedAt)].join(" · ")),
  );
}

showing(read, draw, { topics: ["TICKETS"] });
