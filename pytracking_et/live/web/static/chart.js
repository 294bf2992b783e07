// The score of every tracked frame as a curve. Rows are [frame, time, x, y, w, h, score, id, lost].

import { colour } from "./stage.js";

const LEFT = 32;
const BOTTOM = 16;
const TOP = 6;

export class Chart {
  /** pick(frame) is called when the user clicks on a frame. */
  constructor(canvas, pick) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.rows = this.all = [];
    this.first = 0;
    this.last = 1;
    this.cursor = null;
    this.hover = null;
    this.lowScore = 0;
    new ResizeObserver(() => this.paint()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    canvas.addEventListener("pointermove", (event) => { this.hover = this.frameAt(event); this.refresh(); });
    canvas.addEventListener("pointerleave", () => { this.hover = null; this.refresh(); });
    canvas.addEventListener("click", (event) => pick(this.frameAt(event)));
  }

  /** Show rows between two frame numbers; cursor marks the frame on the screen.
      target: whose curve is in front. */
  set(rows, target, first, last, cursor) {
    this.all = rows;
    this.rows = rows.filter((row) => row[7] === target);
    this.target = target;
    this.first = first;
    this.last = Math.max(last, first + 1);
    this.cursor = cursor;
    this.refresh();
  }

  refresh() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  frameAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = (event.clientX - box.left - LEFT) / (box.width - LEFT - 4);
    return Math.round(this.first + Math.min(Math.max(part, 0), 1) * (this.last - this.first));
  }

  x(frame) {
    return LEFT + (frame - this.first) / (this.last - this.first) * (this.wide - LEFT - 4);
  }

  y(score) {
    // Where the threshold is close to 1, so are most scores: a root gives them room.
    const down = this.lowScore > 0.9 ? Math.sqrt(1 - score) : 1 - score;
    return TOP + down * (this.high - TOP - BOTTOM);
  }

  paint() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    [this.wide, this.high] = [box.width, box.height];
    this.canvas.width = Math.round(box.width * devicePixelRatio);
    this.canvas.height = Math.round(box.height * devicePixelRatio);
    this.context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.paintLost();
    this.paintAxes();
    for (const id of new Set(this.all.map((row) => row[7]))) {
      if (id !== this.target) this.paintCurve(this.all.filter((row) => row[7] === id), id);
    }
    this.paintCurve(this.rows, this.target);
    this.paintDrawn();
    this.paintCursor();
    this.paintHover();
  }

  paintAxes() {
    const { context } = this;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = this.colour("soft");
    context.strokeStyle = this.colour("line");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const score of this.lowScore > 0.9 ? [0, 0.5, 0.9, 0.99, 1] : [0, 0.5, 1]) {
      context.fillText(String(score), LEFT - 5, this.y(score));
      this.horizontal(score);
    }
    context.textBaseline = "bottom";
    context.fillText(String(this.last), this.wide - 2, this.high);
    context.textAlign = "left";
    context.fillText(String(this.first), LEFT, this.high);
    context.setLineDash([4, 4]);
    context.strokeStyle = this.colour("low");
    this.horizontal(this.lowScore);
    context.setLineDash([]);
  }

  /** Spans in which the target was lost, shaded over the full height. */
  paintLost() {
    this.context.fillStyle = this.colour("lost");
    for (const [frame, , , , , , , , lost] of this.rows) {
      if (!lost || frame < this.first || frame > this.last) continue;
      const [from, to] = [this.x(frame - 0.5), this.x(frame + 0.5)];
      this.context.fillRect(from, TOP, Math.max(to - from, 1), this.high - TOP - BOTTOM);
    }
  }

  /** Boxes that the user drew: small triangles on the axis. */
  paintDrawn() {
    const { context } = this;
    context.fillStyle = this.colour("text");
    for (const [frame, , , , , , score] of this.rows) {
      if (score !== null || frame < this.first) continue;
      const [x, y] = [this.x(frame), this.high - BOTTOM];
      context.beginPath();
      context.moveTo(x, y - 7);
      context.lineTo(x + 4.5, y);
      context.lineTo(x - 4.5, y);
      context.fill();
    }
  }

  horizontal(score) {
    this.stroke([[LEFT, this.y(score)], [this.wide - 4, this.y(score)]]);
  }

  paintCursor() {
    if (this.cursor === null) return;
    this.context.strokeStyle = this.colour("accent");
    this.context.lineWidth = 1.5;
    this.stroke([[this.x(this.cursor), TOP], [this.x(this.cursor), this.high - BOTTOM]]);
  }

  stroke(points) {
    this.context.beginPath();
    for (const point of points) this.context.lineTo(...point);
    this.context.stroke();
  }

  /** Lowest score per pixel column (drops must stay visible), grey where it is below the threshold. */
  paintCurve(rows, id) {
    const points = [];
    for (const [frame, , , , , , score] of rows) {
      if (score === null || frame < this.first || frame > this.last) continue;
      const x = Math.round(this.x(frame) * 2) / 2;
      const previous = points[points.length - 1];
      if (previous && previous[0] === x) previous[1] = Math.min(previous[1], score);
      else points.push([x, score]);
    }
    const column = Math.max(6, 4 * (this.wide - LEFT) / (this.last - this.first));
    this.context.lineWidth = id === this.target ? 2 : 1;
    this.context.globalAlpha = id === this.target ? 1 : 0.5;
    this.tint = this.all.length === this.rows.length ? this.colour("good") : colour(id);
    this.context.lineJoin = "round";
    let run = [];
    for (const point of points) {
      const previous = run[run.length - 1];
      const gap = previous && point[0] - previous[0] > column; // not tracked in between
      if (previous && (gap || this.isLow(point) !== this.isLow(previous))) {
        this.paintRun(gap ? run : [...run, point]);
        run = [];
      }
      run.push(point);
    }
    this.paintRun(run);
    this.context.globalAlpha = 1;
  }

  isLow([, score]) {
    return score < this.lowScore;
  }

  paintRun(run) {
    if (!run.length) return;
    this.context.strokeStyle = this.isLow(run[0]) ? this.colour("low") : this.tint;
    this.stroke(run.map(([x, score]) => [x, this.y(score)]));
  }

  paintHover() {
    const row = this.hover === null ? null : this.rows.find((r) => r[0] === this.hover);
    if (!row || row[6] === null) return;
    const { context } = this;
    const [x, y] = [this.x(row[0]), this.y(row[6])];
    context.fillStyle = this.colour("text");
    context.beginPath();
    context.arc(x, y, 3.5, 0, 2 * Math.PI);
    context.fill();
    const text = `frame ${row[0]}: ${row[6].toFixed(3)}${row[8] ? ", lost" : ""}`;
    const width = context.measureText(text).width;
    context.textAlign = "left";
    context.textBaseline = "middle";
    const left = Math.min(Math.max(x - width / 2, LEFT + 4), this.wide - width - 8);
    const top = y > 40 ? y - 16 : y + 16;
    context.fillStyle = this.colour("card");
    context.fillRect(left - 4, top - 9, width + 8, 18);
    context.fillStyle = this.colour("text");
    context.fillText(text, left, top);
  }
}
