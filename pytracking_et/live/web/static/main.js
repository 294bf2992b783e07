// The page: choose a source, then hand over to the panel in work.js.

import { cross, request, upload } from "./api.js";
import { Work } from "./work.js";

const $ = (id) => document.getElementById(id);
const MEGABYTE = 1 << 20;

let info = null;
let work = null;

function notice(text, bad = false) {
  if ([...$("notices").children].some((item) => item.dataset.text === text)) return;
  const box = document.createElement("div");
  box.className = bad ? "notice error" : "notice";
  box.dataset.text = text;
  const words = document.createElement("span");
  words.textContent = text;
  box.append(words, cross("Dismiss", () => box.remove()));
  $("notices").append(box);
  setTimeout(() => box.remove(), bad ? 15_000 : 7_000);
}

function showStart() {
  $("work").hidden = $("close").hidden = true;
  $("start").hidden = false;
  history.replaceState(null, "", location.pathname);
}

/** Open a session; `create` gives one, or null when the user gave up. */
async function open(create) {
  busy(true);
  try {
    const session = await create();
    if (session === null) return;
    $("start").hidden = true;
    $("work").hidden = $("close").hidden = false;
    history.replaceState(null, "", `#${session.id}`);
    await work.open(session);
  } catch (error) {
    notice(error.message, true);
    showStart();
  } finally {
    busy(false);
  }
}

function busy(on) {
  for (const id of ["choose", "camera", "demo"]) $(id).disabled = on;
}

function openFile(file) {
  if (!file) return;
  if ($("choose").disabled) {
    notice("Another source is being opened; cancel it, or wait.", true);
    return;
  }
  if (file.size > info.upload_bytes) {
    notice(`${file.name} has ${Math.ceil(file.size / MEGABYTE)} MB; this server takes up to `
      + `${Math.floor(info.upload_bytes / MEGABYTE)} MB. Start it with a larger --max-upload-mb.`, true);
    return;
  }
  open(async () => {
    $("upload-text").textContent = `Opening ${file.name}`;
    $("upload").hidden = false;
    const transfer = upload(file, (part) => { $("upload-bar").value = part; });
    $("upload-cancel").onclick = () => transfer.cancel();
    try {
      return await transfer.done;
    } finally {
      $("upload").hidden = true;
      $("upload-bar").value = 0;
      $("file").value = "";
    }
  });
}

async function openDemo() {
  $("demo").textContent = "Rendering the clip…";
  await open(() => request("/api/demo", "POST"));
  $("demo").textContent = "Try the demo clip";
}

/** Ask where boxes would be lost; whether the work was closed. */
async function closeWork() {
  if (work.unsaved) {
    $("leave-text").textContent = `The boxes of ${work.rows.size} frames have not been downloaded since they changed. They are removed with the source.`;
    $("leave").returnValue = "cancel";
    $("leave").showModal();
    const answer = await new Promise((resolve) => {
      $("leave").onclose = () => resolve($("leave").returnValue);
    });
    if (answer !== "save" && answer !== "discard") return false;
    if (answer === "save") await work.saveBoxes("csv");
  }
  await work.close();
  showStart();
  $("choose").focus();
  return true;
}

function wireDrop() {
  let depth = 0;
  const veil = (on) => { $("veil").hidden = !on; };
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    depth += 1;
    veil([...event.dataTransfer.types].includes("Files"));
  });
  addEventListener("dragleave", () => { depth -= 1; veil(depth > 0); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    veil(false);
    const [file] = event.dataTransfer.files;
    if (file && work.session && !await closeWork()) return;
    openFile(file);
  });
}

function wireTheme() {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  $("theme").onclick = () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    work?.chart.paint();
  };
}

/** After a reload: the server still knows the session named in the address. */
async function resume() {
  const id = location.hash.slice(1);
  if (!/^[\w-]{10,40}$/.test(id)) return;
  await open(() => request(`/api/sessions/${id}`));
}

async function start() {
  wireTheme();
  try {
    info = await request("/api/info");
  } catch (error) {
    notice(error.message, true);
    return;
  }
  $("tracker").textContent = info.tracker;
  $("accepted").textContent = `${info.accepted}, up to ${Math.floor(info.upload_bytes / MEGABYTE)} MB`;
  work = new Work(notice, info);
  $("choose").onclick = () => $("file").click();
  $("file").onchange = () => openFile($("file").files[0]);
  $("camera").onclick = () => open(() => request("/api/cameras", "POST"));
  $("demo").onclick = openDemo;
  $("close").onclick = closeWork;
  wireDrop();
  await resume();
  document.documentElement.dataset.ready = "yes";
}

start();
