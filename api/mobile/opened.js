// A push led here: its delivery and the right to say so stand behind the #, which no server sees and no history keeps.

export function noteOpened() {
  const found = /^#d=([\w-]+)\.([\w-]+)$/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", location.pathname + location.search);
  const [, d, r] = found;
  fetch("/push/receipt", {
    method: "POST",
    credentials: "omit",
    keepalive: true,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ d, r, event: "opened", at: new Date().toISOString() }),
  }).catch(() => {}); // signing in and acting say it too
}
