// The networks, and all computing with sound, beside the page's own thread.

import * as ort from "./vendor/ort.wasm.bundle.min.mjs";
import { resample, steps } from "./resample.js";
import * as segments from "./segments.js";
import { picture } from "./spectrogram.js";

const CLICK = { rate: 44100, hertz: 2000, seconds: 0.05, share: 0.4 }; // as in zoo/inference/clicks.py

const models = new Map(); // name -> { bytes, about, session }
let sound = null; // { samples, rate }
let changed = { rate: 0, samples: null }; // the sound at the rate used last
let wanted = 0; // number of the latest job; older ones stop
let waiting = Promise.resolve();

onmessage = ({ data }) => {
  if (data.cancel !== undefined) {
    wanted = data.cancel;
    return;
  }
  if (data.job) wanted = data.job;
  waiting = waiting.then(() => answer(data));
};

async function answer({ id, call, job, values }) {
  try {
    const [result, transfer] = (await calls[call](values, { id, job })) ?? [];
    postMessage({ id, result }, transfer ?? []);
  } catch (error) {
    const text = String(error?.message ?? error);
    const memory = error instanceof RangeError || /alloc|memory/i.test(text);
    postMessage({ id, error: text, stopped: error === STOPPED, memory });
  }
}

const STOPPED = new Error("stopped");

const calls = {
  start({ wasm, threads }) {
    ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = "error";
  },

  /** Keep a model's file; its session is opened when it is first used. */
  model({ about, bytes }) {
    models.set(about.name, { about, bytes, session: null });
  },

  sound({ samples, rate }) {
    sound = { samples, rate };
    changed = { rate: 0, samples: null };
    let most = 0;
    for (let i = 0; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i]));
    return [{ silent: most < 2 ** -16 }];
  },

  picture({ columns }) {
    const found = picture(sound.samples, sound.rate, columns);
    return [found, [found.image.buffer, found.peaks.buffer]];
  },

  /** Predict all segments; each result is sent as soon as it is there. */
  async tags({ name }, { id, job }) {
    const { about } = models.get(name);
    await check(job);
    const begin = performance.now();
    const session = await open(name);
    const opened = performance.now();
    const samples = await atRate(about.geometry.sample_rate, { id, job });
    const found = segments.list(samples.length, about.geometry);
    const resampled = performance.now();
    for (const [i, { begin: place, start, fresh }] of found.entries()) {
      await check(job);
      const segment = segments.samples(samples, place, about.geometry);
      const row = Array.from(await run(session, segment, "probabilities"));
      postMessage({ id, step: { done: i + 1, of: found.length, row, start, fresh } });
    }
    const end = performance.now();
    return [{ open: opened - begin, resample: resampled - opened, predict: end - resampled }];
  },

  async onsets({ name }, { id, job }) {
    const { frames, sample_rate: rate } = models.get(name).about.geometry;
    const session = await open(name);
    const samples = await atRate(rate, { id, job });
    const parts = segments.chunks(samples.length, frames);
    const activation = [];
    for (const [i, part] of parts.entries()) {
      await check(job);
      const piece = new Float32Array(part.frames * frames.hop_length);
      const first = part.start * frames.hop_length;
      piece.set(samples.subarray(first, first + piece.length));
      const values = await run(session, piece, "probabilities");
      activation.push(...values.subarray(part.from, part.to));
      postMessage({ id, step: { done: i + 1, of: parts.length } });
    }
    return [{ times: segments.pick(activation, rate / frames.hop_length) }];
  },

  /** Return what a stage of a network gives for the segment at a time. */
  async stage({ name, stage, seconds }, { id }) {
    const { about, bytes } = models.get(name);
    const samples = await atRate(about.geometry.sample_rate, { id });
    const all = segments.list(samples.length, about.geometry);
    const at = all.findLastIndex((part) => part.start <= seconds + 1e-6);
    const part = all[Math.max(at, 0)];
    const given = about.open_stages ? withOutput(bytes, stage) : bytes;
    const session = await create(given, about);
    try {
      const segment = segments.samples(samples, part.begin, about.geometry);
      const input = new ort.Tensor("float32", segment, [1, segment.length]);
      const { [stage]: output } = await session.run({ waveform: input }, [stage]);
      const values = Float32Array.from(output.data);
      const length = about.geometry.segment / about.geometry.sample_rate;
      return [{ values, dims: output.dims.slice(1), start: part.start, length }, [values.buffer]];
    } finally {
      await session.release();
    }
  },

  /** Return the sound with a click at each time, as a WAV file. */
  clicks({ times }) {
    const samples = Float32Array.from(resample(sound.samples, sound.rate, CLICK.rate), (x) =>
      (1 - CLICK.share) * Math.max(-1, Math.min(1, x)),
    );
    const places = times.map((time) => Math.round(time * CLICK.rate));
    const length = Math.round(CLICK.seconds * CLICK.rate);
    places.forEach((place, i) => {
      const until = Math.min(place + length, places[i + 1] ?? Infinity, samples.length);
      for (let k = place; k < until; k++) {
        const t = (k - place) / CLICK.rate;
        const tone = Math.cos(2 * Math.PI * CLICK.hertz * t) * 10 ** ((-3 * t) / CLICK.seconds);
        samples[k] += CLICK.share * tone;
      }
    });
    const file = wave(samples, CLICK.rate);
    return [file, [file]];
  },
};

let paused = 0; // when messages were let in last

/** Let messages in now and then, and stop if another job has begun or this one was cancelled. */
async function check(job) {
  if (performance.now() - paused > 50) {
    await new Promise((resolve) => setTimeout(resolve));
    paused = performance.now();
  }
  if (job !== undefined && job !== wanted) throw STOPPED;
}

async function open(name) {
  const model = models.get(name);
  model.session ??= await create(model.bytes, model.about);
  return model.session;
}

function create(bytes, { geometry }) {
  return ort.InferenceSession.create(bytes, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
    ...(geometry.frame_wise ? {} : { freeDimensionOverrides: { samples: geometry.segment } }),
  });
}

async function run(session, samples, stage) {
  const input = new ort.Tensor("float32", samples, [1, samples.length]);
  return (await session.run({ waveform: input }, [stage]))[stage].data;
}

async function atRate(rate, { id, job }) {
  if (changed.rate !== rate) {
    const all = steps(sound.samples, sound.rate, rate);
    let step;
    while (!(step = all.next()).done) {
      postMessage({ id, step: { share: step.value } });
      await check(job);
    }
    changed = { rate, samples: step.value };
  }
  return changed.samples;
}

/** Return an ONNX model with one more output: appended fields are merged by protocol buffers. */
function withOutput(bytes, stage) {
  const field = (number, content) => [(number << 3) | 2, ...varint(content.length), ...content];
  const text = Array.from(new TextEncoder().encode(stage));
  const type = field(2, field(1, [(1 << 3) | 0, 1])); // a tensor of float32
  const end = field(7, field(12, [...field(1, text), ...type]));
  const out = new Uint8Array(bytes.length + end.length);
  out.set(bytes);
  out.set(end, bytes.length);
  return out;
}

function varint(value) {
  return value > 127 ? [(value & 127) | 128, ...varint(value >> 7)] : [value];
}

function wave(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // mono
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((x, i) => view.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, x)) * 32767, true));
  return view.buffer;
}
