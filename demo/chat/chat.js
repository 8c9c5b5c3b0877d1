// The widget: draws a conversation and hands over what is written. What comes from outside only ever becomes textContent.

import { Conversation } from "/conversation.js";
import { LANGUAGE, LOCALE, knows, say, translate } from "/words.js";

const LONGEST_TEXT = 8000; // characters
const MOST_FILES = 5;
const LARGEST_FILE = 10 * 1024 * 1024;
const TYPING_LAPSES = 6_000; // milliseconds

const part = (name) => document.getElementById(`chat-${name}`);
const root = document.getElementById("chat");
const panel = part("panel");
const log = part("log");
const form = part("write");
const text = part("text");
const narrow = matchMedia("(max-width: 599px)");
const shown = new Map(); // what stands in the list, by the message's id
const places = new WeakMap(); // the seq of what stands in the list
const opening = new Map(); // {tab, button} of the files whose link was asked for, by id
let chosen = []; // files
let noted = ""; // why the note stands there
let asking = ""; // the names of the questions before the first message
let started = false;
let height = 0; // of what is seen of the conversation, and
let wasLow = true; // whether the newest message was in view then

const conversation = new Conversation(
  {
    heddle: root.dataset.heddle,
    channel: root.dataset.channel,
    locale: LANGUAGE,
    identity: signed,
    onlyEvents: new URLSearchParams(location.search).get("transport") === "sse",
  },
  { line, hello, message: show, typing, refused, rating, file: openFile, emptied },
);

root.lang = LANGUAGE; // the page of the shop may be in another: a screen reader asks
translate(root);
emptied();
if (conversation.begun) start();

/** Who is signed in at the shop, in the shop's own signature; nothing if nobody is. To fail is not to say that nobody is. */
async function signed() {
  const answer = await fetch(root.dataset.identity, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${root.dataset.identity}: ${answer.status}`);
  return answer.status === 204 ? undefined : (await answer.json()).token;
}

function start() {
  if (!started) conversation.start();
  started = true;
}

// Opening and closing

part("open").addEventListener("click", () => {
  if (narrow.matches) panel.showModal(); // it covers the page, which a keyboard must not reach then
  else panel.show();
  part("open").ariaExpanded = "true";
  start();
  text.focus();
  showNewest();
  seen();
});
part("close").addEventListener("click", () => panel.close());
panel.addEventListener("keydown", ({ key }) => key === "Escape" && panel.close());
panel.addEventListener("close", () => {
  part("open").ariaExpanded = "false";
  part("open").focus();
});
document.addEventListener("visibilitychange", seen);

function seen() {
  if (panel.open && !document.hidden) conversation.read();
  const count = conversation.unread;
  part("unread").hidden = count === 0;
  part("unread").textContent = count;
  part("unread").ariaLabel = say("unread", { count });
}

// Writing

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const written = text.value.trim();
  if (!written && !chosen.length) return;
  if (isTooLong()) return text.focus();
  note("");
  const { website, ...answers } = Object.fromEntries([...new FormData(form)].filter(([name, value]) => name && value));
  const page = { url: location.href, title: document.title, referrer: document.referrer };
  conversation.write(written, chosen, { page, ...(Object.keys(answers).length && { answers }), ...(website && { website }) });
  put("");
  choose([]);
  ask(false);
  text.focus();
});
text.addEventListener("input", () => {
  conversation.draft = text.value;
  isTooLong();
  conversation.typing();
});
text.addEventListener("keydown", (event) => {
  const isPlain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
  if (!isPlain || matchMedia("(pointer: coarse)").matches) return; // on a phone Enter is a new line
  event.preventDefault();
  form.requestSubmit();
});

/** Says so: a `maxlength` would cut off what is pasted without a word. */
function isTooLong() {
  const isSo = [...text.value.trim()].length > LONGEST_TEXT;
  if (!isSo) settled("too_long");
  else if (noted !== "too_long") note("too_long", { most: LONGEST_TEXT.toLocaleString(LOCALE) });
  return isSo;
}

function put(words) {
  text.value = conversation.draft = words;
}

part("attach").addEventListener("change", ({ target }) => {
  choose([...chosen, ...target.files]);
  target.value = "";
});

function choose(files) {
  const fit = files.filter(({ size }) => size > 0 && size <= LARGEST_FILE).slice(0, MOST_FILES);
  if (fit.length < files.length) note("files_limit", { most: MOST_FILES });
  else settled("files_limit");
  chosen = fit;
  part("files").replaceChildren(
    ...fit.map((file) => {
      const button = make("button", { type: "button", ariaLabel: say("remove", { name: file.name }) }, `${file.name} ×`);
      button.addEventListener("click", () => remove(file));
      return button;
    }),
  );
}

/** The button goes with its file: the focus goes to the next one. */
function remove(file) {
  const place = chosen.indexOf(file);
  choose(chosen.filter((other) => other !== file));
  const { children } = part("files");
  (children[place] ?? children[place - 1] ?? part("attach")).focus();
}

addEventListener("beforeunload", (event) => {
  if (chosen.length || [...conversation.messages.values()].some(({ state, files }) => state === "sending" && files)) event.preventDefault();
});

// What Heddle says of itself

function line(isOpen) {
  part("state").textContent = isOpen ? "" : say("offline");
  if (isOpen) return;
  for (const { tab } of opening.values()) tab?.close();
  opening.clear();
}

function hello({ open, opensAt, mayWrite, fields, refused: why }) {
  if (why) console.warn(`Heddle does not believe the identity: ${why}`);
  part("hours").textContent = open ? say("here") : opensAt ? say("back", { time: moment(opensAt, { weekday: "long" }) }) : say("away");
  part("may").disabled = !mayWrite;
  if (mayWrite) settled("sign_in_first");
  else note("sign_in_first");
  const names = fields.map(({ name }) => name).join();
  if (names !== asking) part("questions").replaceChildren(...fields.map(asked)); // else somebody may be filling them in
  asking = names;
  ask(fields.length > 0 && ![...conversation.messages.values()].some(({ others }) => others?.answers));
  seen();
}

function ask(isWanted) {
  part("first").hidden = part("first").disabled = !isWanted;
}

/** A question before the first message. */
function asked({ name, label, type, required, options }) {
  const known = { name: ["text", "name"], email: ["email", "email"], phone: ["tel", "tel"] }[type] ?? ["text", "on"];
  const input =
    type === "select"
      ? make("select", { name, required }, ...["", ...options].map((option) => make("option", { value: option }, option)))
      : make("input", { name, required, type: known[0], autocomplete: known[1] });
  return make("label", {}, required ? label : `${label} ${say("optional")}`, input);
}

/** What was answered wrongly goes back to where it was written. */
function refused({ id, code, retryAfter, fields = [] }) {
  if (retryAfter) return note("later");
  note(knows(`refused_${code}`) ? `refused_${code}` : "refused_other");
  if (!fields.length) return;
  takeBack(id);
  ask(true);
}

function takeBack(id) {
  const { text: words, files: taken = [] } = conversation.takeBack(id);
  put([text.value, words].filter(Boolean).join("\n"));
  choose([...chosen, ...taken]);
  shown.get(id).remove();
  shown.delete(id);
}

let lapsing;

function typing() {
  clearTimeout(lapsing);
  part("typing").textContent = say("typing");
  lapsing = setTimeout(() => (part("typing").textContent = ""), TYPING_LAPSES);
}

function note(name, values) {
  noted = name;
  part("note").textContent = name && say(name, values);
}

/** What stands there goes when it is no longer true. */
function settled(name) {
  if (noted === name) note("");
}

// Messages

function emptied() {
  text.value = conversation.draft;
  part("messages").replaceChildren();
  shown.clear();
  for (const message of conversation.messages.values()) show(message);
}

function show(message) {
  const { id, from, seq, state, files } = message;
  const follows = isLow();
  const isNew = !shown.has(id);
  if (isNew) shown.set(id, bubble(message));
  const item = shown.get(id);
  if (files) item.querySelector("ul").replaceChildren(...files.map((file) => make("li", {}, attached(file))));
  item.querySelector("small").textContent = beneath(message);
  item.classList.toggle("waiting", state === "sending");
  item.classList.toggle("refused", state === "refused");
  if (state === "refused" && !item.querySelector(".again")) item.append(again(id));
  place(item, seq ?? Infinity);
  if (from === "agent" && isNew) part("typing").textContent = "";
  if (![...conversation.messages.values()].some(({ state, held }) => state === "sending" && held)) settled("later");
  if (follows || (isNew && from === "visitor")) showNewest();
  seen();
}

/** A keyboard that opens, or a longer text, takes its room from the conversation: what was in view stays so. */
new ResizeObserver(() => {
  height = log.clientHeight;
  if (wasLow) showNewest();
  wasLow = isLow();
}).observe(log);
log.addEventListener("scroll", () => (wasLow = isLow(height))); // told late: it may be less high already

function isLow(seen = log.clientHeight) {
  return log.scrollHeight - log.scrollTop - seen < 80;
}

function showNewest() {
  log.scrollTop = log.scrollHeight;
}

function bubble({ from, text: words, files, survey }) {
  const parts = [words && make("p", {}, ...linked(words)), survey && buttons(survey), files && make("ul", {}), make("small", {})];
  return make("li", { className: from === "visitor" ? "mine" : "theirs" }, ...parts.filter(Boolean));
}

/** Puts what was refused back to where it was written. */
function again(id) {
  const button = make("button", { type: "button", className: "again" }, say("again"));
  button.addEventListener("click", () => {
    takeBack(id);
    text.focus();
  });
  return button;
}

/** Of a survey. One pressed later takes the place of the one before. */
function buttons({ id, answers, score: given }) {
  const offered = answers.map(({ score, label, meaning }) => {
    const button = make("button", { type: "button", value: score, ariaLabel: meaning || label, ariaPressed: score === given }, label);
    button.addEventListener("click", () => conversation.rate(id, score));
    return button;
  });
  return make("div", { className: "survey", id: `survey-${id}` }, ...offered);
}

function rating({ survey, score }) {
  for (const button of document.getElementById(`survey-${survey}`).children) button.ariaPressed = Number(button.value) === score;
}

function beneath({ from, author, at, state }) {
  return from === "visitor" ? `${moment(at)} · ${say(state)}` : `${author ?? say("us")} · ${moment(at)}`;
}

/** By seq; what has none yet comes last, as it was written. */
function place(item, seq) {
  if (places.get(item) === seq) return;
  places.set(item, seq);
  part("messages").insertBefore(item, [...part("messages").children].find((other) => places.get(other) > seq) ?? null);
}

/** Addresses of the web become links, everything else stays text. */
function linked(words) {
  return words.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)])/).map((piece, index) =>
    index % 2 ? make("a", { href: piece, target: "_blank", rel: "noopener noreferrer nofollow" }, piece) : piece,
  );
}

/** A button, because a link lives only ten minutes: it is asked for when it is wanted. What is on its way has no id yet. */
function attached({ id, name, size, bytes }) {
  const button = make("button", { type: "button", disabled: !id }, `${name} (${weight(size ?? bytes)})`);
  button.addEventListener("click", () => {
    if (!conversation.link(id)) return;
    opening.get(id)?.tab?.close();
    const tab = window.open("", "_blank"); // now: Safari lets none be opened once the link is here
    if (tab) tab.opener = null;
    opening.set(id, { tab, button });
  });
  return button;
}

function openFile({ id, url }) {
  if (!opening.has(id)) return; // clicked twice
  const { tab, button } = opening.get(id);
  opening.delete(id);
  if (tab) return (tab.location = url);
  const link = make("a", { href: url, target: "_blank", rel: "noopener" }, button.textContent);
  link.addEventListener("click", () => setTimeout(() => link.replaceWith(button))); // the next one is asked for anew
  button.replaceWith(link);
  link.focus();
}

function weight(bytes) {
  return new Intl.NumberFormat(LOCALE, { style: "unit", unit: "kilobyte", maximumFractionDigits: 0 }).format(Math.ceil(bytes / 1000));
}

function moment(at, others = { day: "numeric", month: "short" }) {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  return time.toLocaleString(LOCALE, { hour: "numeric", minute: "2-digit", ...(!isToday && others) });
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
