// The picture with its boxes: shows frames, lets the user draw and adjust a box.
// Boxes are [x, y, w, h] in pixels of the full frame, 0-based.

const GOOD = "#4ade80";
const LOW = "#c3c7d1";
const DRAFT = "#ffffff";
const MINIMUM = 4; // pixels of the frame; smaller cannot be meant

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Stage {
  /** handlers: draft(box | null) after each change, begin() when the user starts to draw. */
  constructor(canvas, handlers) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.handlers = handlers;
    this.picture = null;
    this.width = this.height = 0;
    this.row = null;
    this.draft = null;
    this.grip = null;
    this.lowScore = 0;
    new ResizeObserver(() => this.fit()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", () => this.release());
    canvas.addEventListener("pointercancel", () => this.release());
  }

  setSize(width, height) {
    if (width === this.width && height === this.height) return;
    [this.width, this.height] = [width, height];
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    this.canvas.style.width = `min(100%, calc(68vh * ${(width / height).toFixed(4)}))`;
    this.fit();
  }

  fit() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width || !this.width) return;
    this.canvas.width = Math.round(box.width * devicePixelRatio);
    this.canvas.height = Math.round(box.width * this.height / this.width * devicePixelRatio);
    this.paint();
  }

  /** Show a picture (anything drawImage takes) and the row [frame, time, x, y, w, h, score]. */
  show(picture, row) {
    if (this.picture !== picture && this.picture?.close) this.picture.close();
    this.picture = picture;
    this.row = row;
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
    context.drawImage(this.picture, 0, 0, canvas.width, canvas.height);
    if (this.draft) this.paintDraft();
    else if (this.row) this.paintRow();
  }

  /** Box in canvas pixels. */
  scaled([x, y, w, h]) {
    const s = this.canvas.width / this.width;
    return [x * s, y * s, w * s, h * s];
  }

  paintRow() {
    const [, , x, y, w, h, score] = this.row;
    const low = score !== null && score < this.lowScore;
    const box = this.scaled([x, y, w, h]);
    const colour = low ? LOW : GOOD;
    this.stroke(box, colour, low);
    if (score !== null) this.label(score.toFixed(2), box, colour);
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
    const x = (event.clientX - box.left) * this.width / box.width;
    const y = (event.clientY - box.top) * this.height / box.height;
    return [clamp(x, 0, this.width), clamp(y, 0, this.height)];
  }

  press(event) {
    if (!this.picture || !event.isPrimary || event.button !== 0) return;
    event.preventDefault(); // no text selection; so the focus is ours to set
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const [px, py] = this.place(event);
    this.grip = this.grab(px, py, event.pointerType === "mouse" ? 10 : 24);
    if (this.grip.kind === "new") this.handlers.begin();
  }

  /** What lies under the pointer: a corner, the inside of the box, or nothing (a new box). */
  grab(px, py, slop) {
    if (this.draft) {
      const [x, y, w, h] = this.draft;
      const reach = slop * this.width / this.canvas.getBoundingClientRect().width;
      for (const [cx, cy, ox, oy] of [
        [x, y, x + w, y + h], [x + w, y, x, y + h], [x, y + h, x + w, y], [x + w, y + h, x, y]]) {
        if (Math.hypot(px - cx, py - cy) <= reach) return { kind: "corner", anchor: [ox, oy] };
      }
      if (px > x && px < x + w && py > y && py < y + h) return { kind: "move", offset: [px - x, py - y] };
    }
    return { kind: "new", anchor: [px, py] };
  }

  drag(event) {
    if (!this.grip) return;
    const [px, py] = this.place(event);
    if (this.grip.kind === "move") {
      const [, , w, h] = this.draft;
      this.setDraft([px - this.grip.offset[0], py - this.grip.offset[1], w, h]);
      return;
    }
    const [ax, ay] = this.grip.anchor;
    const box = [Math.min(ax, px), Math.min(ay, py), Math.abs(px - ax), Math.abs(py - ay)];
    if (box[2] >= MINIMUM && box[3] >= MINIMUM) this.setDraft(box);
  }

  release() {
    if (this.grip?.kind === "new") this.handlers.drawn();
    this.grip = null;
  }

  // ---------------------------------------------------------------- keyboard
  /** Arrow key: place a box in the middle, move it, or with Shift resize it. */
  nudge(dx, dy, resize, fine) {
    if (!this.picture) return;
    if (!this.draft) {
      this.handlers.begin();
      const last = this.row?.slice(2, 6);
      const [w, h] = [this.width / 4, this.height / 4];
      this.setDraft(last ?? [(this.width - w) / 2, (this.height - h) / 2, w, h]);
      return;
    }
    const step = fine ? 1 : Math.max(1, Math.round(Math.max(this.width, this.height) / 100));
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
