// The picture with its boxes: shows frames, lets the user draw and adjust a box.
// Boxes are [x, y, w, h] in pixels of the full frame, 0-based.

const LOW = "#c3c7d1";
const DRAFT = "#ffffff";
const MINIMUM = 4; // pixels of the frame; smaller cannot be meant

const ZOOM = 20; // at most; a target of 10 pixels is then a fifth of a window

/** CSS colour of target number `id`, the one of the annotated video (draw.py). */
export function colour(id) {
  const hue = (0.36 + (id - 1) * 0.618033988749895) % 1;
  const value = Math.floor((id - 1) / 8) % 2 ? 0.72 : 1;
  const light = value * (1 - 0.85 / 2);
  const rich = (value - light) / Math.min(light, 1 - light);
  return `hsl(${Math.round(hue * 360)} ${Math.round(rich * 100)}% ${Math.round(light * 100)}%)`;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Stage {
  /** handlers: draft(box | null) after each change, begin() when the user starts to draw,
      drawn() at the end of it, look(area) when another part of the picture is shown. */
  constructor(canvas, handlers) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.handlers = handlers;
    this.picture = null;
    this.width = this.height = 0;
    this.rows = [];
    this.selected = null;
    this.draft = null;
    this.grip = null;
    this.lowScore = 0;
    this.zoom = 1; // 1: the whole picture
    this.corner = [0, 0]; // of the part that is shown, in pixels of the frame
    this.area = null; // part of the frame that the picture covers
    this.fingers = new Map();
    new ResizeObserver(() => this.fit()).observe(canvas.parentElement);
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.release(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), this.place(event));
    }, { passive: false });
  }

  setSize(width, height) {
    if (width === this.width && height === this.height) return;
    [this.width, this.height] = [width, height];
    [this.zoom, this.corner] = [1, [0, 0]];
    this.fit();
  }

  /** As large as its place allows. */
  fit() {
    const place = this.canvas.parentElement.getBoundingClientRect();
    if (!place.width || !this.width) return;
    const scale = Math.min(place.width / this.width, place.height / this.height);
    const [width, height] = [this.width * scale, this.height * scale];
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    this.paint();
  }

  // ---------------------------------------------------------------- zoom
  zoomBy(factor, around = this.middle()) {
    const zoom = clamp(this.zoom * factor, 1, ZOOM);
    const ratio = this.zoom / zoom;
    this.zoom = zoom;
    this.look(around.map((value, k) => value - (value - this.corner[k]) * ratio));
  }

  zoomFit() {
    this.zoom = 1;
    this.look([0, 0]);
  }

  /** What zooming by key goes to: the box that is drawn or chosen, else the middle. */
  middle() {
    const box = this.draft ?? this.chosen?.slice(2, 6);
    const seen = [this.width / this.zoom, this.height / this.zoom];
    return box ? [box[0] + box[2] / 2, box[1] + box[3] / 2]
      : [this.corner[0] + seen[0] / 2, this.corner[1] + seen[1] / 2];
  }

  look([x, y]) {
    const [w, h] = [this.width / this.zoom, this.height / this.zoom];
    this.corner = [clamp(x, 0, this.width - w), clamp(y, 0, this.height - h)];
    this.canvas.dataset.zoom = this.zoom.toFixed(2);
    this.refresh();
    this.handlers.look(this.zoom === 1 ? null : [...this.corner, w, h]);
  }

  /** Row of the chosen target on the frame that is shown. */
  get chosen() {
    return this.rows.find((row) => row[7] === this.selected) ?? null;
  }

  /** Show a picture (anything drawImage takes) and its rows [frame, time, x, y, w, h, score, id, lost].
      area: part of the frame that the picture covers, null for all of it. */
  show(picture, rows, area = null) {
    if (this.picture !== picture && this.picture?.close) this.picture.close();
    this.picture = picture;
    this.area = area;
    this.rows = rows;
    this.canvas.dataset.shown = picture ? "yes" : "no"; // for tests to wait for
    this.refresh();
  }

  setDraft(box) {
    this.draft = box && this.limit(box);
    this.refresh();
    this.handlers.draft(this.draft);
  }

  refresh() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  // ---------------------------------------------------------------- painting
  paint() {
    const { context, canvas } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.picture || !this.width) return;
    context.imageSmoothingEnabled = this.zoom < 8;
    context.drawImage(this.picture, ...this.scaled(this.area ?? [0, 0, this.width, this.height]));
    for (const row of this.rows) if (!this.draft || row[7] !== this.selected) this.paintRow(row);
    if (this.draft) this.paintDraft();
  }

  /** Box in canvas pixels. */
  scaled([x, y, w, h]) {
    const s = this.canvas.width / this.width * this.zoom;
    return [(x - this.corner[0]) * s, (y - this.corner[1]) * s, w * s, h * s];
  }

  paintRow([, , x, y, w, h, score, id, lost]) {
    const low = score !== null && score < this.lowScore;
    const box = this.scaled([x, y, w, h]);
    const tint = low ? LOW : colour(id);
    this.stroke(box, tint, low);
    const words = [lost ? "lost" : "", score === null ? "" : score.toFixed(2)].filter(Boolean).join(" ");
    const text = this.numbered ? `${id}${words && ": "}${words}` : words;
    if (text) this.label(text, box, tint);
  }

  stroke(box, colour, broken) {
    const { context } = this;
    const unit = devicePixelRatio;
    context.save();
    context.lineJoin = "round";
    context.strokeStyle = "#000a";
    context.lineWidth = 5 * unit;
    if (broken) context.setLineDash([9 * unit, 6 * unit]);
    context.strokeRect(...box);
    context.strokeStyle = colour;
    context.lineWidth = 2.5 * unit;
    context.strokeRect(...box);
    context.restore();
  }

  label(text, [x, y, , h], colour) {
    const { context } = this;
    const unit = devicePixelRatio;
    context.font = `600 ${13 * unit}px system-ui, sans-serif`;
    const width = context.measureText(text).width + 12 * unit;
    const height = 20 * unit;
    const above = y - height - 4 * unit;
    const top = above >= 0 ? above : Math.min(y + h + 4 * unit, this.canvas.height - height);
    const left = clamp(x - 1.25 * unit, 0, this.canvas.width - width);
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(left, top, width, height, 5 * unit);
    context.fill();
    context.fillStyle = "#06130b";
    context.textBaseline = "middle";
    context.fillText(text, left + 6 * unit, top + height / 2 + unit);
  }

  paintDraft() {
    const { context, canvas } = this;
    const box = this.scaled(this.draft);
    const [x, y, w, h] = box;
    context.fillStyle = "#0007";
    context.beginPath();
    context.rect(0, 0, canvas.width, canvas.height);
    context.rect(x, y, w, h);
    context.fill("evenodd");
    this.stroke(box, DRAFT, false);
    const radius = 6 * devicePixelRatio;
    context.lineWidth = 1.5 * devicePixelRatio;
    for (const [cx, cy] of [[x, y], [x + w, y], [x, y + h], [x + w, y + h]]) {
      context.beginPath();
      context.arc(cx, cy, radius, 0, 2 * Math.PI);
      context.fillStyle = DRAFT;
      context.fill();
      context.strokeStyle = "#000a";
      context.stroke();
    }
  }

  // ---------------------------------------------------------------- pointer
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = this.corner[0] + (event.clientX - box.left) * this.width / box.width / this.zoom;
    const y = this.corner[1] + (event.clientY - box.top) * this.height / box.height / this.zoom;
    return [clamp(x, 0, this.width), clamp(y, 0, this.height)];
  }

  press(event) {
    if (!this.picture) return;
    event.preventDefault(); // no text selection; so the focus is ours to set
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.fingers.size === 2) {
      if (this.grip?.kind === "new") { // the first finger was no drawing
        this.setDraft(this.grip.before);
        this.handlers.drawn();
      }
      this.grip = { kind: "pinch" };
      return;
    }
    const [px, py] = this.place(event);
    if (event.button === 1 || event.button === 2) {
      this.grip = { kind: "pan", at: [px, py] };
      return;
    }
    if (!event.isPrimary || event.button !== 0) return;
    this.grip = this.grab(px, py, event.pointerType === "mouse" ? 10 : 24);
    if (this.grip.kind === "new") this.handlers.begin();
  }

  /** What lies under the pointer: a corner, the inside of the box, or nothing (a new box). */
  grab(px, py, slop) {
    if (this.draft) {
      const [x, y, w, h] = this.draft;
      const reach = slop * this.width / this.canvas.getBoundingClientRect().width / this.zoom;
      for (const [cx, cy, ox, oy] of [
        [x, y, x + w, y + h], [x + w, y, x, y + h], [x, y + h, x + w, y], [x + w, y + h, x, y]]) {
        if (Math.hypot(px - cx, py - cy) <= reach) return { kind: "corner", anchor: [ox, oy] };
      }
      if (px > x && px < x + w && py > y && py < y + h) return { kind: "move", offset: [px - x, py - y] };
    }
    return { kind: "new", anchor: [px, py], before: this.draft };
  }

  drag(event) {
    if (!this.grip) return;
    if (this.grip.kind === "pinch") {
      this.pinch(event);
      return;
    }
    const [px, py] = this.place(event);
    if (this.grip.kind === "pan") {
      this.look(this.corner.map((value, k) => value + this.grip.at[k] - [px, py][k]));
      return;
    }
    if (this.grip.kind === "move") {
      const [, , w, h] = this.draft;
      this.setDraft([px - this.grip.offset[0], py - this.grip.offset[1], w, h]);
      return;
    }
    const [ax, ay] = this.grip.anchor;
    const box = [Math.min(ax, px), Math.min(ay, py), Math.abs(px - ax), Math.abs(py - ay)];
    if (box[2] >= MINIMUM && box[3] >= MINIMUM) this.setDraft(box);
  }

  /** Two fingers: what lay under them stays under them. */
  pinch(event) {
    const before = [...this.fingers.values()];
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const after = [...this.fingers.values()];
    if (after.length !== 2) return;
    const gap = ([a, b]) => Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
    const mid = ([a, b]) => ({ clientX: (a[0] + b[0]) / 2, clientY: (a[1] + b[1]) / 2 });
    const held = this.place(mid(before));
    this.zoomBy(gap(after) / gap(before), held);
    const now = this.place(mid(after));
    this.look(this.corner.map((value, k) => value + held[k] - now[k]));
  }

  release(event) {
    this.fingers.delete(event.pointerId);
    if (this.grip?.kind === "new") this.handlers.drawn();
    if (this.grip?.kind !== "pinch" || !this.fingers.size) this.grip = null;
  }

  // ---------------------------------------------------------------- keyboard
  /** Arrow key: place a box in the middle, move it, or with Shift resize it. */
  nudge(dx, dy, resize, fine) {
    if (!this.picture) return;
    if (!this.draft) {
      this.handlers.begin();
      const last = this.chosen?.slice(2, 6);
      const [w, h] = [this.width / 4 / this.zoom, this.height / 4 / this.zoom];
      const [x, y] = this.middle();
      this.setDraft(last ?? [x - w / 2, y - h / 2, w, h]);
      return;
    }
    const step = fine ? 1 : Math.max(1, Math.round(Math.max(this.width, this.height) / this.zoom / 100));
    const [x, y, w, h] = this.draft;
    this.setDraft(resize
      ? [x, y, Math.max(MINIMUM, w + dx * step), Math.max(MINIMUM, h + dy * step)]
      : [x + dx * step, y + dy * step, w, h]);
  }

  limit([x, y, w, h]) {
    const [width, height] = [clamp(w, MINIMUM, this.width), clamp(h, MINIMUM, this.height)];
    return [clamp(x, 0, this.width - width), clamp(y, 0, this.height - height), width, height]
      .map((value) => Math.round(value * 100) / 100);
  }
}
