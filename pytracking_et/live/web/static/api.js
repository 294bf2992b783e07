// Talking to the server: requests, upload, WebSocket, and files for the user.

const HEADER_LENGTH = 4;

/** fetch() that gives JSON, and throws an Error with the server's own words. */
export async function request(path, method = "GET") {
  let response;
  try {
    response = await fetch(path, { method });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.status === 204) return null;
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(sentence(body.error || `The server answered ${response.status}`));
  return body;
}

/** Send a file. XMLHttpRequest because fetch() tells no upload progress. */
export function upload(file, onProgress) {
  const call = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    call.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    call.onerror = () => reject(new Error("The upload broke off. Is the server still running?"));
    call.onabort = () => resolve(null);
    call.onload = () => {
      let body = {};
      try { body = JSON.parse(call.responseText); } catch { /* not ours; the status says enough */ }
      if (call.status === 201) resolve(body);
      else reject(new Error(sentence(body.error || `The server answered ${call.status}`)));
    };
  });
  call.open("POST", `/api/videos?name=${encodeURIComponent(file.name)}`);
  call.setRequestHeader("content-type", "application/octet-stream");
  call.send(file);
  return { done, cancel: () => call.abort() };
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** The WebSocket of a session. Reconnects by itself while the server still knows the session. */
export class Channel {
  constructor(id, handlers) {
    this.id = id;
    this.handlers = handlers; // message(object), picture(header, blob), gone(bool, why), ended(text)
    this.tries = 0;
    this.closed = this.busy = false; // busy: another tab has the session
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/sessions/${this.id}/socket`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed || this.onclose(event);
    this.socket = socket;
  }

  receive(data) {
    if (this.tries) this.handlers.gone(false);
    this.tries = 0;
    this.busy = false;
    if (typeof data === "string") {
      this.handlers.message(JSON.parse(data));
      return;
    }
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, HEADER_LENGTH, length)));
    this.handlers.picture(header, new Blob([data.slice(HEADER_LENGTH + length)], { type: "image/jpeg" }));
  }

  onclose(event) {
    // 4404: the server removed the session. 4400: we broke the protocol; again would not help.
    if (event.code === 4404 || event.code === 4400 || event.code === 1000) {
      this.handlers.ended(event.reason || "the connection was closed");
      return;
    }
    // 4409: another tab has the session, and may let go of it.
    this.busy = event.code === 4409;
    if (this.tries++ === 1) this.handlers.gone(true, this.busy ? sentence(event.reason) : null);
    setTimeout(() => this.closed || this.connect(), Math.min(200 * this.tries, 2000));
  }

  get open() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(message) {
    if (this.open) this.socket.send(JSON.stringify(message));
  }

  sendFrame(header, jpeg) {
    const text = new TextEncoder().encode(JSON.stringify(header));
    const length = new DataView(new ArrayBuffer(HEADER_LENGTH));
    length.setUint32(0, text.length);
    if (this.open) this.socket.send(new Blob([length.buffer, text, jpeg]));
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}

/** A button with a cross on it, that does what `label` says. */
export function cross(label, onclick) {
  const button = document.createElement("button");
  Object.assign(button, { className: "quiet", textContent: "✕", onclick });
  button.setAttribute("aria-label", label);
  return button;
}

/** Offer a Blob or a URL as a download. */
export function save(source, name) {
  const link = document.createElement("a");
  const url = typeof source === "string" ? source : URL.createObjectURL(source);
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  if (typeof source !== "string") setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Boxes as the server writes them; or, when it is gone, from what this page has seen. */
export async function saveBoxes(session, rows, kind) {
  const name = `${session.clip.name.replace(/\.[^.]*$/, "") || "video"}-boxes.${kind}`;
  try {
    const response = await fetch(`/api/sessions/${session.id}/boxes.${kind}`);
    if (response.ok) {
      save(await response.blob(), name);
      return true;
    }
  } catch { /* no server: below */ }
  const text = kind === "csv"
    ? ["frame,time,x,y,w,h,score,id,lost", ...rows.map((row) => row.map((v) => v ?? "").join(","))].join("\n") + "\n"
    : JSON.stringify({
      format: "pytracking-et boxes 1",
      source: session.clip,
      convention: "x, y, w, h in pixels, 0-based, x y is the top-left corner",
      boxes: rows.map(([frame, time, x, y, w, h, score, target, lost]) => (
        { frame, time, box: [x, y, w, h], score, target, lost: Boolean(lost) })),
    }, null, 1);
  save(new Blob([text], { type: kind === "csv" ? "text/csv" : "application/json" }), name);
  return false;
}
