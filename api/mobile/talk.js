// How these pages speak with Heddle: words, questions, changes, and the door for who is not signed in.

import { device } from "/m/ringing.js";

const WORDS = JSON.parse(document.getElementById("words").textContent);
export const LANGUAGE = document.documentElement.lang;
/** As the browser says it: `en-GB` writes times otherwise than `en`. */
export const LOCALE = navigator.languages.find((tag) => tag.split("-")[0].toLowerCase() === LANGUAGE) ?? LANGUAGE;
const PATIENCE = 15_000; // milliseconds for an answer
const CAME_IN = "heddle-came-in";
const KEPT = 10 * 60_000; // milliseconds for which a change without an answer may be sent again

const SIGN_IN = `mutation SignIn($input: SignInInput!) {
  signIn(input: $input) { viewer { agent { id } } userErrors { message field } }
}`;
const SPEAK = `mutation Speak($input: ViewerUpdateInput!) {
  viewerUpdate(input: $input) { agent { locale } userErrors { message } }
}`;
const SIGN_OUT = "mutation SignOut($input: SignOutInput!) { signOut(input: $input) { ok userErrors { message } } }";

const INSIDE = ["top", "place", "foot"];

const part = (id) => document.getElementById(id);
const form = part("sign-in");

export function say(name, values = {}) {
  return (WORDS[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

export function knows(name) {
  return name in WORDS;
}

/** Beneath the page, and to screen readers. */
export function tell(text, { bad = false } = {}) {
  part("said").textContent = text;
  part("said").classList.toggle("bad", bad);
}

/** No answer, or none that says what became of the question. */
export class Unanswered extends Error {}

/** Heddle says what is wrong with the question. */
export class Refused extends Unanswered {}

/** Nobody is signed in: the door is open. */
export class NotSignedIn extends Error {}

export async function ask(query, variables, { keepalive = false } = {}) {
  let response;
  let answer;
  try {
    response = await post("/graphql", { query, variables }, { accept: "application/json", signal: AbortSignal.timeout(PATIENCE), keepalive });
    answer = await response.json().catch(() => ({}));
  } catch {
    throw new Unanswered(say("offline"));
  }
  if (response.status === 401 || response.status === 403 || answer.errors?.some(isUnauthenticated)) throw new NotSignedIn();
  if (answer.errors) throw new Refused(answer.errors.map(({ message }) => message).join(" "));
  if (!answer.data) throw new Unanswered(say("server_failed", { status: response.status }));
  return answer.data;
}

export function post(path, asked, { accept, signal, keepalive }) {
  return fetch(path, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      "Content-Type": "application/json",
      Accept: accept,
      "Accept-Language": LANGUAGE,
      ...(csrfToken() && { "X-CSRF-Token": csrfToken() }),
    },
    body: JSON.stringify(asked),
    signal,
    keepalive,
  });
}

function isUnauthenticated(error) {
  return error.extensions?.code === "UNAUTHENTICATED";
}

/** The cookie beside that of the session, which no script reads. */
function csrfToken() {
  return /(?:^|; )(?:__Host-)?heddle_csrf=([^;]*)/.exec(document.cookie)?.[1];
}

/**
 * A mutation's payload. What was sent stays kept until an answer came: the same `name` is then sent again as it was, with
 * its clientMutationId, and is one change however often it is tapped.
 */
export async function change(name, query, input, { keptFor = KEPT } = {}) {
  const key = `heddle:${name}`;
  const kept = JSON.parse(sessionStorage.getItem(key) ?? "null");
  const sent = kept && Date.now() - kept.at < keptFor ? kept.input : { ...input, clientMutationId: uuid() };
  sessionStorage.setItem(key, JSON.stringify({ input: sent, at: kept?.input === sent ? kept.at : Date.now() }));
  const [payload] = Object.values(await ask(query, { input: sent }));
  sessionStorage.removeItem(key);
  return payload;
}

export function refusals(payload) {
  return payload.userErrors.map(({ message }) => message).join(" ");
}

// The door

/** `show` is called when somebody is there, and again when somebody else is. */
export function open(show) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    part("refusal").textContent = "";
    try {
      await signIn();
      comesIn();
      form.reset();
      await show();
    } catch (problem) {
      part("refusal").textContent = problem.message || say("session_ended");
    } finally {
      button.disabled = false;
    }
  });
  part("provider").href = `/auth/oidc/start?to=${encodeURIComponent(location.pathname + location.search)}`;
  part("provider").addEventListener("click", comesIn);
  part("sign-out").addEventListener("click", async () => {
    try {
      const { signOut } = await ask(SIGN_OUT, { input: { clientMutationId: uuid() } });
      sessionStorage.clear();
      if (signOut.ok) showDoor(say("signed_out"));
      else tell(refusals(signOut), { bad: true });
    } catch (problem) {
      if (problem instanceof NotSignedIn) showDoor(say("signed_out"));
      else tell(problem.message, { bad: true });
    }
  });
  part("language").value = LANGUAGE;
  part("language").addEventListener("change", async ({ target }) => {
    try {
      const payload = (await ask(SPEAK, { input: { locale: target.value, clientMutationId: uuid() } })).viewerUpdate;
      if (payload.agent) speak(payload.agent.locale);
      else tell(refusals(payload), { bad: true });
    } catch (problem) {
      tell(problem.message || say("session_ended"), { bad: true });
    }
  });
  return show();
}

/** As Heddle does, with who is signed in: the page began in the browser's language. */
function speak(locale) {
  const kept = `heddle_language=${locale}`;
  if (locale === LANGUAGE || document.cookie.includes(kept)) return;
  document.cookie = `${kept}; path=/m; max-age=31536000; samesite=lax`;
  if (document.cookie.includes(kept)) location.reload();
}

function comesIn() {
  sessionStorage.setItem(CAME_IN, "true");
}

/** Once after somebody has come through the door, also by way of their identity provider. */
export function hasComeIn() {
  const came = sessionStorage.getItem(CAME_IN);
  sessionStorage.removeItem(CAME_IN);
  return Boolean(came);
}

async function signIn() {
  const input = { email: form.email.value.trim(), password: form.password.value, web: true, deviceLabel: device() };
  if (!part("code").hidden) input.totp = form.totp.value.trim();
  const payload = (await ask(SIGN_IN, { input: { ...input, clientMutationId: uuid() } })).signIn;
  if (payload.viewer) return;
  const wantsCode = payload.userErrors.some(({ field }) => field?.includes("totp"));
  if (wantsCode) part("code").hidden = false;
  (wantsCode ? form.totp : form.password).focus();
  throw new Error(refusals(payload));
}

/** What somebody saw is taken off the screen. */
export function showDoor(message = "") {
  part("place").replaceChildren();
  for (const id of [...INSIDE, "code"]) part(id).hidden = true;
  part("door").hidden = false;
  part("refusal").textContent = message;
  tell("");
  form.email.focus();
}

export function showPlace(viewer, children) {
  part("door").hidden = true;
  for (const id of INSIDE) part(id).hidden = false;
  part("who").textContent = viewer.agent.name;
  speak(viewer.agent.locale);
  part("place").replaceChildren(...children);
}

/** crypto.randomUUID exists only on https and localhost. */
export function uuid() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Elements

/** `at`: attributes, and functions that listen. Of the children, what is not there is left out. */
export function make(tag, at = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(at)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter(Boolean));
  return made;
}
