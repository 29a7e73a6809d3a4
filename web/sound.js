// From a file to mono samples at the file's own rate.

import { decodeInPieces, NotInPieces } from "./pieces.js";

export const LONGEST = 3600; // seconds
const MOST = LONGEST * 48000; // mono samples, 0.7 GB
const WHOLE = 300; // seconds that are decoded at once; longer files are decoded in pieces
const UNKNOWN = 10e6; // bytes of a file without a length that are decoded at once
const USUAL_RATE = 44100;

export class Refused extends Error {}

/**
 * Decode a file.
 * @param {Blob} file
 * @param {(share: number) => void} step called with the share of a long file that is done; what it
 *   throws ends the decoding
 * @returns {Promise<{samples: Float32Array, rate: number}>}
 * @throws {Refused} with a sentence for the user
 */
export async function decode(file, step = () => {}) {
  if (file.size === 0) throw new Refused("The file is empty.");
  if (file.size > 4e9) throw tooLong();
  const seconds = await duration(file);
  if (seconds > LONGEST) throw tooLong();
  if (seconds > WHOLE || (seconds === 0 && file.size > UNKNOWN)) {
    try {
      return await decodeInPieces(file, { samples: MOST, seconds: LONGEST }, step);
    } catch (error) {
      if (error instanceof RangeError) throw tooLarge();
      if (!(error instanceof NotInPieces)) throw error;
    }
  }
  if (file.size > 2e9) throw tooLarge();
  return decodeWhole(file);
}

async function decodeWhole(file) {
  const bytes = await file.arrayBuffer();
  // A context at the file's rate leaves the samples as they are; the browser would resample else.
  const rate = sampleRate(new Uint8Array(bytes)) ?? USUAL_RATE;
  let buffer;
  try {
    buffer = await context(rate).decodeAudioData(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw outOfMemory();
    throw new Refused(
      "This browser cannot decode the file as audio. WAV, FLAC, MP3 and Ogg work in most; " +
        "`zoo tag` on the command line reads more.",
    );
  }
  if (buffer.duration > LONGEST) throw tooLong();
  if (buffer.length > MOST) throw tooLarge();
  if (buffer.length === 0) throw new Refused("The file has no audio in it.");
  return { samples: await mono(buffer), rate: buffer.sampleRate };
}

function tooLong() {
  return new Refused(
    "The file is over an hour long, too much for a browser. Use `zoo tag` on the command line.",
  );
}

function tooLarge() {
  return new Refused(
    "The file is too large for a browser, which holds an hour at 48 kHz. " +
      "Use `zoo tag` on the command line.",
  );
}

export function outOfMemory() {
  return new Refused("The browser has run out of memory. Use a shorter file, or `zoo tag`.");
}

/** Return the length that the browser reads from a file, in seconds; 0 if it cannot. */
function duration(file) {
  const url = URL.createObjectURL(file);
  const probe = new Audio();
  probe.preload = "metadata";
  return new Promise((resolve) => {
    const done = (seconds) => {
      clearTimeout(timer);
      probe.removeAttribute("src");
      URL.revokeObjectURL(url);
      resolve(Number.isFinite(seconds) ? seconds : 0);
    };
    const timer = setTimeout(done, 3000, 0);
    probe.onloadedmetadata = () => done(probe.duration);
    probe.onerror = () => done(0);
    probe.src = url;
  });
}

function context(rate) {
  try {
    return new OfflineAudioContext(1, 1, rate);
  } catch {
    return new OfflineAudioContext(1, 1, USUAL_RATE);
  }
}

/** Return the mean of the channels, computed in pieces so that the page stays responsive. */
async function mono(buffer) {
  let out;
  try {
    out = new Float32Array(buffer.length);
  } catch {
    throw outOfMemory();
  }
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  const piece = 1 << 21;
  for (let first = 0; first < out.length; first += piece) {
    const last = Math.min(first + piece, out.length);
    for (const channel of channels) {
      for (let i = first; i < last; i++) out[i] += channel[i];
    }
    if (channels.length > 1) for (let i = first; i < last; i++) out[i] /= channels.length;
    if (last < out.length) await new Promise((resolve) => setTimeout(resolve));
  }
  return out;
}

/** Return the sample rate that a file states: WAV, FLAC, Ogg, MP3, MP4; else null. */
export function sampleRate(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
  const find = (word, until) => {
    const codes = Array.from(word, (letter) => letter.charCodeAt(0));
    const end = Math.min(bytes.length, until) - 32;
    for (let i = 0; i < end; i++) if (codes.every((code, k) => bytes[i + k] === code)) return i;
    return -1;
  };
  if (bytes.length < 44) return null;
  if (text(0, 4) === "RIFF" && text(8, 4) === "WAVE") {
    const at = find("fmt ", 1 << 16);
    return at < 0 ? null : view.getUint32(at + 12, true);
  }
  let at = 0;
  if (text(0, 3) === "ID3") {
    at = 10 + ((bytes[6] << 21) | (bytes[7] << 14) | (bytes[8] << 7) | bytes[9]);
    if (at + 24 > bytes.length) return null;
  }
  if (text(at, 4) === "fLaC") return (bytes[at + 18] << 12) | (bytes[at + 19] << 4) | (bytes[at + 20] >> 4);
  if (text(0, 4) === "OggS") {
    const vorbis = find("\x01vorbis", 4096);
    if (vorbis >= 0) return view.getUint32(vorbis + 12, true);
    if (find("OpusHead", 4096) >= 0) return 48000;
    const flac = find("fLaC", 4096);
    return flac < 0 ? null : (bytes[flac + 18] << 12) | (bytes[flac + 19] << 4) | (bytes[flac + 20] >> 4);
  }
  if (bytes[0] === 0x1a && bytes[1] === 0x45) return 48000; // WebM, as a browser records it
  if (text(4, 4) === "ftyp") {
    const header = find("mdhd", bytes.length);
    if (header < 0) return null;
    return view.getUint32(header + 4 + (bytes[header + 4] === 1 ? 20 : 12)) || null;
  }
  for (let i = at; i < Math.min(bytes.length - 4, at + 65536); i++) {
    const version = (bytes[i + 1] >> 3) & 3;
    const layer = (bytes[i + 1] >> 1) & 3;
    const index = (bytes[i + 2] >> 2) & 3;
    if (bytes[i] === 0xff && bytes[i + 1] >> 5 === 7 && version !== 1 && layer !== 0 && index !== 3) {
      return [44100, 48000, 32000][index] / { 3: 1, 2: 2, 0: 4 }[version];
    }
  }
  return null;
}
