"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip");
  const hidden = new Set();
  const redraws = [];

  function make(name, attributes, parent, text) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  }

  function draw(name, attributes, parent, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  }

  function showTip(event, title, rows) {
    tip.replaceChildren(make("div", {}, null, title));
    const table = make("table", {}, tip);
    for (const row of rows) {
      const line = make("tr", {}, table);
      const name = make("td", {}, line);
      make("i", { style: `background:${row.color}` }, name);
      name.append(row.label);
      make("td", {}, line, row.value);
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const right = event.clientX + 16 + box.width < innerWidth;
    tip.style.left = `${Math.max(4, right ? event.clientX + 16 : event.clientX - box.width - 16)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - box.height - 8))}px`;
  }
  const hideTip = () => { tip.hidden = true; };

  // A frame with grid and axis labels; returns scales and the group to draw into.
  function frame(parent, o) {
    const m = { left: 40, right: 18, top: 8, bottom: o.xlabel ? 38 : 22 };
    const svg = draw("svg", { viewBox: `0 0 ${o.width} ${o.height}`, role: "img", "aria-label": o.label }, parent);
    const w = o.width - m.left - m.right;
    const h = o.height - m.top - m.bottom;
    const place = o.log ? Math.log : (v) => v;
    const [a, b] = o.xlim.map(place);
    const sx = (v) => m.left + ((place(v) - a) / (b - a || 1)) * w;
    const sy = (v) => m.top + h - ((v - o.ylim[0]) / (o.ylim[1] - o.ylim[0])) * h;
    for (const v of o.yticks) {
      draw("line", { class: "grid", x1: m.left, x2: m.left + w, y1: sy(v), y2: sy(v) }, svg);
      draw("text", { x: m.left - 6, y: sy(v) + 4, "text-anchor": "end" }, svg, v);
    }
    for (const v of o.xticks) {
      draw("line", { class: "grid", x1: sx(v), x2: sx(v), y1: m.top, y2: m.top + h }, svg);
      draw("text", { x: sx(v), y: m.top + h + 15, "text-anchor": "middle" }, svg, v);
    }
    draw("path", { class: "axis", fill: "none", d: `M${m.left} ${m.top}V${m.top + h}H${m.left + w}` }, svg);
    if (o.xlabel) draw("text", { x: m.left + w / 2, y: o.height - 4, "text-anchor": "middle" }, svg, o.xlabel);
    if (o.ylabel) draw("text", { x: 10, y: m.top + h / 2, "text-anchor": "middle", transform: `rotate(-90 10 ${m.top + h / 2})` }, svg, o.ylabel);
    return { svg, sx, sy, m, w, h };
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw);
    const found = [];
    for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(+v.toFixed(6));
    return found;
  }

  // Lines over x with a rule that follows the pointer. series: [{label, color, dash, y}]
  function lines(parent, o) {
    const f = frame(parent, o);
    if (o.under) o.under(f);
    const paths = o.series.map((s) => {
      let d = "";
      let pen = "M";
      s.y.forEach((v, i) => {
        if (v === null) { pen = "M"; return; }
        d += `${pen}${f.sx(o.x[i]).toFixed(1)} ${f.sy(v).toFixed(1)}`;
        pen = "L";
      });
      return draw("path", { class: "line", d, stroke: s.color, "stroke-dasharray": s.dash || "none" }, f.svg);
    });
    const rule = draw("line", { class: "rule", y1: f.m.top, y2: f.m.top + f.h, visibility: "hidden" }, f.svg);
    const move = (event) => {
      const box = f.svg.getBoundingClientRect();
      const px = ((event.clientX - box.left) / box.width) * o.width;
      let best = 0;
      o.x.forEach((v, i) => { if (Math.abs(f.sx(v) - px) < Math.abs(f.sx(o.x[best]) - px)) best = i; });
      rule.setAttribute("x1", f.sx(o.x[best]));
      rule.setAttribute("x2", f.sx(o.x[best]));
      rule.setAttribute("visibility", "visible");
      const rows = o.series
        .filter((s) => !hidden.has(s.label) && s.y[best] !== null)
        .sort((s, t) => t.y[best] - s.y[best])
        .map((s) => ({ label: s.label, color: s.color, value: s.y[best].toFixed(o.digits) }));
      showTip(event, o.tipTitle(o.x[best], best), rows);
    };
    f.svg.addEventListener("pointermove", move);
    f.svg.addEventListener("pointerdown", move);
    f.svg.addEventListener("pointerleave", () => { rule.setAttribute("visibility", "hidden"); hideTip(); });
    redraws.push(() => paths.forEach((p, i) => { p.style.display = hidden.has(o.series[i].label) ? "none" : ""; }));
  }

  function curves() {
    const holder = document.getElementById("plots");
    for (const plot of data.plots) {
      const card = make("div", { class: "plot" }, holder);
      make("h3", {}, card, plot.title);
      const top = plot.x[plot.x.length - 1];
      lines(card, {
        label: plot.title, width: 420, height: 300, x: plot.x, xlim: [0, top], ylim: [0, 100],
        xticks: ticks(0, top, 5), yticks: [0, 20, 40, 60, 80, 100], xlabel: plot.xlabel,
        ylabel: plot.ylabel, digits: 1,
        series: data.styles.map((s, i) => ({ ...s, y: plot.y[i] })),
        tipTitle: (x) => `${plot.xlabel} ${x}`,
      });
      const order = data.styles.map((s, i) => [plot.figure[i], s.label]).sort((a, b) => b[0] - a[0]);
      make("p", { class: "note" }, card, `${plot.figureName}: ${order.slice(0, 8).map(([v, n]) => `${n} ${v}`).join(", ")}${order.length > 8 ? ", ..." : ""}`);
    }
  }

  function legend() {
    const holder = document.getElementById("legend");
    for (const style of data.styles) {
      const button = make("button", { type: "button", "aria-pressed": "true", title: "show or hide" }, holder);
      const swatch = draw("svg", { class: "swatch", width: 26, height: 10 }, button);
      draw("line", { x1: 0, x2: 26, y1: 5, y2: 5, stroke: style.color, "stroke-width": 3, "stroke-dasharray": style.dash || "none" }, swatch);
      button.append(style.label);
      button.addEventListener("click", () => {
        const off = !hidden.delete(style.label);
        if (off) hidden.add(style.label);
        button.setAttribute("aria-pressed", String(!off));
        redraws.forEach((one) => one());
      });
    }
  }

  function speed() {
    const holder = document.getElementById("speed-plot");
    if (!holder) return;
    if (!data.speed || !data.speed.runs.length) {
      holder.className = "note";
      holder.textContent = "No run here has recorded times, so none is placed in accuracy against speed.";
      return;
    }
    make("h3", {}, holder, data.speed.title);
    if (data.speed.caveat) make("p", { class: "warn" }, holder, data.speed.caveat);
    const all = [...data.speed.published, ...data.speed.runs];
    const xs = all.map((p) => p.x);
    const ys = all.map((p) => p.y);
    const xlim = [Math.min(...xs) / 1.5, Math.max(...xs) * 1.8];
    const ylim = [Math.floor((Math.min(...ys) - 1) / 5) * 5, Math.ceil((Math.max(...ys) + 1) / 5) * 5];
    const f = frame(holder, {
      label: data.speed.title, width: 860, height: 360, log: true, xlim, ylim,
      xticks: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((v) => v >= xlim[0] && v <= xlim[1]),
      yticks: ticks(ylim[0], ylim[1], 6), xlabel: "frames per second on a CPU (log; machines differ)", ylabel: "AUC, %",
    });
    const color = Object.fromEntries(data.styles.map((s) => [s.label, s.color]));
    const taken = [];
    // Beside, below, left of the dot: the first place that is free; else the name shows on hover.
    const name = (p, own) => {
      const text = draw("text", { class: own ? "name" : "" }, f.svg, p.label);
      const width = text.getComputedTextLength();
      const [x, y] = [f.sx(p.x), f.sy(p.y)];
      const gap = own ? 11 : 8;
      const places = [[x + gap, y + 4], [x + gap, y - 7], [x + gap, y + 15], [x - gap - width, y + 4], [x - gap - width, y - 7], [x - gap - width, y + 15], [x - width / 2, y - 12], [x - width / 2, y + 22]];
      const free = places.find(([u, v]) => u > f.m.left && u + width < f.m.left + f.w && v < f.m.top + f.h && taken.every((t) => u > t[2] || u + width < t[0] || v - 10 > t[3] || v + 2 < t[1]));
      if (!free) { text.remove(); return; }
      text.setAttribute("x", free[0]);
      text.setAttribute("y", free[1]);
      taken.push([free[0], free[1] - 10, free[0] + width, free[1] + 2]);
    };
    const dot = (p, own) => {
      const ink = own ? color[p.label] : "#808890";
      const r = own ? 7 : 4.5;
      const c = draw("circle", { cx: f.sx(p.x), cy: f.sy(p.y), r, fill: ink, stroke: own ? "currentColor" : "none" }, f.svg);
      taken.push([f.sx(p.x) - r, f.sy(p.y) - r, f.sx(p.x) + r, f.sy(p.y) + r]);
      c.addEventListener("pointermove", (e) => showTip(e, p.label + (own ? " (this run)" : " (published)"), [
        { color: ink, label: "AUC", value: p.y.toFixed(1) }, { color: ink, label: "fps", value: p.x.toFixed(1) }]));
      c.addEventListener("pointerleave", hideTip);
    };
    data.speed.published.forEach((p) => dot(p, false));
    data.speed.runs.forEach((p) => dot(p, true));
    data.speed.runs.forEach((p) => name(p, true));
    data.speed.published.forEach((p) => name(p, false));
  }

  // Boxes lie over the picture, as lines of one width at any size of it.
  function shot(parent, one, p, width) {
    const holder = make("span", { class: "shot" }, parent);
    make("img", { src: p.uri, width: p.size[0], height: p.size[1], alt: `frame ${p.frame + 1} of ${one.name}` }, holder);
    const svg = draw("svg", { viewBox: `0 0 ${p.size[0]} ${p.size[1]}`, "aria-hidden": "true" }, holder);
    const scale = width / p.size[0];
    const box = (at, attributes) => {
      if (!at) return;
      // A small target is not covered by the line around it.
      const gap = (Math.min(at[2], at[3]) * scale < 30 ? 3 : 1) / scale;
      draw("rect", { x: at[0] - gap, y: at[1] - gap, width: at[2] + 2 * gap, height: at[3] + 2 * gap, ...attributes }, svg);
    };
    box(p.truth, { stroke: "#000", "stroke-width": 3.4 });
    box(p.truth, { stroke: "#fff", "stroke-width": 1.6 });
    // The first tracker is what the strip is about: drawn last, on top.
    for (let i = data.drawn.length - 1; i >= 0; i--) {
      box(p.boxes[i], { stroke: data.drawn[i].color, "stroke-dasharray": data.drawn[i].dash || "none", "stroke-width": 2 });
    }
    return holder;
  }
  const told = (p) => `#${p.frame + 1} \u00b7 ${p.iou === null ? "absent" : p.lost ? "lost" : `IoU ${p.iou.toFixed(2)}`}${p.detail ? " \u00b7 detail" : ""}`;

  // The picture large, with the strip's others to the left and right of it.
  const large = document.getElementById("large");
  function enlarge(one, at) {
    const p = one.strip[at];
    const width = Math.min(innerWidth * 0.94, ((innerHeight * 0.86) / p.size[1]) * p.size[0]);
    const close = make("button", { type: "button" }, null, "Close");
    const without = make("button", { type: "button", "aria-pressed": "false" }, null, "Hide boxes");
    const head = make("header", {}, null);
    make("strong", {}, head, `${one.name} ${told(p)}`);
    head.append(without, close);
    large.replaceChildren(head);
    const picture = shot(large, one, p, width);
    picture.style.width = `${width}px`;
    close.addEventListener("click", () => large.close());
    without.addEventListener("click", () => without.setAttribute("aria-pressed", String(picture.classList.toggle("bare"))));
    large.onkeydown = (event) => {
      const next = at + ({ ArrowLeft: -1, ArrowRight: 1 }[event.key] || 0);
      if (next !== at && one.strip[next] && one.strip[next].uri) { event.preventDefault(); enlarge(one, next); }
    };
    if (!large.open) large.showModal();
    close.focus();
  }

  function strips() {
    const key = document.getElementById("strip-key");
    const holder = document.getElementById("strip-list");
    const entry = (cls, style, text) => { const s = make("span", {}, key); make("b", { class: cls, style }, s); s.append(text); };
    const anyPicture = data.sequences.some((s) => s.strip.length);
    if (anyPicture) entry("truth", "", "ground truth");
    data.drawn.forEach((s) => entry("", `border-color:${s.color};border-style:${s.dash ? "dashed" : "solid"}`, s.label));
    entry("fill", "background:var(--lost)", `${data.first} has lost the target (IoU 0)`);
    entry("fill", "background:var(--absent)", "target absent, or no valid annotation");
    if (data.sequences.some((s) => s.strip.some((p) => p.detail))) make("span", {}, key, "detail: part of the frame around a small target");
    if (!anyPicture) make("span", {}, key, "No frames at hand, so there are no pictures: give the data set's folder.");
    for (const one of data.sequences) {
      const card = make("article", { class: "clip" }, holder);
      const head = make("header", {}, card);
      make("h3", {}, head, one.name);
      make("p", {}, head, `${one.kind} \u00b7 mean IoU ${one.ao} % \u00b7 ${one.timeline.frames} frames`);
      if (one.timeline.step > 1) make("p", {}, head, `line: lowest IoU of every ${one.timeline.step} frames`);
      if (one.lost > 0) make("p", { class: "bad" }, head, `lost in ${one.lost} % of frames`);
      if (one.strip.length) {
        const strip = make("div", { class: "strip", tabindex: 0, "aria-label": `frames of ${one.name}` }, card);
        one.strip.forEach((p, at) => {
          const figure = make("figure", { class: p.lost ? "lost" : "" }, strip);
          if (p.uri) {
            const button = make("button", { type: "button", title: "enlarge" }, figure);
            shot(button, one, p, (132 / p.size[1]) * p.size[0]);
            button.addEventListener("click", () => enlarge(one, at));
          } else make("div", { class: "none" }, figure, p.error);
          make("figcaption", {}, figure, told(p));
        });
      }
      timeline(card, one);
    }
    function timeline(card, one) {
      const t = one.timeline;
      const last = Math.max(2, t.frames);
      const holderNode = make("div", { class: "plot timeline" }, card);
      lines(holderNode, {
        label: `IoU over the frames of ${one.name}`, width: 860, height: 130, x: t.x.map((v) => v + 1), xlim: [1, last], ylim: [0, 1],
        xticks: ticks(1, last, 8), yticks: [0, 0.5, 1], ylabel: "IoU", digits: 2,
        series: data.drawn.map((s) => ({ ...s, y: t.series[s.label] })),
        tipTitle: (x) => t.step > 1 ? `frames ${x} to ${Math.min(x + t.step - 1, t.frames)}, lowest IoU` : `frame ${x}`,
        under: (f) => {
          const bar = (cls, y, h, [a, b]) => draw("rect", { class: cls, x: f.sx(Math.max(1, a + 0.5)), y, height: h, width: Math.max(1.5, f.sx(Math.min(last, b + 1.5)) - f.sx(Math.max(1, a + 0.5))) }, f.svg);
          t.absent.forEach((s) => bar("absent", f.m.top, f.h, s));
          t.lost.forEach((s) => { bar("lost", f.m.top, f.h, s); bar("lostbar", f.m.top + f.h - 4, 4, s); });
        },
      });
    }
  }

  function sorting() {
    for (const head of document.querySelectorAll("thead th")) {
      head.firstElementChild.addEventListener("click", () => {
        const table = head.closest("table");
        const body = table.tBodies[0];
        const column = head.cellIndex;
        // Figures start with the highest, names with A.
        const first = column === 0 ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? (first === "ascending" ? "descending" : "ascending") : first;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const value = (row) => row.cells[column].dataset.v;
        const compare = (a, b) => {
          if (column === 0) return sign * a.cells[0].textContent.localeCompare(b.cells[0].textContent, undefined, { numeric: true });
          const [u, v] = [value(a), value(b)];
          if (u === "" || v === "") return (u === "") - (v === "");
          return sign * (u - v);
        };
        body.append(...[...body.rows].sort(compare));
      });
    }
  }

  // On paper nothing can be opened.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not(.raw):not([open])")) { one.open = true; opened.push(one); }
  });
  addEventListener("afterprint", () => { for (const one of opened.splice(0)) one.open = false; });

  legend();
  curves();
  speed();
  strips();
  sorting();
  addEventListener("scroll", hideTip, { passive: true });
  document.documentElement.dataset.ready = "yes";
})();
