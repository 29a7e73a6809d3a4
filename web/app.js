// The page: what a person does, and what is shown.

import * as draw from "./draw.js";
import * as engine from "./engine.js";
import * as files from "./files-to-save.js";
import { card, fillGrid, table } from "./text.js";
import { decode, Refused } from "./sound.js";
import { mean } from "./segments.js";

const BEST = 10; // tags that are shown unless all are asked for
const $ = (id) => document.getElementById(id);

let index; // zoo.json
const song = { file: null, name: "", duration: 0, picture: null, job: 0 };
const runs = []; // one for each model: { about, rows, times, seconds, mean, shown }
let onsets = null; // times in seconds
let view = "mel";
let place = null; // layout of the figure
let recorder = null;

// --- what is said ---

/** Say what happens; a share shows progress. Steps are many, and not read out to screen readers. */
function say(text, share = null, step = "") {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("step").textContent = step;
  $("progress").hidden = share === null;
  $("cancel").hidden = share === null;
  if (share !== null) $("progress").value = share;
}

function complain(text) {
  $("error").hidden = !text;
  $("error").textContent = text;
}

function notices(list) {
  $("notice").hidden = list.length === 0;
  $("notice").textContent = list.join(" ");
}

/** Run something that the user asked for; say what failed in a sentence. */
async function attempt(action) {
  complain("");
  try {
    await action();
  } catch (error) {
    if (error instanceof engine.Stopped) return;
    say("");
    complain(error instanceof Refused ? error.message : `Something failed: ${error.message}`);
    if (!(error instanceof Refused)) console.warn(error);
  }
}

// --- a song ---

async function open(file, name) {
  engine.cancel();
  $("audio").pause();
  const job = (song.job = engine.newJob());
  song.opening = true;
  try {
    await prepare(file, name, job);
  } finally {
    if (job === song.job) song.opening = false;
  }
  if (job === song.job) await predict(job);
}

/** Decode a song and give it to the worker; nothing changes once another job has begun. */
async function prepare(file, name, job) {
  delete document.body.dataset.done;
  notices([]);
  say(`Decoding ${name} …`, 0);
  const { samples, rate } = await decode(file, (share) => {
    if (job !== song.job) throw new engine.Stopped();
    say(`Decoding ${name} …`, share);
  });
  if (job !== song.job) return;
  Object.assign(song, { file, name, rate, duration: samples.length / rate, picture: null });
  onsets = null;
  runs.length = 0;
  $("song-name").textContent = name;
  $("seek").max = song.duration;
  playFile(file);
  $("tags").hidden = false;
  document.body.classList.add("has-song");
  $("look").disabled = false;
  $("stage-about").textContent = "";
  $("stage-canvas").hidden = true;
  resetOnsets();
  await engine.load(chosen("model"), index.runtime, loading);
  if (job !== song.job) return;
  const { silent } = await engine.setSound(samples, rate);
  song.silent = silent;
  song.picture = await engine.picture(Math.min(1600, Math.max(64, Math.floor(song.duration * 80))));
}

const loading = (what, share) => say(`Loading ${what} …`, share);

/** Predict the tags of the song with the chosen models. */
async function predict(job) {
  const begun = performance.now();
  runs.length = 0;
  delete document.body.dataset.done;
  const names = [chosen("model"), chosen("second")].filter(Boolean);
  const kinds = names.filter((about, i) => names.indexOf(about) === i);
  for (const about of kinds) runs.push({ about, rows: [], times: [], seconds: [], shown: [] });
  warn();
  show();
  const spent = [];
  for (const run of [...runs]) {
    await engine.load(run.about, index.runtime, loading);
    if (job !== song.job) return;
    say(`${run.about.name} …`, 0);
    const timing = await engine.tags(run.about.name, job, ({ share, done, of, row, start, fresh }) => {
      if (job !== song.job) return;
      if (share !== undefined) return say(`${run.about.name} …`, share, "resampling");
      run.rows.push(row);
      run.times.push(start);
      run.seconds.push(fresh);
      say(`${run.about.name} …`, done / of, `segment ${done} of ${of}`);
      update(run);
    });
    if (job !== song.job) return; // another job began while the last segment was predicted
    spent.push({ name: run.about.name, ...timing });
    update(run);
  }
  const took = (performance.now() - begun) / 1000;
  say(`${draw.clock(song.duration)} of audio in ${took.toFixed(1)} s, on this device.`);
  $("table").replaceChildren(table(runs));
  document.body.dataset.done = JSON.stringify({ took, threads: engine.threads(), spent }); // for tests
}

function warn() {
  const list = [];
  if (song.silent) list.push("The whole song is silent. Its tags mean nothing.");
  for (const { about } of runs) {
    const { segment, sample_rate: rate } = about.geometry;
    if (song.duration < segment / rate / 2) {
      list.push(`${about.name} takes ${(segment / rate).toFixed(1)} s at once; the song is shorter and was repeated.`);
    }
    if (song.rate < 0.9 * rate) {
      list.push(`The song has ${song.rate} Hz, ${about.name} takes ${rate} Hz: the upper band is empty.`);
    }
  }
  notices(list);
}

function update(run) {
  if (!run.rows.length) return;
  run.mean = mean(run.rows, run.seconds);
  const order = run.mean.map((_, k) => k).sort((a, b) => run.mean[b] - run.mean[a]);
  const all = $("all").getAttribute("aria-pressed") === "true";
  run.order = order.map((k) => run.about.labels[k]);
  run.shown = all ? run.order : run.order.slice(0, BEST);
  show();
}

const byName = (name) => index.models.find((about) => about.name === name);
const chosen = (id) => byName($(id).value) ?? null;

// --- what is drawn ---

let asked = false;
function show() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (!song.file) return;
    const width = $("figure").clientWidth;
    const state = { duration: song.duration, picture: song.picture, view, onsets, runs };
    const canvas = $("canvas");
    place = draw.figure(canvas, width, window.devicePixelRatio || 1, state, draw.palette());
    canvas.style.width = `${width}px`;
    canvas.style.height = `${place.height}px`;
    canvas.setAttribute("aria-label", described());
    const seek = $("seek");
    seek.style.marginLeft = `${place.left - 8}px`;
    seek.style.width = `${place.right - place.left + 16}px`;
    $("csv-second").hidden = runs.length < 2;
    $("csv-onsets").hidden = !onsets;
    listBars();
    follow();
  });
}

function described() {
  const parts = runs
    .filter((run) => run.rows.length)
    .map((run) => `${run.about.name}: ${run.shown.slice(0, BEST).join(", ")}`);
  return `Tags over time, the best first. ${parts.join(". ")}`;
}

function listBars() {
  const box = $("bars");
  const wanted = runs.filter((run) => run.rows.length);
  const now = wanted.map((run) => `${run.about.name}|${run.order.slice(0, BEST).join("|")}`).join("#");
  if (box.dataset.shown !== now) {
    box.dataset.shown = now;
    box.replaceChildren(...wanted.map(barList));
  }
  for (const mark of box.querySelectorAll("li")) {
    const run = runs.find((r) => r.about.name === mark.dataset.model);
    const value = run.mean[run.about.labels.indexOf(mark.dataset.tag)];
    mark.querySelector(".mean").style.left = `calc(${100 * value}% - 1px)`;
  }
}

function barList(run) {
  const box = document.createElement("div");
  const title = document.createElement("h3");
  title.textContent = `${run.about.name}, now`;
  const list = document.createElement("ul");
  for (const tag of run.order.slice(0, BEST)) {
    const item = document.createElement("li");
    Object.assign(item.dataset, { model: run.about.name, tag });
    item.innerHTML =
      '<span class="tag"></span><span class="track" aria-hidden="true"><span class="now"></span>' +
      '<span class="mean"></span></span><span class="value"></span>';
    item.querySelector(".tag").textContent = tag;
    list.append(item);
  }
  box.append(title, list);
  return box;
}

/** Put the playhead, the bars and the clock where the song is. */
function follow() {
  if (!place) return;
  const audio = $("audio");
  const seconds = Math.min(audio.currentTime, song.duration);
  const x = place.left + (seconds / song.duration) * (place.right - place.left);
  $("head").style.transform = `translateX(${x - 1}px)`;
  $("time").textContent = `${draw.clock(seconds)} / ${draw.clock(song.duration)}`;
  if (document.activeElement !== $("seek") || !audio.paused) $("seek").value = seconds;
  $("seek").setAttribute("aria-valuetext", `${draw.clock(seconds)} of ${draw.clock(song.duration)}`);
  for (const run of runs) {
    const row = run.rows[segmentAt(run, seconds)];
    if (!row) continue;
    for (const item of $("bars").querySelectorAll(`li[data-model="${CSS.escape(run.about.name)}"]`)) {
      const value = row[run.about.labels.indexOf(item.dataset.tag)];
      item.querySelector(".now").style.transform = `scaleX(${value})`;
      item.querySelector(".value").textContent = value.toFixed(2);
    }
  }
  if (!audio.paused) requestAnimationFrame(follow);
}

/** Return the number of the segment that covers a time. */
function segmentAt(run, seconds) {
  let end = 0;
  const found = run.seconds.findIndex((fresh) => seconds < (end += fresh));
  return found < 0 ? run.rows.length - 1 : found;
}

function point(event) {
  const tip = $("tip");
  const box = $("canvas").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const found = place && draw.at(place, x, y, song.duration);
  tip.hidden = !found;
  if (!found) return;
  const row = found.run?.rows[segmentAt(found.run, found.seconds)];
  const value = row?.[found.run.about.labels.indexOf(found.label)];
  const time = draw.clock(found.seconds);
  tip.textContent = value === undefined ? time : `${found.label} ${value.toFixed(2)} at ${time}`;
  const most = $("figure").clientWidth - tip.offsetWidth - 4;
  const top = y < 36 ? y + 26 : y - 22;
  tip.style.transform = `translate(${Math.max(4, Math.min(x + 10, most))}px, ${top}px)`;
}

// --- playing ---

let address = null;
function playFile(blob, seconds = 0) {
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(blob);
  $("audio").src = address;
  $("audio").currentTime = seconds;
}

function toggle() {
  const audio = $("audio");
  if (audio.paused) audio.play().catch(() => complain("The browser cannot play this file."));
  else audio.pause();
}

function seek(seconds) {
  $("audio").currentTime = Math.max(0, Math.min(seconds, song.duration));
  follow();
}

// --- onsets ---

const detector = () => index.models.find(({ geometry, labels }) => geometry.frame_wise && labels.length === 1);

function resetOnsets() {
  $("clicks-label").hidden = true;
  $("clicks").checked = false;
  $("onsets").disabled = !detector();
}

async function findOnsets() {
  const about = detector();
  const { job } = song;
  await engine.load(about, index.runtime, loading);
  const found = await engine.onsets(about.name, job, ({ share, done, of }) => {
    if (job === song.job) say(`${about.name} …`, share ?? done / of);
  });
  if (job !== song.job) return;
  onsets = found.times;
  say(`${onsets.length} onsets.`);
  $("clicks-label").hidden = onsets.length === 0;
  show();
}

async function hearClicks() {
  const { currentTime, paused } = $("audio");
  const sound = $("clicks").checked
    ? new Blob([await engine.clicks(onsets)], { type: "audio/wav" })
    : song.file;
  playFile(sound, currentTime);
  if (!paused) toggle();
}

// --- inside ---

async function look() {
  const about = chosen("model");
  const stage = $("stage").value;
  say(`${about.name}: ${stage} …`);
  const found = await engine.stage(about.name, stage, $("audio").currentTime);
  const canvas = $("stage-canvas");
  canvas.hidden = false;
  const { tiles, channels, frames, bands } = draw.stage(canvas, canvas.clientWidth, found, draw.palette());
  canvas.style.height = `${canvas.height / (window.devicePixelRatio || 1)}px`;
  const size =
    frames === 1
      ? `${bands} values, from left to right`
      : channels === 1
        ? `${frames} frames from left to right, ${bands} channels from bottom to top`
        : `${channels} channels of ${frames} frames by ${bands} bands; the ${tiles} that change most`;
  const [from, to] = [found.start, found.start + found.length].map((t) => draw.clock(t, true));
  const text = `${about.stages[stage] || stage}: ${size}. From ${from} to ${to}.`;
  $("stage-about").textContent = text;
  canvas.setAttribute("aria-label", text);
  say("");
}

// --- models ---

function modelChosen() {
  const about = chosen("model");
  $("card").replaceChildren(card(about));
  const second = chosen("second");
  $("second-card").replaceChildren(second && second !== about ? card(second) : "");
  const stages = Object.keys(about.stages);
  const before = $("stage").value;
  $("stage").replaceChildren(...stages.map((stage) => new Option(stage)));
  if (stages.includes(before)) $("stage").value = before;
  $("stage-canvas").hidden = true;
  $("filters").src = about.picture;
  $("filters").alt = `The filters of the first layer of ${about.architecture}: ${about.about}`;
}

function changeModel() {
  modelChosen();
  if (!song.file || song.opening) return; // a song that opens takes the chosen models by itself
  engine.cancel();
  song.job = engine.newJob();
  attempt(() => predict(song.job));
}

// --- the microphone ---

async function record() {
  if (recorder) return recorder.stop();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch {
    throw new Refused("There is no microphone, or this page may not use it.");
  }
  const parts = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = () => {
    stream.getTracks().forEach((track) => track.stop());
    const type = recorder.mimeType;
    recorder = null;
    $("record").textContent = "Record";
    attempt(() => open(new Blob(parts, { type }), "Recording"));
  };
  recorder.start();
  $("record").textContent = "Stop recording";
  say("Recording. Nothing is uploaded.");
}

async function playExample() {
  let response;
  try {
    response = await fetch(index.example);
  } catch {
    throw new Refused("There is no network, and the example has not been opened before.");
  }
  await open(await response.blob(), index.example.split("/").at(-1));
}

// --- beginning ---

function theme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").textContent = dark ? "Light" : "Dark";
  $("theme").setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
  if (index) show();
}

function on(id, event, action) {
  $(id).addEventListener(event, action);
}

function connect() {
  on("choose", "click", () => $("file").click());
  on("file", "change", ({ target }) => {
    const [file] = target.files;
    if (file) attempt(() => open(file, file.name));
    target.value = "";
  });
  on("example", "click", () => attempt(playExample));
  on("record", "click", () => attempt(record));
  on("cancel", "click", () => {
    engine.cancel();
    song.job = engine.newJob();
    say("Cancelled.");
  });
  for (const id of ["model", "second"]) on(id, "change", changeModel);
  const drop = $("drop");
  const over = (event, inside) => {
    event.preventDefault();
    drop.classList.toggle("over", inside);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => over(event, false));
  document.addEventListener("drop", (event) => {
    over(event, false);
    const [file] = event.dataTransfer.files;
    if (file) attempt(() => open(file, file.name));
  });
  const views = (wanted) => {
    view = wanted;
    for (const id of ["mel", "wave"]) $(id).setAttribute("aria-pressed", String(id === wanted));
    show();
  };
  on("mel", "click", () => views("mel"));
  on("wave", "click", () => views("wave"));
  on("all", "click", () => {
    const all = $("all").getAttribute("aria-pressed") !== "true";
    $("all").setAttribute("aria-pressed", String(all));
    runs.forEach(update);
  });
  on("play", "click", toggle);
  for (const event of ["play", "pause", "ended", "seeked"]) on("audio", event, playing);
  on("seek", "input", ({ target }) => seek(Number(target.value)));
  on("canvas", "pointermove", point);
  on("canvas", "pointerleave", () => ($("tip").hidden = true));
  on("canvas", "click", (event) => {
    const box = $("canvas").getBoundingClientRect();
    const found = place && draw.at(place, event.clientX - box.left, 0, song.duration);
    if (found) seek(found.seconds);
  });
  document.addEventListener("keydown", keys);
  on("onsets", "click", () => attempt(findOnsets));
  on("clicks", "change", () => attempt(hearClicks));
  on("csv", "click", () => runs[0]?.mean && files.csv(song, runs[0]));
  on("csv-second", "click", () => runs[1]?.mean && files.csv(song, runs[1]));
  on("csv-onsets", "click", () => files.onsetTimes(song, onsets));
  on("json", "click", () => files.json(song, runs, onsets));
  on("png", "click", () => {
    const state = { duration: song.duration, picture: song.picture, view, onsets, runs };
    files.png(song, state, draw);
  });
  on("look", "click", () => attempt(look));
  on("theme", "click", () => theme(document.documentElement.dataset.theme !== "dark"));
  new ResizeObserver(show).observe($("figure"));
}

function playing() {
  const { paused } = $("audio");
  $("play").textContent = paused ? "Play" : "Pause";
  $("play").setAttribute("aria-label", paused ? "Play" : "Pause");
  follow();
}

function keys(event) {
  const busy = event.target.closest("button, select, input, summary, a, [tabindex]");
  if (!song.file || event.ctrlKey || event.altKey || event.metaKey || busy) return;
  if (event.key === " ") toggle();
  else if (event.key === "ArrowLeft") seek($("audio").currentTime - 5);
  else if (event.key === "ArrowRight") seek($("audio").currentTime + 5);
  else return;
  event.preventDefault();
}

/** Wait a little for the service worker, so that it keeps the large files on the first visit. */
async function keepForLater() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  try {
    await serviceWorker.register("sw.js");
    if (serviceWorker.controller) return;
    await Promise.race([
      new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true })),
      new Promise((resolve) => setTimeout(resolve, 3000)),
    ]);
  } catch {
    // Without it the page works all the same, but only with a network.
  }
}

async function begin() {
  theme(matchMedia("(prefers-color-scheme: dark)").matches);
  const why = engine.obstacle();
  if (why) throw new Refused(`This browser cannot run the page: ${why}. Use a newer one, or \`zoo tag\`.`);
  index = await (await fetch("zoo.json")).json();
  $("version").textContent = index.version;
  const taggers = index.models.filter(({ geometry }) => !geometry.frame_wise);
  for (const { name, own } of taggers) {
    const text = own ? `${name} (your own)` : name;
    $("model").append(new Option(text, name));
    $("second").append(new Option(text, name));
  }
  const asked = new URLSearchParams(location.search).get("model");
  if (taggers.some(({ name }) => name === asked)) $("model").value = asked;
  $("onset-name").textContent = detector()?.name ?? "no model of this page";
  resetOnsets();
  modelChosen();
  fillGrid($("grid"), $("about"), index, (name) => {
    $("model").value = name;
    changeModel();
  });
  connect();
  document.body.dataset.ready = "";
  await keepForLater();
  document.body.dataset.kept = "";
  // In the background, so that the first song does not wait.
  await engine.load(chosen("model"), index.runtime).catch(() => {});
  document.body.dataset.loaded = "";
}

attempt(begin);
