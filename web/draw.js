// The figure: the sound, below it the tags of one or two models on the same time axis.

const FONT = '12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const SOUND = 112; // heights, in CSS pixels
const ROW = 20;
const TITLE = 34;
const AXIS = 26;
const MARKS = 20;
const GAP = 8;

/** Colours of the page, from its style sheet. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  const stops = [0, 1, 2, 3, 4].map((i) => rgb(get(`--heat-${i}`)));
  const heat = Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1);
    const k = Math.min(Math.floor(place), stops.length - 2);
    return stops[k].map((from, c) => Math.round(from + (stops[k + 1][c] - from) * (place - k)));
  });
  return {
    ink: get("--ink"),
    muted: get("--muted"),
    line: get("--line"),
    surface: get("--surface"),
    accent: get("--accent"),
    mark: get("--mark"),
    heat,
  };
}

function rgb(text) {
  return [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16));
}

export function colour(palette, value) {
  const [r, g, b] = palette.heat[Math.max(0, Math.min(255, Math.round(value * 255)))];
  return `rgb(${r} ${g} ${b})`;
}

/** Return where everything is, for a width in CSS pixels. */
export function layout(width, { runs, onsets }) {
  const left = width < 560 ? 108 : 156;
  let y = SOUND;
  const marks = onsets ? { y: y + 4, height: MARKS - 4 } : null;
  if (onsets) y += MARKS;
  const grams = runs.map((run) => {
    const top = y + TITLE;
    y = top + run.shown.length * ROW + GAP;
    return { run, top, height: run.shown.length * ROW };
  });
  return { width, left, right: width - 10, marks, grams, axis: y, height: y + AXIS, sound: SOUND };
}

/** Return what is at a point: a time, and the tag of a model if there is one. */
export function at(place, x, y, duration) {
  const share = (x - place.left) / (place.right - place.left);
  if (share < 0 || share > 1) return null;
  const seconds = share * duration;
  const gram = place.grams.find(({ top, height }) => y >= top && y < top + height);
  if (!gram) return { seconds };
  const label = gram.run.shown[Math.floor((y - gram.top) / ROW)];
  return { seconds, run: gram.run, label };
}

/** Draw the figure on a canvas; the canvas gets the size that it needs. */
export function figure(canvas, width, scale, state, colours) {
  const place = layout(width, state);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(place.height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = colours.surface;
  pen.fillRect(0, 0, width, place.height);
  pen.font = FONT;
  pen.textBaseline = "middle";
  const x = (seconds) => place.left + (seconds / state.duration) * (place.right - place.left);
  sound(pen, place, state, colours);
  if (place.marks) {
    label(pen, place, "onsets", place.marks.y + place.marks.height / 2, colours.muted);
    pen.fillStyle = colours.mark;
    for (const time of state.onsets) pen.fillRect(x(time) - 0.5, place.marks.y, 1.2, place.marks.height);
  }
  for (const gram of place.grams) taggram(pen, place, gram, x, colours);
  axis(pen, place, state.duration, x, colours);
  return place;
}

function label(pen, place, text, y, ink) {
  pen.fillStyle = ink;
  pen.textAlign = "right";
  pen.fillText(shortened(pen, text, place.left - 16), place.left - 8, y);
}

function shortened(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && pen.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}

function sound(pen, place, { picture, view }, colours) {
  const wide = place.right - place.left;
  label(pen, place, view === "mel" ? "spectrogram" : "waveform", SOUND / 2, colours.muted);
  if (!picture) return;
  if (view === "mel") {
    const image = bitmap(picture.image, picture.columns, picture.bands, colours);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(image, place.left, 0, wide, SOUND);
    return;
  }
  pen.fillStyle = colours.accent;
  const most = Math.max(...picture.peaks, 1e-6);
  const step = wide / picture.columns;
  picture.peaks.forEach((peak, i) => {
    const tall = Math.max(1, ((SOUND - 8) * peak) / most);
    pen.fillRect(place.left + i * step, (SOUND - tall) / 2, Math.max(step, 0.6), tall);
  });
}

/** Return a canvas of (columns, rows) values in 0..1, the first row at the bottom. */
export function bitmap(values, columns, rows, colours) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(columns, rows);
  for (let c = 0; c < columns; c++) {
    for (let r = 0; r < rows; r++) {
      const level = Math.max(0, Math.min(255, Math.round(values[c * rows + r] * 255)));
      image.data.set([...colours.heat[level], 255], 4 * ((rows - 1 - r) * columns + c));
    }
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

function taggram(pen, place, { run, top, height }, x, colours) {
  pen.textAlign = "left";
  pen.fillStyle = colours.ink;
  pen.font = `600 ${FONT}`;
  const legend = 96;
  const title = shortened(pen, run.about.name, place.right - place.left - legend - 16);
  pen.fillText(title, place.left + 5, top - 14);
  pen.font = FONT;
  for (let i = 0; i < 40; i++) {
    pen.fillStyle = colour(colours, i / 39);
    pen.fillRect(place.right - legend + 14 + (i * (legend - 28)) / 40, top - 19, 2.2, 10);
  }
  pen.fillStyle = colours.muted;
  pen.fillText("0", place.right - legend, top - 14);
  pen.fillText("1", place.right - 9, top - 14);
  pen.fillStyle = colours.line;
  pen.fillRect(place.left, top, place.right - place.left, height);
  run.shown.forEach((tag, row) => {
    const k = run.about.labels.indexOf(tag);
    label(pen, place, tag, top + row * ROW + ROW / 2, colours.ink);
    let from = 0;
    run.rows.forEach((values, i) => {
      const to = from + run.seconds[i];
      pen.fillStyle = colour(colours, values[k]);
      pen.fillRect(x(from), top + row * ROW, x(to) - x(from) + 0.4, ROW - 1);
      from = to;
    });
  });
}

function axis(pen, place, duration, x, colours) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
  const most = Math.max(2, Math.floor((place.right - place.left) / 62));
  const step = steps.find((s) => duration / s <= most) ?? 900;
  pen.strokeStyle = colours.muted;
  pen.fillStyle = colours.muted;
  pen.beginPath();
  for (let t = 0; t <= duration + 1e-9; t += step) {
    pen.moveTo(x(t), place.axis);
    pen.lineTo(x(t), place.axis + 5);
    pen.textAlign = x(t) > place.right - 14 ? "right" : "center";
    pen.fillText(clock(t, step < 1), Math.min(x(t), place.right), place.axis + 15);
  }
  pen.stroke();
}

export function clock(seconds, tenths = false) {
  const whole = Math.floor(seconds + 1e-9);
  const rest = String(whole % 60).padStart(2, "0");
  const tail = tenths ? `.${Math.floor((seconds - whole) * 10 + 1e-6)}` : "";
  return `${Math.floor(whole / 60)}:${rest}${tail}`;
}

/** Draw what a stage of a network gives: frames by channels, or a small picture for each channel. */
export function stage(canvas, width, { values, dims }, colours) {
  const scale = window.devicePixelRatio || 1;
  const [frames, bands, channels] = shape(dims);
  const wanted = Math.min(channels, width < 560 ? 6 : 12);
  const tiles = channels === 1 ? [0] : liveliest(values, frames, bands, channels, wanted);
  const perRow = channels === 1 ? 1 : width < 560 ? 2 : 4;
  const gap = 10;
  const wide = (width - gap * (perRow - 1)) / perRow;
  const tall = channels === 1 ? (frames === 1 ? 48 : 220) : Math.max(60, wide * 0.5);
  const rows = Math.ceil(tiles.length / perRow);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round((rows * (tall + gap) - gap) * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.imageSmoothingEnabled = false;
  tiles.forEach((channel, i) => {
    const plane = new Float32Array(frames * bands);
    for (let k = 0; k < plane.length; k++) plane[k] = values[k * channels + channel];
    const low = plane.reduce((a, b) => Math.min(a, b), Infinity);
    const high = plane.reduce((a, b) => Math.max(a, b), -Infinity);
    const span = high - low || 1;
    const image = bitmap(plane.map((x) => (x - low) / span), frames, bands, colours);
    const [x, y] = [(i % perRow) * (wide + gap), Math.floor(i / perRow) * (tall + gap)];
    if (frames === 1) {
      pen.save(); // a vector: one stripe for each unit, from left to right
      pen.translate(x + wide, y);
      pen.rotate(Math.PI / 2);
      pen.drawImage(image, 0, 0, tall, wide);
      pen.restore();
    } else pen.drawImage(image, x, y, wide, tall);
  });
  return { tiles: tiles.length, channels, frames, bands };
}

/** Return frames, bands and channels of a stage: (units), (frames, channels), (frames, bands, ch.). */
export function shape(dims) {
  if (dims.length === 1) return [1, dims[0], 1];
  if (dims.length === 2) return [dims[0], dims[1], 1];
  return [dims[0], dims[1], dims[2]];
}

/** Return the channels that change most. */
function liveliest(values, frames, bands, channels, count) {
  const spread = Array.from({ length: channels }, (_, channel) => {
    let [sum, squares] = [0, 0];
    const total = frames * bands;
    for (let k = 0; k < total; k++) {
      const v = values[k * channels + channel];
      sum += v;
      squares += v * v;
    }
    return { channel, value: squares / total - (sum / total) ** 2 };
  });
  spread.sort((a, b) => b.value - a.value);
  return spread.slice(0, count).map(({ channel }) => channel);
}
