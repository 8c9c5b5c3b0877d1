// Alerts and times in words.

import { LOCALE, knows, say } from "/m/talk.js";

let ahead = 0; // milliseconds of the server's clock

export function setServerTime(time) {
  ahead = Date.parse(time) - Date.now();
}

export function now() {
  return Date.now() + ahead;
}

const DAY = { weekday: "short", day: "numeric", month: "short" };

/** A moment as one says it: the hour, with the day if it is another. */
export function moment(time) {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date(now()).toDateString();
  return new Intl.DateTimeFormat(LOCALE, { ...(!isToday && DAY), hour: "numeric", minute: "2-digit" }).format(date);
}

/** What is due at the end of a day, is due on that day. */
export function deadline(time) {
  const date = new Date(time);
  if (date.getHours() || date.getMinutes()) return moment(time);
  return new Intl.DateTimeFormat(LOCALE, DAY).format(date - 1);
}

/** The two largest parts: `2 h 5 min`. */
export function duration(milliseconds) {
  const minutes = Math.floor(Math.abs(milliseconds) / 60_000);
  const parts = [
    [Math.floor(minutes / 1440), "day"],
    [Math.floor((minutes % 1440) / 60), "hour"],
    [minutes % 60, "minute"],
  ];
  const first = parts.findIndex(([count]) => count);
  const told = first < 0 ? parts.slice(2) : parts.slice(first, first + 2).filter(([count]) => count);
  return told
    .map(([count, unit]) => new Intl.NumberFormat(LOCALE, { style: "unit", unit, unitDisplay: "short" }).format(count))
    .join(" ");
}

export function title(alert) {
  const kind = alert.kind.toLowerCase();
  const named = `${kind}_${alert.clock?.metric.toLowerCase()}`;
  return say(knows(named) ? named : kind);
}

export function lateness({ clock, ticket, firedAt }) {
  if (!clock) return ticket ? "" : say("since", { time: moment(firedAt) });
  if (clock.state === "PAUSED") return say("paused");
  if (clock.state === "MET") return "";
  const left = Date.parse(clock.dueAt) - now();
  return say(left < 0 ? "late" : "left", { time: duration(left) });
}

export function state(alert) {
  const time = { ACKED: alert.ackExpiresAt, SNOOZED: alert.snoozedUntil, RESOLVED: alert.resolvedAt }[alert.state];
  const name = alert.ackedBy?.name ?? say("somebody");
  return say(`state_${alert.state.toLowerCase()}`, { name, time: time && moment(time) });
}

/** A chat or a call has none. */
export function subject({ number, subject: words }) {
  return [say("ticket", { number }), words].filter(Boolean).join(": ");
}

/** By name, or how they are known, and where they wrote last. */
export function customer({ contact, lastChannel }) {
  const name = contact.name || contact.identities[0]?.label;
  return [name, lastChannel && say(`channel_${lastChannel.toLowerCase()}`)].filter(Boolean).join(" · ");
}
