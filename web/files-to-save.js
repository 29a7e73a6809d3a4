// What can be saved: the same tables as the command line writes, and the picture.

function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

const stem = (song) => song.name.replace(/\.[^.]+$/, "") || "song";
const cell = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The tags of a model with a row for each segment, as `zoo taggram -o x.csv` writes them. */
export function csv(song, run) {
  const rows = [["time", "seconds", ...run.about.labels].map(cell)];
  run.rows.forEach((row, i) =>
    rows.push([run.times[i].toFixed(3), run.seconds[i].toFixed(3), ...row.map((v) => v.toFixed(6))]),
  );
  const text = rows.map((row) => `${row.join(",")}\n`).join("");
  save(`${stem(song)}.${run.about.name}.csv`, new Blob([text], { type: "text/csv" }));
}

/** A time in seconds a line, as `zoo onsets -o x.csv` writes them. */
export function onsetTimes(song, onsets) {
  const text = onsets.map((time) => `${time.toFixed(3)}\n`).join("");
  save(`${stem(song)}.onsets.csv`, new Blob([text], { type: "text/csv" }));
}

export function json(song, runs, onsets) {
  const content = {
    file: song.name,
    seconds: song.duration,
    models: runs.map((run) => ({
      model: run.about.name,
      labels: run.about.labels,
      scores: run.mean,
      times: run.times,
      seconds: run.seconds,
      values: run.rows,
    })),
    ...(onsets ? { onsets } : {}),
  };
  const text = JSON.stringify(content, null, 1);
  save(`${stem(song)}.json`, new Blob([text], { type: "application/json" }));
}

export function png(song, state, draw) {
  const canvas = document.createElement("canvas");
  draw.figure(canvas, 1000, 2, state, draw.palette());
  canvas.toBlob((blob) => save(`${stem(song)}.png`, blob), "image/png");
}
