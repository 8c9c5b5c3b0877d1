// Tells colleagues who has this ticket open, and who types there, as long as it is on the screen.

import { ask } from "/m/talk.js";

const PRESENCE = "mutation Presence($input: PresenceInput!) { presence(input: $input) { ok } }";
const EVERY = 15_000; // milliseconds; after 45 seconds without a word one is gone

let ticketId = null;
let types = false;

/** Called whenever the ticket has been drawn. */
export function viewing(id) {
  if (ticketId) return;
  ticketId = id;
  queueMicrotask(here); // once it is shown
  setInterval(() => {
    here();
    types = false;
  }, EVERY);
  document.addEventListener("visibilitychange", () => (document.hidden ? say("LEFT") : here()));
  document.addEventListener("input", () => {
    if (types) return;
    types = true;
    here();
  });
}

function here() {
  if (!document.hidden && document.getElementById("door").hidden) say(types ? "TYPING" : "VIEWING");
}

/** Also while the page goes away. That a word is lost does not matter: the next one says the same. */
function say(intent) {
  ask(PRESENCE, { input: { ticketId, intent } }, { keepalive: true }).catch(() => {});
}
