// All that is not settled, most pressing first; and the devices that ring for it.

import { ask, change, make, refusals, say } from "/m/talk.js";
import { customer, lateness, moment, state, subject, title } from "/m/telling.js";
import { canRing, mine, ring, ringNoMore } from "/m/ringing.js";
import { noteOpened } from "/m/opened.js";
import { showing } from "/m/shown.js";

const READ = `query MobileAlerts {
  serverTime changeCursor
  viewer { agent { id name locale } vapidPublicKey devices { id label transport lastSeenAt lastError fitness } }
  alerts(states: [FIRING, ACKED, SNOOZED], first: 100) {
    id kind state level firedAt ackedBy { name } ackExpiresAt snoozedUntil resolvedAt
    ticket { number subject lastChannel contact { name identities { label } } }
    clock { metric state dueAt }
    channel { name }
  }
}`;
const TEST = "mutation Test($input: DeviceInput!) { deviceTest(input: $input) { ok userErrors { message } } }";
const ORDER = ["FIRING", "ACKED", "SNOOZED"];

function draw({ viewer, alerts }) {
  document.title = `${say("alerts")} · Heddle`;
  return [
    make("h1", {}, say("alerts")),
    alerts.length
      ? make("ol", { class: "lines" }, ...alerts.toSorted(byPressure).map((alert) => make("li", {}, entry(alert))))
      : make("p", {}, say("no_alerts")),
    make("h2", {}, say("devices")),
    make("section", { class: "card actions" }, ...ringing(viewer)),
  ];
}

/** What rings before what somebody has; the highest level; what has been late for longest. */
function byPressure(one, other) {
  return (
    ORDER.indexOf(one.state) - ORDER.indexOf(other.state) ||
    other.level - one.level ||
    due(one) - due(other)
  );
}

function due(alert) {
  return Date.parse(alert.clock?.dueAt ?? alert.firedAt);
}

function entry(alert) {
  const { ticket } = alert;
  return make(
    "a",
    { id: `alert-${alert.id}`, class: `card level-${Math.min(alert.level, 3)} ${alert.state.toLowerCase()}`, href: `/m/a/${alert.id}` },
    make("span", { class: "level" }, say("level", { level: alert.level })),
    make("strong", {}, title(alert)),
    make("span", { class: "clock" }, lateness(alert)),
    ticket && make("span", { class: "subject" }, subject(ticket)),
    ticket && make("span", {}, customer(ticket)),
    alert.channel && make("span", { class: "subject" }, alert.channel.name),
    make("span", { class: "quiet" }, state(alert)),
  );
}

// Devices

function ringing(viewer) {
  const here = mine(viewer);
  const isOn = viewer.devices.some(({ id }) => id === here);
  const turn = async () => {
    await (isOn ? ringNoMore(here) : ring(viewer));
    return say(isOn ? "rings_no_more" : "rings_here");
  };
  return [
    make(
      "button",
      { id: "ring", type: "button", role: "switch", class: "button switch", "aria-checked": String(isOn), disabled: !canRing, click: () => doing(turn) },
      say("ring_here"),
    ),
    canRing ? null : make("p", {}, say("cannot_ring")),
    viewer.devices.length
      ? make("ul", { class: "devices" }, ...viewer.devices.map((device) => make("li", {}, ...row(device, here))))
      : make("p", { class: "quiet" }, say("no_devices")),
  ].filter(Boolean);
}

/** Two browsers of one kind have the same label: what else is known tells them apart. */
function row({ id, label, transport, lastSeenAt, lastError, fitness }, here) {
  const words = [
    say(`transport_${transport.toLowerCase()}`),
    id === here && say("this_device"),
    say("seen", { time: moment(lastSeenAt) }),
  ];
  const health = lastError ? say("push_refused", { error: lastError }) : say(`fitness_${fitness.toLowerCase()}`);
  const offered = [
    ["send_test", () => test(id, label)],
    ["remove", () => ringNoMore(id).then(() => say("removed", { label }))],
  ];
  return [
    make("strong", {}, label),
    make("span", { class: "quiet" }, words.filter(Boolean).join(" · ")),
    make("span", { class: lastError ? "wrong" : "quiet" }, health),
    make(
      "div",
      { class: "row" },
      ...offered.map(([what, act]) =>
        make("button", { id: `${what}-${id}`, type: "button", class: "button", "aria-label": `${say(what)}: ${label}`, click: () => doing(act) }, say(what)),
      ),
    ),
  ];
}

async function test(id, label) {
  const payload = await change(`test:${id}`, TEST, { id });
  if (!payload.ok) throw new Error(refusals(payload));
  return say("test_sent", { label });
}

noteOpened();
const { refresh, doing } = showing(() => ask(READ), draw, { topics: ["ALERTS"] });
addEventListener("hashchange", () => {
  noteOpened();
  refresh();
});
navigator.clearAppBadge?.().catch(() => {});
