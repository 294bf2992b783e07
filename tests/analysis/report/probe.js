// Clicks on the page as a reader would, then writes down what it looks like.
const names = (id) =>
  [...document.querySelectorAll(`#${id} tbody tr`)].map((row) => row.cells[0].textContent);
const before = names("bysequence");
const head = document.querySelectorAll("#bysequence thead button")[2];
head.click();
const down = names("bysequence");
head.click();
const up = names("bysequence");
document.querySelector("#legend button").click();
const lines = [...document.querySelectorAll("#plots path.line")];
const svg = document.querySelector("#plots svg");
svg.scrollIntoView();
const box = svg.getBoundingClientRect();
const at = { clientX: box.left + box.width / 2, clientY: box.top + 50 };
svg.dispatchEvent(new PointerEvent("pointermove", at));
const tip = document.getElementById("tip");
const found = {
  ready: document.documentElement.dataset.ready,
  before,
  down,
  up,
  lines: lines.length,
  off: lines.filter((path) => path.style.display === "none").length,
  tip: tip.hidden ? "" : tip.textContent,
  images: [...document.images].filter((one) => one.complete && one.naturalWidth > 50).length,
  wide: document.documentElement.scrollWidth > innerWidth,
};
const pre = document.createElement("pre");
pre.id = "probe";
pre.textContent = JSON.stringify(found);
document.body.append(pre);
