// The panel of one opened video or camera: picture, playback, score, downloads.

import { Channel, request, save, saveBoxes } from "./api.js";
import { CameraDriver } from "./camera.js";
import { Chart } from "./chart.js";
import { Stage } from "./stage.js";
import { VideoDriver } from "./video.js";

const $ = (id) => document.getElementById(id);
const ICONS = {
  play: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4.5v15l13-7.5z"/></svg>',
  pause: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4h4v16H6zM14 4h4v16h-4z"/></svg>',
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
    this.rows = new Map();
    this.stage = new Stage($("stage"), {
      draft: () => this.update(), begin: () => this.begin(), drawn: () => this.update(),
    });
    this.chart = new Chart($("chart"), (frame) => this.seek(frame));
    this.stage.lowScore = this.chart.lowScore = info.low_score;
    this.wire();
  }

  wire() {
    $("step").innerHTML = ICONS.step;
    $("play").onclick = () => this.toggle();
    $("step").onclick = () => this.step();
    $("track").onclick = () => this.track();
    $("drop-target").onclick = () => this.release();
    $("seek").oninput = () => this.seek(Number($("seek").value));
    $("devices").onchange = () => this.driver.choose($("devices").value)
      .catch((error) => this.notice(error.message, true));
    $("csv").onclick = () => this.saveBoxes("csv");
    $("json").onclick = () => this.saveBoxes("json");
    $("video").onclick = () => this.saveVideo();
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("pagehide", () => {
      if (this.session) navigator.sendBeacon(`/api/sessions/${this.session.id}/leave`);
    });
    // Asking keeps the session alive while the page is open and nothing is connected.
    setInterval(() => this.session && request(`/api/sessions/${this.session.id}`).catch(() => {}), 60_000);
  }

  /** Show a session of the server; throws an Error when its camera cannot be opened. */
  async open(session) {
    this.session = session;
    this.rows = new Map(session.rows.map((row) => [row[0], row]));
    const Driver = session.mode === "camera" ? CameraDriver : VideoDriver;
    this.driver = new Driver(this, session);
    $("seek").hidden = $("step").hidden = this.driver.live;
    $("devices").hidden = true;
    document.querySelector(".transport").classList.toggle("camera", this.driver.live);
    this.stage.setDraft(null);
    this.stage.show(null, null);
    for (const id of ["fps", "ms"]) $(id).textContent = "–";
    const channel = new Channel(session.id, {
      message: (message) => this.message(message),
      picture: (header, jpeg) => this.driver.picture(header, jpeg),
      lost: () => this.notice("The connection broke off. Trying again…", true),
      ended: (text) => this.over(text),
    });
    this.channel = channel;
    try {
      await this.driver.open(channel);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.update();
    $("stage").focus({ preventScroll: true });
  }

  async close() {
    this.channel?.close();
    this.driver?.close();
    const { session } = this;
    this.session = this.driver = null;
    if (session) await request(`/api/sessions/${session.id}`, "DELETE").catch(() => {});
  }

  over(text) {
    this.notice(`Tracking has ended: ${text}. Boxes seen so far can still be downloaded.`, true);
    this.driver.state.playing = this.driver.state.tracking = false;
    this.driver.state.ended = true;
    this.update();
  }

  // ---------------------------------------------------------------- from the server
  message(message) {
    if (message.type === "hello") this.rows = new Map(message.session.rows.map((row) => [row[0], row]));
    if (message.type === "rows") this.addRows(message);
    if (message.type === "all") this.rows = new Map(message.rows.map((row) => [row[0], row]));
    if (message.type === "notice") this.notice(message.message);
    if (message.type === "error") this.notice(message.message, true);
    this.driver.message(message);
    this.update();
  }

  addRows(message) {
    for (const row of message.rows) this.rows.set(row[0], row);
    if (message.fps) $("fps").textContent = message.fps.toFixed(message.fps < 10 ? 1 : 0);
    if (message.ms) $("ms").textContent = message.ms.toFixed(message.ms < 10 ? 1 : 0);
    this.lastFrame = message.rows[message.rows.length - 1][0];
  }

  show(picture, row, frame) {
    this.stage.show(picture, row);
    if (frame !== null) this.update();
  }

  // ---------------------------------------------------------------- from the user
  begin() {
    this.driver.begin();
    this.update();
  }

  toggle() {
    this.driver.toggle();
    this.update();
  }

  step() {
    this.stage.setDraft(null);
    this.driver.step();
  }

  seek(frame) {
    if (this.driver.live || frame > this.driver.last) return;
    this.stage.setDraft(null);
    this.driver.seek(frame);
  }

  track() {
    const box = this.stage.draft;
    if (!box) return;
    this.driver.track(box);
    this.stage.setDraft(null);
  }

  release() {
    this.driver.release();
    this.update();
  }

  escape() {
    if (this.stage.draft) {
      this.stage.setDraft(null);
      this.driver.cancel();
    } else if (this.driver.state.tracking) this.driver.release();
    this.update();
  }

  key(event) {
    // Buttons, sliders and lists keep the keys they use themselves.
    const free = event.target === document.body || event.target === $("stage");
    if (!this.driver || event.ctrlKey || event.metaKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Escape") this.escape();
    else if (event.key === "." && !this.driver.live) this.step();
    else if (!free) return;
    else if (event.key === " ") this.toggle();
    else if (event.key === "Enter") this.track();
    else if (arrows[event.key]) this.stage.nudge(...arrows[event.key], event.shiftKey, event.altKey);
    else return;
    event.preventDefault();
  }

  // ---------------------------------------------------------------- what is shown
  update() {
    if (!this.driver) return;
    const { state } = this.driver;
    const row = this.stage.row;
    const drafting = this.stage.draft !== null;
    const low = !drafting && row && row[6] !== null && row[6] < this.info.low_score;
    set("play", state.playing ? ICONS.pause : ICONS.play, "innerHTML");
    $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    $("track").disabled = !drafting;
    $("drop-target").hidden = !state.tracking || drafting;
    $("track").hidden = state.tracking && !drafting;
    set("hint", drafting
      ? "Adjust the box if needed, then track what is in it (Enter)."
      : low ? `Score below ${this.info.low_score}: the target may be hidden or gone.` : this.driver.hint());
    $("hint").classList.toggle("low", Boolean(low));
    $("score").textContent = row && row[6] !== null ? row[6].toFixed(2) : "–";
    $("score").classList.toggle("low", Boolean(low));
    this.updatePosition(state);
    this.updateDownloads();
  }

  updatePosition({ frame }) {
    const last = this.driver.live ? Math.max(this.lastFrame ?? 0, CHART_FRAMES) : this.driver.last;
    const first = this.driver.live ? last - CHART_FRAMES : 0;
    $("position").textContent = this.driver.live ? "" : `${frame + 1} / ${this.driver.total ?? "?"}`;
    $("seek").max = last;
    if (!this.driver.seeking) $("seek").value = frame;
    this.chart.set([...this.rows.values()], first, last, this.driver.live ? null : frame);
    $("chart-text").hidden = this.rows.size > 1;
  }

  updateDownloads() {
    const none = this.rows.size === 0;
    $("csv").disabled = $("json").disabled = none;
    $("video").disabled = none || this.rendering;
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
    const rows = [...this.rows.values()].sort((a, b) => a[0] - b[0]);
    const whole = await saveBoxes(this.session, rows, kind);
    if (!whole) this.notice("The server is gone; the file holds the boxes this page has seen.");
  }

  async saveVideo() {
    const path = `/api/sessions/${this.session.id}`;
    this.rendering = true;
    this.updateDownloads();
    try {
      let state = await request(`${path}/render`, "POST");
      while (state.state === "running") {
        this.showRendering(state.progress);
        await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
        state = (await request(path)).rendering;
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
