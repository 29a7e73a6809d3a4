// The page's side of worker.js: calls with results, files with progress.

import { outOfMemory, Refused } from "./sound.js";

export class Stopped extends Error {}

let worker;
let calls = 0;
let jobs = 0;
const open = new Map(); // id -> { resolve, reject, step }
const kept = new Set(); // names of models that the worker has
let started = null;

function listen({ data }) {
  const call = open.get(data.id);
  if (!call) return;
  if (data.step) return call.step?.(data.step);
  open.delete(data.id);
  if (data.error === undefined) return call.resolve(data.result);
  if (data.stopped) return call.reject(new Stopped());
  call.reject(data.memory ? outOfMemory() : new Refused(`The network failed: ${data.error}`));
}

function call(name, values = {}, { transfer = [], step, job } = {}) {
  const id = ++calls;
  return new Promise((resolve, reject) => {
    open.set(id, { resolve, reject, step });
    worker.postMessage({ id, call: name, values, job }, transfer);
  });
}

/** Fetch a file and unpack it; report the share that has arrived. */
async function unpacked(url, size, progress) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Refused("There is no network, and this part of the page has not been used before.");
  }
  if (!response.ok) throw new Refused(`The page lacks a file: ${url} (${response.status}).`);
  let got = 0;
  const counted = new TransformStream({
    transform(chunk, controller) {
      got += chunk.length;
      progress?.(Math.min(got / size, 1));
      controller.enqueue(chunk);
    },
  });
  const stream = response.body.pipeThrough(counted).pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Return why this browser cannot run the page, or null. */
export function obstacle() {
  if (typeof WebAssembly !== "object") return "it has no WebAssembly, which computes the networks";
  if (typeof DecompressionStream !== "function") return "it cannot unpack files (DecompressionStream)";
  if (typeof OfflineAudioContext !== "function") return "it cannot decode audio (Web Audio)";
  return null;
}

export function threads() {
  const asked = Number(new URLSearchParams(location.search).get("threads"));
  if (!self.crossOriginIsolated) return 1;
  return asked > 0 ? asked : Math.min(4, navigator.hardwareConcurrency || 1);
}

/** Load ONNX Runtime, once. */
function start(runtime, progress) {
  started ??= (async () => {
    worker = new Worker("worker.js", { type: "module" });
    worker.onmessage = listen;
    const failed = new Promise((_, reject) => {
      worker.onerror = () => reject(new Refused("The page's worker could not start. Reload it."));
    });
    const wasm = await unpacked(`${runtime.file}?v=${runtime.version}`, runtime.bytes, progress);
    await Promise.race([
      call("start", { wasm: wasm.buffer, threads: threads() }, { transfer: [wasm.buffer] }),
      failed,
    ]);
  })();
  started.catch(() => (started = null));
  return started;
}

/** Load a model, and the runtime before the first. */
export async function load(about, runtime, progress) {
  await start(runtime, (share) => progress?.("the runtime", share));
  if (kept.has(about.name)) return;
  const bytes = await unpacked(`${about.file}?v=${about.version}`, about.bytes, (share) =>
    progress?.(about.name, share),
  );
  await call("model", { about, bytes }, { transfer: [bytes.buffer] });
  kept.add(about.name);
}

export const setSound = (samples, rate) =>
  call("sound", { samples, rate }, { transfer: [samples.buffer] });
export const picture = (columns) => call("picture", { columns });
export const stage = (name, stage, seconds) => call("stage", { name, stage, seconds });
export const clicks = (times) => call("clicks", { times });

/** Begin a job; `tags` and `onsets` of older ones stop. */
export const newJob = () => ++jobs;
export const tags = (name, job, step) => call("tags", { name }, { job, step });
export const onsets = (name, job, step) => call("onsets", { name }, { job, step });
export function cancel() {
  worker?.postMessage({ cancel: ++jobs });
}
