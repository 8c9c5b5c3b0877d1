"use strict";

// Who is asking, and how GraphiQL's questions reach /graphql. Everything kept is kept in sessionStorage: closing the
// browser's tab forgets it, and so does signing out.

const SIGN_IN = `mutation SignIn($input: SignInInput!) {
  signIn(input: $input) {
    accessToken refreshToken expiresAt viewer { agent { name } } userErrors { code message field }
  }
}`;
const REFRESH = `mutation Refresh($input: SessionRefreshInput!) {
  sessionRefresh(input: $input) { accessToken refreshToken expiresAt }
}`;
const SIGN_OUT = `mutation SignOut($input: SignOutInput!) {
  signOut(input: $input) { ok userErrors { code message } }
}`;
const WHERE_WE_ARE = `query WhereWeAre {
  changeCursor agents { id } alerts(first: 1) { id }
  tickets(first: 2) { edges { node { id threads { id } contact { id identities { id channel } } } } }
}`;
const NEW_TAB = "{\n  viewer {\n    role\n    agent {\n      name\n    }\n  }\n}\n";

const TOKEN = "heddle-explorer-token";
const NEXT = "heddle-explorer-refresh"; // the refresh as it is sent until an answer came, and until when the access token is good
const NAME = "heddle-explorer-name";
const SUBJECT = "heddle-explorer-subject";

/** What GraphiQL keeps: its tabs, and a history with variables and headers, so other people's data and tokens. */
const memory = {
  getItem: (key) => sessionStorage.getItem(key),
  setItem: (key, value) => sessionStorage.setItem(key, value),
  removeItem: (key) => sessionStorage.removeItem(key),
  get length() {
    return sessionStorage.length;
  },
  clear() {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith("graphiql:")) sessionStorage.removeItem(key);
  },
};

const element = (id) => document.getElementById(id);
const form = element("sign-in");
const place = element("graphiql");
const ready = new Promise((done) => addEventListener("DOMContentLoaded", done)); // deferred scripts have run by then
const streams = new Set();
let root = null;
let tabs = new Map(); // by subject

form.addEventListener("submit", signIn);
element("sign-out").addEventListener("click", signOut);
element("subject").addEventListener("change", showSubject);
if (sessionStorage.getItem(TOKEN)) showExplorer();
else showDoor();

// The door

async function signIn(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  element("refusal").textContent = "";
  try {
    const input = { email: form.email.value.trim(), password: form.password.value };
    if (!element("code").hidden) input.totp = form.totp.value.trim();
    Object.assign(input, { deviceLabel: "explorer", clientMutationId: uuid() });
    const { data, errors } = await ask({ query: SIGN_IN, variables: { input } });
    const payload = data?.signIn;
    if (payload?.accessToken) {
      const name = payload.viewer?.agent?.name ?? "";
      if (name !== sessionStorage.getItem(NAME)) memory.clear(); // somebody else, after a session that ended by itself
      sessionStorage.setItem(NAME, name);
      keep(payload);
      form.reset();
      await showExplorer();
    } else {
      refuse([...(payload?.userErrors ?? []), ...(errors ?? [])]);
    }
  } catch (error) {
    refuse([error]);
  } finally {
    button.disabled = false;
  }
}

function keep({ accessToken, refreshToken, expiresAt }) {
  sessionStorage.setItem(TOKEN, accessToken);
  sessionStorage.setItem(NEXT, JSON.stringify({ input: { refreshToken, clientMutationId: uuid() }, until: Date.parse(expiresAt) }));
}

let refreshing = null;

/** The token, a new one when the old one is about to end. Several questions at once share one refresh. */
async function freshToken() {
  const { input, until } = JSON.parse(sessionStorage.getItem(NEXT) ?? "{}");
  if (!input || Date.now() < until - 30_000) return sessionStorage.getItem(TOKEN);
  refreshing ??= post({ query: REFRESH, variables: { input } })
    .then(({ answer }) => answer.data?.sessionRefresh?.accessToken && keep(answer.data.sessionRefresh))
    .finally(() => (refreshing = null));
  await refreshing;
  return sessionStorage.getItem(TOKEN);
}

function refuse(errors) {
  element("refusal").textContent = errors.map((error) => error.message).join(" ") || "Signing in did not work.";
  const wantsCode = errors.some((error) => error.field?.includes("totp"));
  if (wantsCode) element("code").hidden = false;
  const field = wantsCode ? form.totp : form.password;
  field.focus();
  field.select();
}

async function signOut() {
  let message = "You are signed out.";
  try {
    const variables = { input: { clientMutationId: uuid() } };
    const { data, errors } = await ask({ query: SIGN_OUT, variables });
    if (!data?.signOut?.ok) throw (data?.signOut?.userErrors ?? errors)?.[0] ?? new Error("no answer");
  } catch (error) {
    message = `Signed out in this browser only: ${error.message}`;
  }
  showDoor(message);
  memory.clear();
  sessionStorage.removeItem(NAME);
}

function showDoor(message = "") {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(NEXT);
  for (const stream of streams) stream.close();
  root?.unmount();
  root = null;
  tabs = new Map();
  place.hidden = element("bar").hidden = element("code").hidden = true;
  element("door").hidden = false;
  element("refusal").textContent = message;
  form.email.focus();
}

async function showExplorer() {
  element("door").hidden = true;
  place.hidden = element("bar").hidden = false;
  element("who").textContent = sessionStorage.getItem(NAME);
  const [samples, known] = await Promise.all([fetch(place.dataset.samples).then((found) => found.json()), whereWeAre(), ready]);
  if (!sessionStorage.getItem(TOKEN)) return;
  tabs = Map.groupBy(samples, ({ subject }) => subject);
  for (const [subject, those] of tabs) tabs.set(subject, those.map((sample) => filled(sample, known)));
  element("subject").replaceChildren(...[...tabs.keys()].map((subject) => new Option(subject)));
  const chosen = sessionStorage.getItem(SUBJECT);
  if (tabs.has(chosen)) element("subject").value = chosen;
  render();
}

function render() {
  root?.unmount();
  root = ReactDOM.createRoot(place);
  root.render(
    React.createElement(GraphiQL, {
      fetcher,
      defaultTabs: tabs.get(element("subject").value),
      defaultQuery: NEW_TAB,
      defaultEditorToolsVisibility: "variables",
      storage: memory,
      showPersistHeadersSettings: false,
    }),
  );
}

/** Other samples take the place of the open tabs; what was run stays in the history. */
function showSubject() {
  sessionStorage.setItem(SUBJECT, element("subject").value);
  for (const what of ["tabState", "query", "variables", "headers"]) memory.removeItem(`graphiql:${what}`);
  render();
}

/** A sample as a tab; what we know takes the place of the words in capitals. */
function filled({ query, variables }, known) {
  const text = JSON.stringify(variables, null, 2).replace(/"([A-Z]+(_[A-Z]+)*)"/g, (word, name) => JSON.stringify(known[name]) ?? word);
  return { query, variables: text === "{}" ? "" : text };
}

async function whereWeAre() {
  const { data } = await ask({ query: WHERE_WE_ARE }).catch(() => ({}));
  const [ticket, other] = data?.tickets?.edges.map(({ node }) => node) ?? [];
  const tomorrow = new Date(Date.now() + 86_400_000);
  return {
    CURSOR: data?.changeCursor,
    TICKET_ID: ticket?.id,
    OTHER_TICKET_ID: other?.id,
    THREAD_ID: ticket?.threads[0]?.id,
    CONTACT_ID: ticket?.contact.id,
    OTHER_CONTACT_ID: other?.contact.id,
    IDENTITY_ID: ticket?.contact.identities[0]?.id,
    PHONE_IDENTITY_ID: ticket?.contact.identities.find(({ channel }) => channel === "PHONE")?.id,
    AGENT_ID: data?.agents?.[0]?.id,
    ALERT_ID: data?.alerts?.[0]?.id,
    TOMORROW: tomorrow.toISOString(),
    NOW: new Date().toISOString(),
  };
}

// Questions and streams

function fetcher(asked, { headers, documentAST }) {
  const question = withFreshIds(asked);
  const operation = documentAST && GraphiQL.GraphQL.getOperationAST(documentAST, question.operationName);
  const run = operation?.operation === "subscription" ? live : ask;
  return run(question, headers).catch(({ message }) => ({ errors: [{ message }] })); // without the stack
}

/** Each run is a request of its own: "UUID" stands for a new clientMutationId. */
function withFreshIds(question) {
  return JSON.parse(JSON.stringify(question), (key, value) => (key === "clientMutationId" && value === "UUID" ? uuid() : value));
}

/** One POST. An Authorization from the headers tab wins: that is how an integrator tries an `hd_…` token. */
async function ask(question, headers = {}) {
  const token = await freshToken();
  const mine = token && !authorization(headers);
  const { response, answer } = await post(question, { ...headers, ...(mine && { Authorization: `Bearer ${token}` }) });
  if (mine && (response.status === 401 || isUnauthenticated(answer.errors))) expire(token);
  if (!answer.data && !answer.errors) throw new Error(`The server answered ${response.status} ${response.statusText}.`);
  return answer;
}

async function post(question, headers = {}) {
  const response = await fetch("/graphql", {
    method: "POST",
    credentials: "omit", // the session cookie of the web inbox is somebody else's business
    headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
    body: JSON.stringify(question),
  });
  return { response, answer: await response.json().catch(() => ({})) };
}

/**
 * One subscription on one socket, in the shape of an Observable. Not GraphiQL's own client: that one retries a refused
 * token for half a minute. https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 */
async function live(question, headers = {}) {
  const token = await freshToken();
  const mine = !authorization(headers);
  const payload = { authorization: authorization(headers) ?? `Bearer ${token}` };
  return {
    subscribe(sink) {
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      const socket = new WebSocket(`${scheme}://${location.host}/graphql`, "graphql-transport-ws");
      const send = (message) => socket.send(JSON.stringify(message));
      let isAcknowledged = false;
      let isOver = false;
      const end = () => {
        isOver = true;
        socket.close(1000);
      };
      const answer = (result) => {
        sink.next(result);
        if (mine && isUnauthenticated(result.errors)) expire(token);
      };
      const on = {
        connection_ack() {
          isAcknowledged = true;
          send({ id: "1", type: "subscribe", payload: question });
        },
        next: (message) => answer(message.payload),
        error(message) {
          answer({ errors: message.payload });
          on.complete();
        },
        complete() {
          end();
          sink.complete();
        },
        ping: () => send({ type: "pong" }),
      };
      streams.add(socket);
      socket.onopen = () => send({ type: "connection_init", payload });
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        on[message.type]?.(message);
      };
      socket.onclose = ({ code, reason }) => {
        streams.delete(socket);
        if (isOver) return;
        sink.next({ errors: [{ message: `The stream ended: ${code} ${reason}`.trim() }] });
        sink.complete();
        if (mine && (code === 4401 || (code === 4403 && !isAcknowledged))) expire(token);
      };
      return { unsubscribe: end };
    },
  };
}

function authorization(headers) {
  return new Headers(headers).get("Authorization");
}

function isUnauthenticated(errors) {
  return errors?.some((error) => error.extensions?.code === "UNAUTHENTICATED");
}

/** A late refusal of an old token must not end the session begun since. */
function expire(token) {
  if (sessionStorage.getItem(TOKEN) === token) showDoor("Your session has ended. Please sign in again.");
}

/** crypto.randomUUID exists only on https and localhost; the explorer also runs on http://192.168.… */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
