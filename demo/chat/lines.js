// Two ways to reach Heddle. A line takes frames with say(), the first a hello; it hands over what it hears, and says once it is lost.

const PATIENCE = 10_000; // milliseconds for the answer to a request

export function socketLine(address, { heard, lost }) {
  const socket = new WebSocket(address.replace("http", "ws"));
  const early = []; // said before the socket was open
  const say = (frame) => socket.send(JSON.stringify(frame));
  socket.onopen = () => early.forEach(say);
  socket.onmessage = ({ data }) => heard(JSON.parse(data));
  socket.onclose = lost;
  return {
    say: (frame) => (socket.readyState === WebSocket.CONNECTING ? early.push(frame) : say(frame)),
    close: () => socket.close(),
  };
}

/** Requests up, server-sent events down: for networks that let no socket through. */
export function eventsLine(address, { heard, lost }) {
  const paths = { hello: "session", message: "messages" };
  let saying = Promise.resolve(); // one after the other: what is written first arrives first
  let session;
  let stream;

  async function post(frame) {
    const headers = { "Content-Type": "application/json", ...(session && { Authorization: `Bearer ${session}` }) };
    const request = { method: "POST", headers, body: JSON.stringify(frame), signal: AbortSignal.timeout(PATIENCE) };
    const said = await (await fetch(`${address}/${paths[frame.type] ?? frame.type}`, request)).json();
    if (said.type === "hello") listen(said, frame.seq);
    heard(said);
  }

  function listen(hello, seq) {
    session = hello.session;
    stream = new EventSource(`${address}/events?${new URLSearchParams({ ticket: hello.ticket, seq })}`);
    stream.onmessage = ({ data }) => heard(JSON.parse(data));
    stream.onerror = lost;
  }

  return {
    say: (frame) => (saying = saying.then(() => post(frame)).catch(lost)),
    close: () => stream?.close(),
  };
}
