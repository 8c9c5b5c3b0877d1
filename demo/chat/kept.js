// What the browser keeps between two visits; as long as the page is open where it keeps nothing.

export class Kept {
  #prefix;
  #place;

  /** `where`: localStorage, or sessionStorage for what is of one tab. */
  constructor(prefix, where) {
    this.#prefix = prefix;
    this.#place = storage(where);
  }

  get(name) {
    return this.#place.getItem(this.#prefix + name) ?? undefined;
  }

  set(name, value) {
    this.#place.setItem(this.#prefix + name, value);
  }

  /** Each message has a key of its own: two tabs that write at once do not undo each other. */
  put(message) {
    this.set(`out:${message.id}`, JSON.stringify(message));
  }

  drop(id) {
    this.#place.removeItem(`${this.#prefix}out:${id}`);
  }

  /** Oldest first. */
  outbox() {
    return this.#names()
      .filter((name) => name.startsWith(`${this.#prefix}out:`))
      .map((name) => JSON.parse(this.#place.getItem(name)))
      .sort((one, other) => (one.at < other.at ? -1 : 1));
  }

  forget() {
    for (const name of this.#names()) this.#place.removeItem(name);
  }

  #names() {
    return Object.keys(this.#place).filter((name) => name.startsWith(this.#prefix));
  }
}

function storage(where) {
  try {
    const place = window[where];
    place.setItem("heddle", "");
    place.removeItem("heddle");
    return place;
  } catch {
    return Object.create({
      getItem(name) { return this[name] ?? null; },
      setItem(name, value) { this[name] = value; },
      removeItem(name) { delete this[name]; },
    });
  }
}
