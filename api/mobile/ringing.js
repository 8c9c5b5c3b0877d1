// This browser as a device that rings.

import { ask, change, refusals, say } from "/m/talk.js";

const REGISTER = `mutation Register($input: DeviceRegisterInput!) {
  deviceRegister(input: $input) { device { id } userErrors { message } }
}`;
const REMOVE = "mutation Remove($input: DeviceInput!) { deviceRemove(input: $input) { ok userErrors { message } } }";
const KEY = "query PushKey { viewer { vapidPublicKey } }";
const MINE = "heddle-device"; // whose it is, its id and its address, as long as it should ring
const SHELF = "heddle"; // the same for the worker, which reads no localStorage: with what it needs to register it anew

export const canRing = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

/** What a person calls it. */
export function device() {
  const { userAgent } = navigator;
  const browser = [["Edg", "Edge"], ["Firefox", "Firefox"], ["FxiOS", "Firefox"], ["Chrome", "Chrome"], ["CriOS", "Chrome"], ["Safari", "Safari"]];
  const system = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]];
  const named = (list) => list.find(([sign]) => userAgent.includes(sign))?.[1];
  return [named(browser), named(system)].filter(Boolean).join(", ") || "Browser";
}

/** The id of this device, if it rings for this person. */
export function mine(viewer) {
  return kept()?.agent === viewer.agent.id ? kept().id : null;
}

function kept() {
  return JSON.parse(localStorage.getItem(MINE) ?? "null");
}

export async function ring(viewer) {
  if (!canRing) throw new Error(say("cannot_ring"));
  if (!viewer.vapidPublicKey) throw new Error(say("no_key"));
  if ((await Notification.requestPermission()) !== "granted") throw new Error(say("not_permitted"));
  await register(viewer, await subscribed(viewer.vapidPublicKey));
}

/**
 * True, if this device was registered anew: a session that ends takes its devices along, and whoever signs in again on theirs, by
 * whatever way, is rung again; and so is a browser that its push service calls otherwise than before, or not at all any more. Somebody
 * else is not rung in their place.
 */
export async function ringAgain(viewer, hasComeIn) {
  if (!canRing || !kept()) return false;
  if (!mine(viewer)) {
    if (hasComeIn) await forget();
    return false;
  }
  if (Notification.permission !== "granted") return false;
  const subscription = (await subscribedHere()) ?? (await subscribedAnew());
  if (!hasComeIn && subscription.toJSON().endpoint === kept().endpoint) return false;
  await register(viewer, subscription);
  return true;
}

export async function ringNoMore(id) {
  const payload = await change(`remove:${id}`, REMOVE, { id });
  if (!payload.ok) throw new Error(refusals(payload));
  if (kept()?.id === id) await forget();
}

async function forget() {
  await (await subscribedHere())?.unsubscribe();
  localStorage.removeItem(MINE);
  await caches.delete(SHELF);
}

async function subscribedHere() {
  return (await navigator.serviceWorker?.getRegistration("/m/"))?.pushManager.getSubscription();
}

async function subscribedAnew() {
  const { viewer } = await ask(KEY);
  return subscribed(viewer.vapidPublicKey);
}

async function subscribed(key) {
  await navigator.serviceWorker.register("/m/worker.js", { scope: "/m/" });
  const { pushManager } = await navigator.serviceWorker.ready;
  const options = { userVisibleOnly: true, applicationServerKey: bytes(key) };
  try {
    return await pushManager.subscribe(options);
  } catch (problem) {
    const other = problem.name === "InvalidStateError" && (await pushManager.getSubscription()); // by an older key
    if (!other) throw new Error(say("push_failed"));
    await other.unsubscribe();
    return pushManager.subscribe(options);
  }
}

async function register(viewer, subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const { p256dh, auth } = keys;
  const called = { transport: "WEB_PUSH", label: device(), locale: document.documentElement.lang };
  const payload = await change(`register:${endpoint}`, REGISTER, { ...called, handle: endpoint, p256dh, auth });
  if (!payload.device) throw new Error(refusals(payload));
  const before = kept()?.id;
  const { id } = payload.device;
  const agent = viewer.agent.id;
  localStorage.setItem(MINE, JSON.stringify({ agent, id, endpoint }));
  await (await caches.open(SHELF)).put("/m/device", Response.json({ agent, id, called }));
  if (before && before !== id) await change(`remove:${before}`, REMOVE, { id: before });
}

function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
}
