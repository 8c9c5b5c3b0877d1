"use strict";

// Shows what is pushed, and says so: a push that nobody confirms goes to the next device, and then to the next person.

const WAITS = [0, 2_000, 10_000]; // milliseconds before each try of a receipt
const SHELF = "heddle"; // where the page left what it knows of this device
const WHO = "query Who { viewer { agent { id } vapidPublicKey } }";
const MOVE = `mutation Move($device: DeviceRegisterInput!, $old: DeviceInput!) {
  deviceRegister(input: $device) { device { id } }
  deviceRemove(input: $old) { ok }
}`;

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

addEventListener("pushsubscriptionchange", (event) => event.waitUntil(ringOn(event)));

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

/** The push service calls this browser otherwise from now on. Where that cannot be said here, the page says it that is opened next. */
async function ringOn({ newSubscription }) {
  const shelf = await caches.open(SHELF);
  const kept = await (await shelf.match("/m/device"))?.json();
  const viewer = kept && (await ask(WHO))?.viewer;
  if (viewer?.agent.id !== kept?.agent || !viewer?.vapidPublicKey) return;
  const options = { userVisibleOnly: true, applicationServerKey: viewer.vapidPublicKey };
  const { endpoint, keys } = (newSubscription ?? (await registration.pushManager.subscribe(options))).toJSON();
  const { p256dh, auth } = keys;
  const device = { ...kept.called, handle: endpoint, p256dh, auth, clientMutationId: crypto.randomUUID() };
  const moved = await ask(MOVE, { device, old: { id: kept.id, clientMutationId: crypto.randomUUID() } });
  const id = moved?.deviceRegister.device?.id;
  if (id) await shelf.put("/m/device", Response.json({ ...kept, id }));
}

/** Nothing, where no session is left or its second cookie is not to be read here. */
async function ask(query, variables) {
  const cookies = (await self.cookieStore?.getAll()) ?? [];
  const csrf = cookies.find(({ name }) => name.endsWith("heddle_csrf"))?.value;
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf ?? "" },
    body: JSON.stringify({ query, variables }),
  });
  return response.ok ? (await response.json()).data : null;
}
