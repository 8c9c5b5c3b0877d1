// A page's picture of things: read when it opens, when it comes back to the front, when something changes, and every half a minute.

import { hear } from "/m/live.js";
import { ringAgain } from "/m/ringing.js";
import { NotSignedIn, hasComeIn, make, open, say, showDoor, showPlace, tell } from "/m/talk.js";
import { moment, now, setServerTime } from "/m/telling.js";

const part = (id) => document.getElementById(id);
const EVERY = 30_000; // milliseconds
const SOON = 500; // milliseconds in which changes are gathered

/**
 * `read` asks; `draw` makes elements of the answer. Returned are `refresh`, true if it could be read, and `doing`, for what
 * is done on the page: it says what came of it, the words that `act` returns or throws, and shows how things are then. With the
 * words, `act` may return what takes it back. Changes of these `topics` that `concern` the page are read at once, from the answer's `changeCursor` on.
 */
export function showing(read, draw, { topics, concerns = () => true }) {
  let wasThere = false;
  let isBusy = false;
  let last = null;
  let line = null;
  let soon = 0;

  async function refresh() {
    try {
      last = await read();
      if (await ringAgain(last.viewer, hasComeIn()).catch(() => false)) last = await read();
      setServerTime(last.serverTime);
      wasThere = true;
      redraw();
      listen();
      return true;
    } catch (problem) {
      if (problem instanceof NotSignedIn) {
        showDoor(wasThere ? say("session_ended") : "");
        wasThere = false;
      } else {
        tell(say("not_read"), { bad: true });
        offer("again", say("try_again"), again);
      }
      return false;
    }
  }

  async function listen() {
    if (line || document.hidden) return;
    const opened = (line = new AbortController());
    const news = (changes) => {
      if (changes.some(concerns)) soon ||= setTimeout(() => (soon = 0, again()), SOON);
    };
    await hear(last.changeCursor, topics, news, opened.signal);
    if (line === opened) line = null;
  }

  function redraw() {
    const focused = document.activeElement;
    showPlace(last.viewer, [...draw(last), make("p", { class: "quiet" }, say("as_of", { time: moment(now()) }))]);
    goOn(focused);
  }

  /** Who moves by keyboard stays where they were: at what took its place, or at the heading where nothing did. */
  function goOn(focused) {
    if (!focused || focused.isConnected) return;
    const heading = part("place").querySelector("h1");
    if (heading) heading.tabIndex = -1;
    (part(focused.id) ?? heading)?.focus({ preventScroll: true });
  }

  async function again() {
    const isWriting = document.activeElement?.matches("input, textarea, select");
    if (document.hidden || isWriting || isBusy || !part("door").hidden) return;
    const focused = document.activeElement;
    if ((await refresh()) && part("said").classList.contains("bad")) tell("");
    goOn(focused);
  }

  async function doing(act) {
    if (isBusy) return;
    isBusy = true;
    tell(say("sending"));
    let done;
    let bad = false;
    try {
      done = await act();
    } catch (problem) {
      if (problem instanceof NotSignedIn) return showDoor(say("session_ended"));
      done = problem.message;
      bad = true;
    } finally {
      isBusy = false;
    }
    const { words = done, undo, until } = done;
    const isRead = await refresh();
    tell(isRead || bad ? words : `${words} ${say("not_read")}`, { bad: bad || !isRead });
    if (undo && until > now()) setTimeout(offer("undo", say("undo"), () => doing(undo)), until - now());
  }

  /** A button beside what was said; returned is what takes it away. */
  function offer(id, words, act) {
    const button = make("button", { id, type: "button", click: act }, words);
    part("said").append(" ", button);
    return () => button.remove();
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return again();
    line?.abort();
    line = null;
  });
  addEventListener("online", again);
  setInterval(again, EVERY);
  open(refresh);
  return { refresh, doing };
}
