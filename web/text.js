// Cards, tables and the map, as elements.

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Return what a person should know of a model before using it. */
export function card(about) {
  const box = document.createDocumentFragment();
  const line = element("p");
  const link = element("a", about.by, { href: about.url, rel: "noopener noreferrer" });
  line.append(element("strong", about.architecture), ": ", about.about, ", after ", link, ".");
  const list = element("dl");
  const add = (name, value) => value && list.append(element("dt", name), element("dd", value));
  add("licence", about.licence);
  add("download", megabytes(about.bytes));
  const published = about.scores.find(({ kind }) => kind === "published");
  const players = about.scores.find(({ name }) => name.endsWith("real players"));
  if (published) add("ROC-AUC", `${published.value.toFixed(3)} on ${published.data}, published`);
  if (players) add(published ? "" : "ROC-AUC", `${players.value.toFixed(3)} on recordings of real players, measured`);
  add("segment", `${(about.geometry.segment / about.geometry.sample_rate).toFixed(1)} s at ${about.geometry.sample_rate / 1000} kHz`);
  box.append(line, list);
  return box;
}

/** Return a table of all tags of the whole song, a column for each model. */
export function table(runs) {
  const made = element("table");
  made.append(element("caption", "Scores of the whole song, between 0 and 1; the first model's best on top."));
  const head = element("tr");
  head.append(element("th", "Tag", { scope: "col" }));
  for (const run of runs) head.append(element("th", run.about.name, { scope: "col", class: "number" }));
  const top = element("thead");
  top.append(head);
  const body = element("tbody");
  const tags = [...new Set(runs.flatMap((run) => run.order))];
  for (const tag of tags) {
    const row = element("tr");
    row.append(element("th", tag, { scope: "row" }));
    for (const run of runs) {
      const k = run.about.labels.indexOf(tag);
      row.append(element("td", k < 0 ? "not a tag" : run.mean[k].toFixed(3), { class: "number" }));
    }
    body.append(row);
  }
  made.append(top, body);
  return made;
}

/** Fill the map: front-ends in rows, their input in columns, and the back-ends below. */
export function fillGrid(box, about, index, choose) {
  const { front_ends: fronts, back_ends: backs, architectures } = index.map;
  const chip = (name) => {
    const button = element("button", name, { type: "button", class: "chip", "data-architecture": name });
    button.addEventListener("click", () => {
      const model = index.models.find(
        ({ architecture, geometry }) => architecture === name && !geometry.frame_wise,
      );
      describe(about, name, architectures[name], model);
      if (model) choose(model.name);
    });
    return button;
  };
  const front = element("table");
  front.append(element("caption", "Front-ends: the filters of the first layer"));
  front.append(header(["filters", "on a waveform", "on a spectrogram"]));
  const rows = element("tbody");
  for (const [row, inputs] of Object.entries(fronts)) {
    const line = element("tr");
    line.append(element("th", row, { scope: "row" }));
    for (const input of ["waveform", "spectrogram"]) {
      const cell = element("td");
      for (const [shape, names] of Object.entries(inputs[input])) {
        cell.append(element("small", shape), ...names.map(chip));
      }
      line.append(cell);
    }
    rows.append(line);
  }
  front.append(rows);
  const back = element("table");
  back.append(element("caption", "Back-ends: from the front-end's frames to one vector"));
  back.append(header(["back-end", "length of sound", "used by default in"]));
  const lines = element("tbody");
  for (const [name, { length, after }] of Object.entries(backs)) {
    const line = element("tr");
    const title = element("th", name.replaceAll("_", " "), { scope: "row" });
    title.append(element("small", `after ${after}`));
    const cell = element("td");
    const users = Object.keys(architectures).filter((a) => architectures[a].backend === name);
    cell.append(...(users.length ? users.map(chip) : ["none; zoo.build puts it behind any front-end"]));
    line.append(title, element("td", length), cell);
    lines.append(line);
  }
  back.append(lines);
  box.replaceChildren(front, back);
}

function header(names) {
  const head = element("thead");
  const row = element("tr");
  for (const name of names) row.append(element("th", name, { scope: "col" }));
  head.append(row);
  return head;
}

function describe(box, name, { title, by, url, filters }, model) {
  const line = element("p");
  const link = element("a", title, { href: url, rel: "noopener noreferrer" });
  line.append(element("strong", name), ` (${by}), `, link, `: ${filters}. `);
  line.append(model ? `${model.name} is now the model above.` : "It has no tagging model on this page.");
  const picture = element("img", undefined, { class: "filters", src: `filters/${name}.svg`, alt: `The filters of the first layer of ${name}` });
  box.replaceChildren(line, picture);
}
