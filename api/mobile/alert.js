// One alert: what is waiting, why, who has it, and everything that can be done about it in one tap.

import { ask, change, make, refusals, say } from "/m/talk.js";
import { customer, deadline, lateness, moment, now, state, subject, title } from "/m/telling.js";
import { assign } from "/m/assigning.js";
import { noteOpened } from "/m/opened.js";
import { showing } from "/m/shown.js";

const ID = location.pathname.split("/").pop();
const READ = `query MobileAlert($id: ID!) {
  serverTime changeCursor
  viewer { agent { id name locale } }
  alert(id: $id) {
    id kind state level firedAt ackedBy { id name } ackExpiresAt snoozedUntil resolvedAt cause nextAction
    nextEscalation { level at targets }
    history { at kind level note actor { name } }
    suggestedAssignees(first: 5) { agent { id name } reason }
    ticket {
      id number subject lastChannel assignee { id name }
      contact { name identities { channel label } }
      replyChannels { channel label }
    }
    clock { metric state dueAt }
    channel { name }
  }
}`;
const OUTCOME = "applied alert { state level ackedBy { id name } ackExpiresAt snoozedUntil } userErrors { message }";
const ACK = `mutation Ack($input: AlertAckInput!) { alertAck(input: $input) { ${OUTCOME} } }`;
const SNOOZE = `mutation Snooze($input: AlertSnoozeInput!) { alertSnooze(input: $input) { ${OUTCOME} } }`;
const ESCALATE = `mutation Escalate($input: AlertEscalateInput!) { alertEscalate(input: $input) { ${OUTCOME} } }`;
const CLIMB = ["SLA_BREACHED", "COMPLAINT_STALLED"];
const HELPS = { TAKE_OVER: "take", REMIND: "take", CALL_BACK: "call", ASSIGN: "assign-0", HAND_OVER: "assign-0" };

let me = null;
let reason = say("reason_given");
let armed = new URLSearchParams(location.search).get("do"); // a link never acts: it marks the button
let marked = null; // the one button that stands out

function draw({ viewer, alert }) {
  me = viewer.agent;
  if (!alert) return [make("p", {}, say("no_such_alert"))];
  document.title = `${title(alert)} · Heddle`;
  return [
    heading(alert),
    alert.state === "RESOLVED" ? null : actions(alert),
    facts(alert),
    make("h2", {}, say("history")),
    make("ol", { class: "history" }, ...alert.history.map(happened)),
  ].filter(Boolean);
}

function heading(alert) {
  const { ticket, clock, channel } = alert;
  const name = ticket?.assignee?.name ?? say("somebody");
  const isMine = ticket?.assignee?.id === me.id;
  const cause = isMine && alert.cause === "ASSIGNEE_BUSY" ? "mine" : alert.cause.toLowerCase();
  const help = isMine && ["REMIND", "TAKE_OVER"].includes(alert.nextAction) ? "mine" : alert.nextAction.toLowerCase();
  return make(
    "header",
    { class: `card level-${Math.min(alert.level, 3)} ${alert.state.toLowerCase()}` },
    make("p", { class: "level" }, say("level", { level: alert.level })),
    make("h1", {}, title(alert)),
    make("p", { class: "clock" }, lateness(alert)),
    clock && make("p", {}, say("promised_for", { time: deadline(clock.dueAt) })),
    ticket && make("a", { id: "ticket", class: "leads subject", href: `/m/t/${ticket.id}` }, subject(ticket)),
    ticket && make("p", {}, customer(ticket)),
    channel && make("p", { class: "subject" }, channel.name),
    make("p", { class: "why" }, say(`cause_${cause}`, { name })),
    alert.state !== "RESOLVED" && make("p", {}, make("strong", {}, say("best_now")), `: ${say(`next_${help}`, { name })}`),
  );
}

function facts(alert) {
  const { ticket, nextEscalation } = alert;
  const rows = [
    ["state", state(alert)],
    ticket && ["has_ticket", ticket.assignee?.name ?? say("nobody")],
    nextEscalation && [
      "rings_next",
      say("rings_level", {
        time: moment(nextEscalation.at),
        level: nextEscalation.level,
        who: nextEscalation.targets.map((told) => say(`told_${told.toLowerCase()}`)).join(", "),
      }),
    ],
  ].filter(Boolean);
  return make("dl", { class: "card" }, ...rows.flatMap(([term, words]) => [make("dt", {}, say(term)), make("dd", {}, words)]));
}

function happened({ at, kind, level, note, actor }) {
  const who = actor?.name ?? "Heddle";
  return make(
    "li",
    {},
    make("time", { datetime: at }, moment(at)),
    ` ${say(kind, { level })} · ${who}`,
    note && make("q", {}, note),
  );
}

// What one can do

function actions(alert) {
  const { ticket } = alert;
  const isMine = ticket?.assignee?.id === me.id;
  const canAck = alert.state === "FIRING" || alert.state === "SNOOZED";
  const number = ticket && phone(ticket);
  const others = alert.suggestedAssignees.filter(({ agent }) => agent.id !== ticket?.assignee?.id && agent.id !== me.id);
  const offered = { ack: canAck, take: ticket && !isMine, call: number, "assign-0": others.length > 0 };
  marked = [armed, HELPS[alert.nextAction], "ack"].find((code) => offered[code]);
  return make(
    "section",
    { class: "card actions", "aria-label": say("actions") },
    armed && marked === armed && make("p", { id: "armed" }, say("armed")),
    canAck && button("ack", say("ack"), () => acknowledge(alert)),
    offered.take && button("take", say("take"), () => give(alert, null)),
    number && make("a", { id: "call", ...marks("call"), href: `tel:${number.replace(/[^\d+]/g, "")}` }, say("call", { number })),
    others.length > 0 && make("h2", {}, say("assign")),
    ...others.map(({ agent, reason: why }, place) => {
      const words = make("span", {}, agent.name, make("small", {}, why));
      return button(`assign-${place}`, words, () => give(alert, agent), `assign-${agent.id}`);
    }),
    alert.state === "SNOOZED" ? null : snoozing(alert),
    CLIMB.includes(alert.kind) || !ticket ? button("escalate", say("escalate"), () => escalate(alert)) : null,
  );
}

/** One marked button: what the notification asked for, otherwise what helps best. */
function marks(code) {
  if (code !== marked) return { class: "button" };
  return { class: code === armed ? "button armed" : "button best" };
}

function button(code, words, act, id = code) {
  return make("button", { id, type: "button", ...marks(code), click: () => doing(act) }, words);
}

function snoozing(alert) {
  const input = make("input", { id: "reason", value: reason, maxlength: 200, autocomplete: "off", input: () => (reason = input.value) });
  const spans = [
    ["15", say("snooze_15"), () => now() + 15 * 60_000],
    ["60", say("snooze_60"), () => now() + 60 * 60_000],
    ["tomorrow", say("snooze_tomorrow"), tomorrow],
  ];
  return make(
    "fieldset",
    {},
    make("legend", {}, say("snooze")),
    make("label", { for: "reason" }, say("reason")),
    input,
    make(
      "div",
      { class: "row" },
      ...spans.map(([span, words, until]) =>
        make("button", { id: `snooze-${span}`, type: "button", class: "button", click: () => doing(() => snooze(alert, span, until())) }, words),
      ),
    ),
  );
}

function tomorrow() {
  const date = new Date(now());
  date.setDate(date.getDate() + 1);
  return date.setHours(9, 0, 0, 0);
}

/** A number under which the customer is known, as the line showed it. */
function phone(ticket) {
  const known = [...ticket.replyChannels, ...ticket.contact.identities];
  return known.find(({ channel, label }) => channel === "PHONE" && /^\+?[\d ().-]{5,}$/.test(label))?.label;
}

async function acknowledge(alert) {
  return outcome(await change(`ack:${ID}`, ACK, { id: alert.id }), (found) => say("acked", { time: moment(found.ackExpiresAt) }));
}

async function snooze(alert, span, until) {
  if (!reason.trim()) throw new Error(say("needs_reason"));
  const input = { id: alert.id, until: new Date(until).toISOString(), reason };
  const payload = await change(`snooze:${ID}:${span}:${reason}`, SNOOZE, input);
  return outcome(payload, (found) => say("snoozed", { time: moment(found.snoozedUntil) }));
}

async function escalate(alert) {
  const payload = await change(`escalate:${ID}:${alert.level}`, ESCALATE, { id: alert.id });
  return outcome(payload, (found) => say("escalated", { level: found.level }), say("not_escalated"));
}

function outcome({ applied, alert: found, userErrors }, done, otherwise) {
  if (userErrors.length) throw new Error(refusals({ userErrors }));
  armed = null;
  if (applied) return done(found);
  if (found.state === "RESOLVED") return say("over");
  if (otherwise) return otherwise;
  if (found.state === "SNOOZED") return say("snoozed_already", { time: moment(found.snoozedUntil) });
  if (found.ackedBy?.id === me.id) return say("acked_by_you");
  return found.ackedBy ? say("acked_already", { name: found.ackedBy.name }) : say("not_changed");
}

async function give({ ticket }, to) {
  const done = await assign(ticket, to);
  armed = null;
  return done;
}

noteOpened();
const { refresh, doing } = showing(() => ask(READ, { id: ID }), draw, {
  topics: ["ALERTS"],
  concerns: ({ alert }) => (alert?.id ?? ID) === ID,
});
addEventListener("hashchange", () => {
  noteOpened();
  refresh();
});
