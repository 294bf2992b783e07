// The panel of one opened video or camera: picture, playback, score, downloads.

import { Channel, cross, request, save, saveBoxes } from "./api.js";
import { CameraDriver } from "./camera.js";
import { Chart } from "./chart.js";
import { Stage, colour } from "./stage.js";
import { VideoDriver } from "./video.js";

const $ = (id) => document.getElementById(id);
const ICONS = {
  play: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4.5v15l13-7.5z"/></svg>',
  pause: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4h4v16H6zM14 4h4v16h-4z"/></svg>',
  back: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M19 4.5v15L9 12zM5 4h3v16H5z"/></svg>',
  undo: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 5 3 10.5 9 16v-4h6a3 3 0 0 1 0 6h-4v2.5h4a5.5 5.5 0 0 0 0-11.5H9z"/></svg>',
  step: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 4.5v15l10-7.5zM16 4h3v16h-3z"/></svg>',
};
const CHART_FRAMES = 300; // of a camera; a video is shown whole
const POLL_MS = 250;

/** Change an element only where it differs: a click is lost when its icon is replaced meanwhile. */
function set(id, text, kind = "textContent") {
  const element = $(id);
  if (element.dataset.set === text) return;
  element.dataset.set = text;
  element[kind] = text;
}

export class Work {
  /** notice(text, bad) shows a message; info is what the server says of itself. */
  constructor(notice, info) {
    this.notice = notice;
    this.info = info;
    this.rows = new Map(); // rows by frame
    this.targets = new Map(); // newest row by target
    this.selected = null; // target that a box corrects
    this.changes = this.saved = 0; // of the rows; up to the last download
    this.stage = new Stage($("stage"), {
      draft: () => this.update(), begin: () => this.begin(), drawn: () => this.drawn(),
      look: (area) => this.look(area),
    });
    this.chart = new Chart($("chart"), (frame) => this.seek(frame));
    this.stage.lowScore = this.chart.lowScore = info.low_score;
    this.wire();
  }

  wire() {
    for (const id of ["step", "back", "undo"]) $(id).innerHTML = ICONS[id];
    for (const id of ["step", "back"]) $(id).onclick = () => this.move(id);
    $("undo").onclick = () => this.undo();
    $("add").onclick = () => this.track(true);
    $("redetect").onchange = () => this.channel.send({ type: "redetect", on: $("redetect").checked });
    $("zoom-in").onclick = () => this.stage.zoomBy(1.5);
    $("zoom-out").onclick = () => this.stage.zoomBy(1 / 1.5);
    $("zoom-fit").onclick = () => this.stage.zoomFit();
    $("full").onclick = () => this.fill();
    $("play").onclick = () => this.toggle();
    $("track").onclick = (event) => { this.track(); this.handOver(event, "drop-target"); };
    $("drop-target").onclick = (event) => { this.release(); this.handOver(event, "track"); };
    $("seek").oninput = () => this.seek(Number($("seek").value));
    $("devices").onchange = () => this.driver.choose($("devices").value)
      .catch((error) => this.notice(error.message, true));
    $("csv").onclick = () => this.saveBoxes("csv");
    $("json").onclick = () => this.saveBoxes("json");
    $("tracks").onchange = () => this.saveTracks();
    $("video").onclick = () => this.saveVideo();
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("pagehide", () => {
      if (this.session && !this.channel.busy) navigator.sendBeacon(`/api/sessions/${this.session.id}/leave`);
    });
    // Asking keeps the session alive while the page is open and nothing is connected; without rows.
    setInterval(() => this.session && request(`/api/sessions/${this.session.id}/render`).catch(() => {}), 60_000);
  }

  /** Show a session of the server; throws an Error when its camera cannot be opened and it is empty. */
  async open(session) {
    this.session = session;
    this.setRows(session.rows);
    this.saved = session.rows.length ? -1 : this.changes; // who knows what a page before this one saved
    const Driver = session.mode === "camera" ? CameraDriver : VideoDriver;
    this.driver = new Driver(this, session);
    $("seek").hidden = $("step").hidden = $("back").hidden = this.driver.live;
    $("devices").hidden = true;
    document.querySelector(".transport").classList.toggle("camera", this.driver.live);
    this.stage.setDraft(null);
    this.stage.show(null, []);
    for (const id of ["fps", "ms"]) $(id).textContent = "–";
    const channel = new Channel(session.id, {
      message: (message) => this.message(message),
      picture: (header, jpeg) => this.driver.picture(header, jpeg),
      gone: (gone, why) => this.gone(gone, why),
      ended: (text) => this.over(text),
    });
    this.channel = channel;
    try {
      await this.driver.open(channel);
    } catch (error) {
      if (!session.rows.length || !this.driver) {
        await this.close();
        throw error;
      }
      Object.assign(this.driver.state, { ended: true, playing: false });
      this.notice(error.message, true);
    }
    this.update();
    $("stage").focus({ preventScroll: true });
  }

  async close() {
    this.gone(false);
    this.channel?.close();
    this.driver?.close();
    const { session } = this;
    this.session = this.driver = null;
    // Another tab that has it keeps it.
    if (session && !this.channel.busy) await request(`/api/sessions/${session.id}`, "DELETE").catch(() => {});
  }

  /** Whether boxes would be lost now. */
  get unsaved() {
    return this.session && !this.channel.busy && this.rows.size > 0 && this.saved !== this.changes;
  }

  /** why: the words of a server that answers; null where none does. */
  gone(gone, why = null) {
    const words = why ?? `The server at ${location.host} does not answer. Is "ettrack serve" still running?`;
    $("gone").hidden = !gone;
    $("gone").textContent = gone
      ? `${words} This page tries again by itself; the boxes it has seen can be downloaded meanwhile.`
      : "";
  }

  over(text) {
    this.gone(false);
    this.notice(`Tracking has ended: ${text}. Boxes seen so far can still be downloaded.`, true);
    this.driver.state.playing = this.driver.state.tracking = false;
    this.driver.state.ended = true;
    this.update();
  }

  // ---------------------------------------------------------------- from the server
  message(message) {
    if (message.type === "hello") this.setRows(message.session.rows);
    if (message.type === "rows") this.addRows(message);
    if (message.type === "all") {
      this.setRows(message.rows);
      this.changes += 1;
    }
    if (message.type === "state") $("redetect").checked = message.redetect;
    if (message.type === "notice") this.notice(message.message);
    if (message.type === "error") this.notice(message.message, true);
    this.driver.message(message);
    this.update();
  }

  setRows(rows) {
    [this.rows, this.targets] = [new Map(), new Map()];
    for (const row of rows) this.put(row);
    this.lastFrame = rows.length ? rows[rows.length - 1][0] : 0;
    if (!this.targets.has(this.selected)) this.selected = [...this.targets.keys()].pop() ?? null;
  }

  put(row) {
    const others = (this.rows.get(row[0]) ?? []).filter((each) => each[7] !== row[7]);
    this.rows.set(row[0], [...others, row]);
    if (!this.targets.has(row[7])) this.selected = row[7];
    this.targets.set(row[7], row);
  }

  addRows(message) {
    for (const row of message.rows) this.put(row);
    this.changes += 1;
    if (message.fps) $("fps").textContent = message.fps.toFixed(message.fps < 10 ? 1 : 0);
    if (message.ms) $("ms").textContent = message.ms.toFixed(message.ms < 10 ? 1 : 0);
    this.lastFrame = message.rows[message.rows.length - 1][0];
  }

  show(picture, rows, area = null) {
    this.stage.show(picture, rows, area);
    this.update();
  }

  // ---------------------------------------------------------------- from the user
  begin() {
    this.driver.begin();
    this.update();
  }

  /** The pointer is up: a mere click has drawn nothing, and the picture goes on. */
  drawn() {
    if (!this.stage.draft) this.driver?.cancel();
    this.update();
  }

  toggle() {
    this.driver.toggle();
    this.update();
  }

  /** "step" or "back": a frame on or back. */
  move(type) {
    this.stage.setDraft(null);
    this.channel.send({ type });
  }

  undo() {
    if (this.stage.draft) this.escape();
    else this.channel.send({ type: "undo" });
  }

  /** Ask for the part that is shown in more detail, once it has come to rest. */
  look(area) {
    $("zoom-fit").hidden = area === null;
    clearTimeout(this.looking);
    this.looking = setTimeout(() => {
      if (this.driver && !this.driver.live) this.channel.send({ type: "view", box: area });
    }, 60);
  }

  fill() {
    const full = document.body.classList.toggle("full");
    $("full").setAttribute("aria-pressed", String(full));
    this.stage.fit();
  }

  select(id) {
    this.selected = id;
    this.update();
  }

  /** A button that goes leaves the keyboard to the one in its place, the mouse to the picture. */
  handOver(event, next) {
    if (event.detail === 0) this.heir = next; // shown once the server has answered
    else $("stage").focus({ preventScroll: true });
    this.update();
  }

  seek(frame) {
    if (this.driver.live || frame > this.driver.last) return;
    this.stage.setDraft(null);
    this.driver.seek(frame);
  }

  track(anew = false) {
    const box = this.stage.draft;
    if (!box) return;
    this.driver.track(box, anew ? null : this.selected);
    this.stage.setDraft(null);
  }

  release() {
    this.driver.release(this.targets.size > 1 ? this.selected : null);
    this.update();
  }

  remove(id) {
    this.channel.send({ type: "remove", id });
    $("stage").focus({ preventScroll: true });
  }

  escape() {
    if (this.stage.draft) {
      this.stage.setDraft(null);
      this.driver.cancel();
    } else if (this.driver.state.tracking) this.release();
    this.update();
  }

  key(event) {
    // Buttons, sliders and lists keep the keys they use themselves.
    const free = event.target === document.body || event.target === $("stage");
    if (!this.driver || $("leave").open) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "z") return;
      this.undo();
      event.preventDefault();
      return;
    }
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Escape") this.escape();
    else if (event.key === "." && !this.driver.live) this.move("step");
    else if (event.key === "," && !this.driver.live) this.move("back");
    else if (event.key === "f") this.fill();
    else if (event.key === "+" || event.key === "=") this.stage.zoomBy(1.5);
    else if (event.key === "-") this.stage.zoomBy(1 / 1.5);
    else if (event.key === "0") this.stage.zoomFit();
    else if (!free) return;
    else if (this.targets.has(Number(event.key))) this.select(Number(event.key));
    else if (event.key === " ") this.toggle();
    else if (event.key === "Enter") this.track(event.shiftKey);
    else if (arrows[event.key]) this.stage.nudge(...arrows[event.key], event.shiftKey, event.altKey);
    else return;
    event.preventDefault();
  }

  // ---------------------------------------------------------------- what is shown
  update() {
    if (!this.driver) return;
    const { state } = this.driver;
    this.stage.selected = this.selected;
    this.stage.numbered = this.targets.size > 1;
    const row = this.stage.chosen;
    const active = state.active ?? [];
    const drafting = this.stage.draft !== null;
    const low = !drafting && row && row[6] !== null && row[6] < this.info.low_score;
    set("play", state.playing ? ICONS.pause : ICONS.play, "innerHTML");
    $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    $("track").disabled = !drafting;
    set("track", this.selected === null ? "Track" : `Correct target ${this.selected}`);
    $("add").hidden = !drafting || this.selected === null;
    const stoppable = state.tracking && (this.targets.size < 2 || active.includes(this.selected));
    $("drop-target").hidden = !stoppable || drafting;
    set("drop-target", this.targets.size > 1 ? `Stop target ${this.selected}` : "Stop tracking");
    $("track").hidden = stoppable && !drafting;
    if (this.heir && !$(this.heir).hidden) {
      ($(this.heir).disabled ? $("stage") : $(this.heir)).focus({ preventScroll: true });
      this.heir = null;
    }
    set("hint", drafting
      ? this.selected === null ? "Adjust the box if needed, then track what is in it (Enter)."
        : `Adjust the box, then correct target ${this.selected} (Enter) or track a new one (Shift+Enter).`
      : low ? `Score below ${this.info.low_score}: the target may be hidden or gone.` : this.driver.hint());
    $("hint").classList.toggle("low", Boolean(low));
    $("score").textContent = row && row[6] !== null ? row[6].toFixed(2) : "–";
    $("score").classList.toggle("low", Boolean(low));
    this.updateTargets(active);
    this.updatePosition(state);
    this.updateDownloads();
    this.stage.refresh();
  }

  /** One button per target, and one to remove it. */
  updateTargets(active) {
    const shown = [...this.targets].map(([id, row]) => [id, active.includes(id), row[8], id === this.selected]);
    const key = JSON.stringify(shown);
    $("targets").hidden = shown.length === 0;
    if (key === this.listed) return;
    this.listed = key;
    const held = document.activeElement?.dataset.target;
    $("targets").replaceChildren(...shown.map(([id, tracked, lost, chosen]) => {
      const pair = document.createElement("span");
      pair.className = "target";
      const choose = document.createElement("button");
      choose.dataset.target = id;
      choose.setAttribute("aria-pressed", String(chosen));
      const dot = document.createElement("i");
      dot.style.background = colour(id);
      choose.append(dot, `Target ${id}`, Object.assign(document.createElement("small"),
        { textContent: tracked ? (lost ? "lost" : "tracked") : "" }));
      choose.onclick = () => this.select(id);
      pair.append(choose, cross(`Remove target ${id} and its boxes`, () => this.remove(id)));
      return pair;
    }));
    if (held) $("targets").querySelector(`[data-target="${held}"]`)?.focus({ preventScroll: true });
  }

  updatePosition({ frame }) {
    const last = this.driver.live ? Math.max(this.lastFrame, CHART_FRAMES) : this.driver.last;
    const first = this.driver.live ? last - CHART_FRAMES : 0;
    $("position").textContent = this.driver.live ? "" : `${frame + 1} / ${this.driver.total ?? "?"}`;
    $("seek").max = last;
    if (!this.driver.seeking) $("seek").value = frame;
    // Of what is shown alone: an hour of a camera has 100,000 rows, and this runs for every picture.
    const rows = [];
    for (let each = first; each <= last; each++) rows.push(...(this.rows.get(each) ?? []));
    this.chart.set(rows, this.selected, first, last, this.driver.live ? null : frame);
    $("chart-text").hidden = this.rows.size > 1;
    $("legend").hidden = !$("chart-text").hidden;
  }

  updateDownloads() {
    const none = this.rows.size === 0;
    for (const id of ["csv", "json", "tracks", "video"]) $(id).disabled = none;
    $("video").setAttribute("aria-disabled", String(Boolean(this.rendering)));
    $("rows").textContent = none ? "Nothing tracked yet." : `${this.rows.size} frames tracked.`;
  }

  listCameras(devices, current) {
    const cameras = devices.filter((device) => device.kind === "videoinput");
    $("devices").replaceChildren(...cameras.map((camera, k) => {
      const option = new Option(camera.label || `Camera ${k + 1}`, camera.deviceId);
      option.selected = camera.deviceId === current;
      return option;
    }));
    $("devices").hidden = cameras.length < 2;
  }

  // ---------------------------------------------------------------- downloads
  async saveBoxes(kind) {
    const rows = [...this.rows.values()].flat().sort((a, b) => a[0] - b[0] || a[7] - b[7]);
    this.saved = this.changes;
    const whole = await saveBoxes(this.session, rows, kind);
    if (!whole) this.notice("The server is gone; the file holds the boxes this page has seen.");
  }

  saveTracks() {
    const format = $("tracks").value;
    $("tracks").value = "";
    if (format) save(`/api/sessions/${this.session.id}/tracks.${format}`, "");
  }

  async saveVideo() {
    if (this.rendering) return;
    const path = `/api/sessions/${this.session.id}/render`;
    this.rendering = true;
    this.updateDownloads();
    try {
      let state = await request(path, "POST");
      while (state.state === "running") {
        this.showRendering(state.progress);
        await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
        state = await request(path);
      }
      if (state.state === "failed") throw new Error(`The video could not be made: ${state.message}`);
      save(state.url, "");
    } catch (error) {
      this.notice(error.message, true);
    } finally {
      this.rendering = false;
      this.showRendering(null);
      this.updateDownloads();
    }
  }

  showRendering(progress) {
    $("render-bar").hidden = progress === null;
    $("render-bar").value = progress ?? 0;
    $("video").textContent = progress === null ? "Annotated video" : `Making the video… ${Math.round(progress * 100)} %`;
  }
}
