"use strict";

// Shows what is pushed, and says so: a push that nobody confirms goes to the next device, and then to the next person.

const WAITS = [0, 2_000, 10_000]; // milliseconds before each try of a receipt

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("push", (event) => {
  event.waitUntil(Promise.all([show(pushed(event)), badge(event)]));
});

addEventListener("notificationclick", (event) => {
  const { notification, action } = event;
  notification.close();
  const { links = {}, ...data } = notification.data ?? {};
  event.waitUntil(Promise.all([receipt(data, "opened"), open(links[action] ?? links.page ?? "/m/alerts")]));
});

/** A browser that reads the message itself gives it as `event.notification`. */
function pushed(event) {
  if (event.notification) return event.notification;
  return event.data?.json().notification ?? { title: "Heddle" };
}

/** How many alerts ring; the list of them takes it away. */
async function badge(event) {
  const count = event.appBadge ?? event.data?.json().app_badge;
  if (Number.isInteger(count)) await navigator.setAppBadge?.(count).catch(() => {});
}

async function show({ title, body, lang, tag, navigate, actions = [], data }) {
  const links = { page: navigate };
  for (const action of actions) links[action.action] = action.navigate;
  const silent = data?.k === "cleared"; // what it replaces is settled
  await registration.showNotification(title, {
    body,
    lang,
    tag,
    renotify: Boolean(tag) && !silent,
    silent,
    icon: "/explorer/heddle.svg",
    actions: actions.map(({ action, title: words }) => ({ action, title: words })),
    data: { ...data, links },
  });
  await receipt(data, "shown");
}

async function receipt(data, event) {
  if (!data?.d || !data.r) return;
  const body = JSON.stringify({ d: data.d, r: data.r, event, at: new Date().toISOString() });
  for (const wait of WAITS) {
    await new Promise((done) => setTimeout(done, wait));
    try {
      const { status } = await fetch("/push/receipt", {
        method: "POST",
        credentials: "omit",
        headers: { "Content-Type": "application/json" },
        body,
      });
      if (status < 500 && status !== 429) return;
    } catch {
      // no network yet
    }
  }
}

/** The page on this address, whatever name the link has for it; a window that shows it already comes to the front. */
async function open(link) {
  const { pathname, search, hash } = new URL(link, location.origin);
  const address = location.origin + pathname + search + hash;
  const windows = await clients.matchAll({ type: "window" });
  const there = windows.find(({ url }) => new URL(url).pathname === pathname);
  try {
    if (there) return await (await there.focus()).navigate(address);
  } catch {
    // a window that this worker does not control yet
  }
  return clients.openWindow(address);
}
