// One conversation with the shop, as docs/channels/chat.md of Heddle describes it; nothing here knows of a page.
//
// Nothing written is lost: it lies in localStorage, under an id of its own, until it comes back as part of the conversation.
// Nothing is sent twice: its id stays the same however often it is sent, and Heddle keeps one.
// Nothing is missed: each hello says the `seq` of the last message that is here; Heddle goes on from there.
// Nothing is shown twice: what comes again has an `id` that is known.

import { Kept } from "/kept.js";
import { eventsLine, socketLine } from "/lines.js";

const PATIENCE = 10_000; // milliseconds without an answer after which a line counts as dead
const PAUSE = 500; // milliseconds between two tries, doubled each time
const LONGEST_PAUSE = 30_000;
const ASLEEP = 60_000; // milliseconds in the background after which a phone may have closed the line without a word
const TYPING = 3_000; // milliseconds between two frames that say that the visitor is writing
const MOST_FAILED = 3; // uploads of one message on a line that works, before it counts as refused
const GATHER = 100; // milliseconds in which messages that come together are acknowledged together

export class Conversation {
  messages = new Map(); // by id: {id, from, text, at, state: sending | sent | read | refused, held?, failed?, seq?, author?, files?}
  #address;
  #identity;
  #locale;
  #on;
  #kept;
  #tab; // kept for this tab alone
  #onlyEvents;
  #open; // the way tried last
  #hadSocket = false; // did one come about on this page?
  #line = null;
  #connecting = false;
  #greeted = false; // has Heddle answered our hello?
  #session; // of which this page shows the conversation
  #seq = 0; // of the last message that is here
  #tries = 0;
  #typed = 0; // when we last said that the visitor is writing
  #again; // timers
  #watch;
  #gathering;

  /**
   * `identity()` gives the shop's signed word on who is here, or nothing.
   * `on` is told: line(isOpen), hello(frame), message(message), typing(), 
   * refused(error), file({id, url}), rating({survey, score}), emptied().
   */
  constructor({ heddle, channel, locale, identity, onlyEvents }, on) {
    this.#address = `${heddle}/chat/${channel}`;
    this.#identity = identity;
    this.#locale = locale;
    this.#on = on;
    this.#onlyEvents = onlyEvents;
    this.#kept = new Kept(`heddle:${channel}:`, "localStorage");
    this.#tab = new Kept(`heddle:${channel}:`, "sessionStorage");
    for (const message of this.#kept.outbox()) this.messages.set(message.id, message);
  }

  /** Was anything said here before? */
  get begun() {
    return Boolean(this.#kept.get("session")) || this.messages.size > 0;
  }

  /** What is being written: it is there again on the shop's next page. */
  get draft() {
    return this.#tab.get("draft") ?? "";
  }

  set draft(text) {
    this.#tab.set("draft", text);
  }

  get unread() {
    const read = Number(this.#kept.get("read") ?? 0);
    return this.#having(({ from, seq }) => from === "agent" && seq > read).length;
  }

  start() {
    addEventListener("online", () => {
      this.#tries = 0;
      this.#connect();
    });
    addEventListener("offline", () => this.#lost());
    addEventListener("storage", () => this.#greeted && this.#kept.get("session") !== this.#session && this.#lost()); // another tab has left it
    let hiddenAt = 0;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) hiddenAt = Date.now();
      else if (Date.now() - hiddenAt > ASLEEP) this.#lost();
      if (!document.hidden) this.#connect();
    });
    this.#connect();
  }

  // What a visitor does

  /** `others` goes along: page, answers, website. Files live as long as the page: a browser keeps no room for them. */
  write(text, files = [], others = {}) {
    const message = { id: crypto.randomUUID(), from: "visitor", text, at: new Date().toISOString(), state: "sending", others };
    if (files.length) message.files = files;
    else this.#kept.put(message);
    this.#show(message);
    if (this.#greeted) this.#send(message);
  }

  /** A message that was refused, to be written anew. */
  takeBack(id) {
    const message = this.messages.get(id);
    this.messages.delete(id);
    this.#kept.drop(id);
    return message;
  }

  typing() {
    if (!this.#greeted || Date.now() - this.#typed < TYPING) return;
    this.#typed = Date.now();
    this.#line.say({ type: "typing" });
  }

  /** All that is here has been seen. */
  read() {
    if (!this.unread || !this.#greeted) return;
    this.#kept.set("read", this.#seq);
    this.#line.say({ type: "read", seq: this.#seq });
  }

  /** A link lives ten minutes; this one is new, and comes as on.file. Could it be asked for? */
  link(id) {
    if (this.#greeted) this.#line.say({ type: "file", id });
    return this.#greeted;
  }

  /** Presses a button of a survey. What was taken comes as on.rating. */
  rate = (survey, score) => this.#greeted && this.#line.say({ type: "rating", survey, score });

  // The line

  async #connect() {
    if (this.#line || this.#connecting) return;
    clearTimeout(this.#again);
    this.#connecting = true;
    try {
      const identity = await this.#identity();
      if (!identity && (this.#kept.get("identified") || this.#tab.get("identified"))) this.#leave();
      this.#open = this.#way();
      const line = this.#open(this.#address, {
        heard: (frame) => this.#line === line && this.#heard(frame),
        lost: () => this.#line === line && this.#lost(),
      });
      this.#line = line;
      line.say({ type: "hello", session: this.#kept.get("session"), seq: this.#seq, locale: this.#locale, identity });
      this.#mind();
    } catch {
      this.#later();
    } finally {
      this.#connecting = false;
    }
  }

  /** Sockets first; every second try without one, sooner where none ever came about: some networks let none through. */
  #way() {
    const isOther = this.#tries % 2 === 1 && (this.#tries > 2 || !this.#hadSocket);
    return this.#onlyEvents || isOther ? eventsLine : socketLine;
  }

  #lost() {
    if (!this.#line) return;
    this.#line.close();
    this.#line = null;
    clearTimeout(this.#watch);
    this.#greeted = false;
    this.#later();
  }

  /** At a moment of chance, so that a thousand visitors do not come back at once. */
  #later() {
    this.#on.line(false);
    const pause = Math.min(PAUSE * 2 ** this.#tries++, LONGEST_PAUSE);
    this.#again = setTimeout(() => this.#connect(), pause * (0.5 + Math.random() / 2));
  }

  /** A network can vanish without a word: who owes us an answer and is silent is gone. */
  #mind() {
    clearTimeout(this.#watch);
    const isOwed = !this.#greeted || this.#having(({ state, files, held }) => state === "sending" && !files && !held).length > 0;
    if (isOwed) this.#watch = setTimeout(() => this.#lost(), PATIENCE);
  }

  // What goes

  async #send({ id, text, others, files }) {
    const frame = { type: "message", id, text, locale: this.#locale, ...others };
    if (!files) {
      this.#line.say(frame);
      return this.#mind();
    }
    const line = this.#line;
    const form = new FormData();
    form.append("message", JSON.stringify(frame));
    for (const file of files) form.append("files", file);
    try {
      const headers = { Authorization: `Bearer ${this.#kept.get("session")}` };
      const answer = await fetch(`${this.#address}/files`, { method: "POST", headers, body: form });
      const tooLarge = { type: "error", code: "too_large" }; // said by something between us and Heddle, in words of its own
      const said = answer.status === 413 ? tooLarge : await answer.json();
      if (!said.type) throw new Error(`${answer.url}: ${answer.status}`);
      this.#heard({ id, ...said });
    } catch {
      if (this.#line === line) this.#notUploaded(id, line);
    }
  }

  /** A line that is lost meanwhile sends it by itself when it is back. */
  #notUploaded(id, line) {
    const failed = (this.messages.get(id)?.failed ?? 0) + 1;
    this.#change(id, { failed });
    if (failed === MOST_FAILED) return this.#wrong({ id, code: "other" });
    const isStill = () => this.#line === line && this.messages.get(id)?.state === "sending";
    setTimeout(() => isStill() && this.#send(this.messages.get(id)), PAUSE * 4 ** failed);
  }

  #sendAll() {
    for (const message of this.#having(({ state }) => state === "sending")) this.#send(message);
  }

  /** Who was signed in is not any more: the conversation was theirs, and so is what they had not sent. */
  #leave() {
    if (this.#kept.get("identified")) { // else another tab has left before us
      const headers = { Authorization: `Bearer ${this.#kept.get("session")}` };
      fetch(`${this.#address}/logout`, { method: "POST", headers, keepalive: true }).catch(() => {});
      this.#kept.forget();
    }
    this.#tab.forget();
    this.#empty(() => true);
  }

  // What comes

  #heard(frame) {
    switch (frame.type) {
      case "hello":
        this.#welcomed(frame);
        break;
      case "message":
        this.#told(frame);
        break;
      case "ack":
        this.#change(frame.id, { state: "sent" });
        break;
      case "read":
        this.#readTo(frame.seq);
        break;
      case "error":
        this.#wrong(frame);
        break;
      case "typing":
      case "rating":
      case "file":
        this.#on[frame.type](frame);
    }
    if (this.#line) this.#mind();
  }

  #welcomed(hello) {
    const before = this.#session ?? this.#kept.get("session");
    const read = Number(this.#kept.get("read") ?? 0);
    if (before && before !== hello.session) this.#another();
    else if (read) this.#line.say({ type: "read", seq: read }); // what was said of it may have been lost with the line
    this.#session = hello.session;
    this.#kept.set("session", hello.session);
    if (hello.identified) for (const place of [this.#kept, this.#tab]) place.set("identified", "yes");
    this.#greeted = true;
    this.#hadSocket ||= this.#open === socketLine;
    this.#tries = 0;
    this.#on.hello(hello);
    this.#on.line(true);
    this.#sendAll();
  }

  #told({ seq, id, from, author, text, at, files, survey }) {
    this.#kept.drop(id);
    this.#seq = Math.max(this.#seq, seq);
    clearTimeout(this.#gathering);
    this.#gathering = setTimeout(() => this.#greeted && this.#line.say({ type: "ack", seq: this.#seq }), GATHER);
    if (this.messages.get(id)?.seq) return;
    this.#show({ id, from, author, text, at, files, survey, seq, state: "sent" });
    if (from === "agent") this.#readTo(seq); // who answers has read
  }

  #readTo(last) {
    for (const { id } of this.#having(({ from, seq, state }) => from === "visitor" && seq <= last && state === "sent")) this.#change(id, { state: "read" });
  }

  #change(id, difference) {
    const message = this.messages.get(id);
    if (!message || (message.seq && difference.state === "sent")) return;
    const changed = { ...message, ...difference };
    if (!message.seq && !message.files) this.#kept.put(changed);
    this.#show(changed);
  }

  #wrong(error) {
    if (error.code === "no_session" || !this.#greeted) return this.#lost();
    if (!error.id) return;
    if (error.retryAfter) {
      this.#change(error.id, { held: true });
      setTimeout(() => this.#greeted && this.#sendAll(), error.retryAfter * 1000);
    } else {
      this.#change(error.id, { state: "refused" });
    }
    this.#on.refused(error);
  }

  /** Heddle does not go on with the session that was here. */
  #another() {
    const isKept = !this.#session || this.#kept.get("session") === this.#session; // else another tab has left before us
    const wasSomebodys = (this.#session ? this.#tab : this.#kept).get("identified");
    if (wasSomebodys && isKept) this.#kept.forget();
    if (wasSomebodys) this.#tab.forget();
    this.#empty(({ seq }) => seq || wasSomebodys);
  }

  #empty(goes) {
    this.#seq = 0;
    for (const { id } of this.#having(goes)) {
      this.messages.delete(id);
      this.#kept.drop(id);
    }
    this.#on.emptied();
  }

  #show(message) {
    this.messages.set(message.id, message);
    this.#on.message(message);
  }

  #having(wanted) {
    return [...this.messages.values()].filter(wanted);
  }
}
