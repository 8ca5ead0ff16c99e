"use strict";
// Links the plots of the page by selection. Texts from files reach the page as text only (textContent), never as markup.
const transtar = (() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const items = JSON.parse(document.getElementById("items").textContent);
  const get = (id) => document.getElementById(id);
  const OKABE = { none: 0x0072b2, warning: 0xcc79a7, bad: 0xd55e00, grey: 0xc4c9ce, missing: 0x8a8f94 };
  const SHAPES = ["circle", "triangle", "cross"];
  // Cividis (Nunez et al. 2018) at eleven places, and a map from blue to orange by way of grey: both for any colour vision.
  const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#d5c45e", "#e1cc55", "#e9d14c"];
  const BOTHWAYS = ["#08519c", "#2f79b9", "#6ba3cd", "#86a3b8", "#7d8083", "#b08d6a", "#dd8f4f", "#cf6a12", "#a34b00"];
  const ROWS = 50, MORE_ROWS = 200, MOST_LISTED = 100, NEAR_PIXELS = 14;
  const data = {}, planes = {}, state = { focus: -1, selected: null, list: [], colour: "flags", compared: null, gradient: "", rows: ROWS };
  let texts, bits, kinds, spectrum, wave, near, placeOf = new Map(), colours, order;

  async function bytes(text) {
    const raw = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  const json = async (text) => JSON.parse(new TextDecoder().decode(await bytes(text)));
  const floats = async (text) => new Float32Array((await bytes(text)).buffer);

  function element(name, text, attributes) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    return made;
  }
  const minus = (text) => text.replace(/^-/, "\u2212");
  const printed = (value, digits) => (Number.isFinite(value) ? minus(value.toFixed(digits)) : "\u2013");
  const idOf = (row) => (texts.id && texts.id[row]) || texts.name[row];

  // ------------------------------------------------------------------ colours
  function table256(stops) {
    const out = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      const place = (i / 255) * (stops.length - 1), k = Math.min(Math.floor(place), stops.length - 2), f = place - k;
      const [a, b] = [stops[k], stops[k + 1]].map((text) => parseInt(text.slice(1), 16));
      const mix = (shift) => Math.round(((a >> shift) & 255) * (1 - f) + ((b >> shift) & 255) * f);
      out[i] = (mix(16) << 16) | (mix(8) << 8) | mix(0);
    }
    return out;
  }
  const maps = { one: table256(CIVIDIS), two: table256(BOTHWAYS) };
  function recolour() {
    const n = content.n, by = state.colour;
    colours = new Uint32Array(n);
    if (by === "flags") {
      const three = [OKABE.none, OKABE.warning, OKABE.bad];
      for (let i = 0; i < n; i++) colours[i] = three[kinds[i]];
    } else {
      const label = by.startsWith("difference ") ? by.slice(11) : "";
      const [low, high] = content.colours[by].limits, map = label ? maps.two : maps.one, wide = high - low || 1;
      for (let i = 0; i < n; i++) {
        const value = label ? data[label][i] - data["reference_" + label][i] : data[by][i];
        const place = Math.round(((value - low) / wide) * 255);
        colours[i] = Number.isNaN(value) ? OKABE.missing : map[Math.max(0, Math.min(255, place))];
      }
    }
    // What is rare is drawn last, so that it is not hidden.
    order = new Uint32Array(n);
    let at = 0;
    for (let kind = 0; kind < 3; kind++) for (let i = 0; i < n; i++) if (kinds[i] === kind) order[at++] = i;
    legend();
  }
  function sign(kind, colour) {
    const paths = ["M7 2.2a4.8 4.8 0 1 0 .01 0z", "M7 1.5L13 12H1z", "M2 2L12 12M12 2L2 12"];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("width", 14); svg.setAttribute("height", 14); svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", paths[kind]);
    path.setAttribute(kind === 2 ? "stroke" : "fill", colour);
    if (kind === 2) { path.setAttribute("stroke-width", 2.6); path.setAttribute("fill", "none"); }
    svg.append(path);
    return svg;
  }
  function legend() {
    const box = get("legend"), hex = (colour) => "#" + colour.toString(16).padStart(6, "0"), by = state.colour;
    box.replaceChildren();
    if (content.hasFlags) {
      const counts = [0, 0, 0];
      for (let i = 0; i < content.n; i++) counts[kinds[i]]++;
      ["no flag", "warning", "bad flag"].forEach((text, kind) => {
        const span = element("span");
        const colour = by === "flags" ? hex([OKABE.none, OKABE.warning, OKABE.bad][kind]) : "#444444";
        span.append(sign(kind, colour), `${text} (${counts[kind].toLocaleString("en")})`);
        box.append(span);
      });
    }
    const common = content.flags.filter((flag) => flag.bit & content.common).map((flag) => flag.name);
    if (common.length) box.append(element("span", `${common.join(" and ")}: all rows, and not shown by signs`));
    if (by !== "flags") {
      const one = content.colours[by], span = element("span", `${one.text}: `), two = by.startsWith("difference ");
      const digits = two ? (by.endsWith("teff") ? 0 : 2) : 1;
      const bar = element("span", "", { class: "bar" });
      bar.style.background = `linear-gradient(to right, ${(two ? BOTHWAYS : CIVIDIS).join(",")})`;
      span.append(printed(one.limits[0], digits), bar, printed(one.limits[1], digits), " (values beyond have the last colour)");
      box.append(span);
    }
    const marks = element("span", "\u25cb star looked at");
    if (content.spectra && content.spectra.near) marks.append("   \u25c7 labelled stars most like it, at their reference labels");
    box.append(marks);
  }

  // ------------------------------------------------------------------ planes
  function stamps(radius) {
    const size = Math.ceil(radius) + 1, made = [];
    for (const shape of SHAPES) {
      const list = [];
      for (let y = -size; y <= size; y++) for (let x = -size; x <= size; x++) {
        let hits = 0;
        for (let a = 0; a < 4; a++) for (let b = 0; b < 4; b++) {
          const u = x + (a - 1.5) / 4, v = y + (b - 1.5) / 4;
          if (shape === "circle") hits += u * u + v * v <= radius * radius;
          else if (shape === "triangle") hits += v >= -radius * 0.85 && Math.abs(u) * 1.7 + v <= radius * 1.35;
          else hits += Math.abs(Math.abs(u) - Math.abs(v)) <= 0.8 + radius * 0.16 && Math.max(Math.abs(u), Math.abs(v)) <= radius * 1.05;
        }
        if (hits) list.push([x, y, (hits / 16) * 0.85]);
      }
      made.push({ dx: Int16Array.from(list, (p) => p[0]), dy: Int16Array.from(list, (p) => p[1]), alpha: Float32Array.from(list, (p) => p[2]) });
    }
    return made;
  }
  function paint(plane) {
    const { figure, source } = plane, ratio = window.devicePixelRatio || 1;
    const width = Math.round(figure.inner_width * ratio), height = Math.round(figure.inner_height * ratio);
    if (!(width > 1 && height > 1)) return;
    plane.painted = `${width} ${height}`;
    const [xs, ys] = [data[plane.x], data[plane.y]], image = new Uint32Array(width * height).fill(0xffffffff);
    // The image begins at the lower value of either axis, and Bokeh turns it where the axis is turned.
    const x0 = Math.min(figure.x_range.start, figure.x_range.end), x1 = Math.max(figure.x_range.start, figure.x_range.end);
    const y0 = Math.min(figure.y_range.start, figure.y_range.end), y1 = Math.max(figure.y_range.start, figure.y_range.end);
    const down = figure.y_range.start > figure.y_range.end ? -1 : 1;
    const n = content.n, radius = ratio * (n > 50000 ? 1.5 : n > 8000 ? 2 : n > 2000 ? 2.6 : 3.4), made = stamps(radius);
    const dot = (i, colour) => {
      const px = Math.floor(((xs[i] - x0) / (x1 - x0)) * width), py = Math.floor(((ys[i] - y0) / (y1 - y0)) * height);
      if (!(px >= 0 && px < width && py >= 0 && py < height)) return;
      const { dx, dy, alpha } = made[kinds[i]], r = (colour >> 16) & 255, g = (colour >> 8) & 255, b = colour & 255;
      for (let k = 0; k < dx.length; k++) {
        const x = px + dx[k], y = py + down * dy[k];
        if (x < 0 || x >= width || y < 0 || y >= height) continue;
        const at = y * width + x, under = image[at], a = alpha[k], c = 1 - a;
        image[at] = (0xff000000 | ((((under >> 16) & 255) * c + b * a) << 16) | ((((under >> 8) & 255) * c + g * a) << 8) | ((under & 255) * c + r * a)) >>> 0;
      }
    };
    const chosen = state.selected;
    if (chosen) for (let k = 0; k < n; k++) if (!chosen[order[k]]) dot(order[k], OKABE.grey);
    for (let k = 0; k < n; k++) if (!chosen || chosen[order[k]]) dot(order[k], colours[order[k]]);
    const packedImage = Bokeh.require("core/util/ndarray").ndarray(image, { shape: [height, width], dtype: "uint32" });
    source.data = { image: [packedImage], x: [x0], y: [y0], dw: [x1 - x0], dh: [y1 - y0] };
    rings(plane);
  }
  function resized() {
    // Bokeh tells nobody when the inner size of a figure changes.
    const ratio = window.devicePixelRatio || 1;
    repaint(Object.values(planes).filter(({ figure, painted }) => painted !== `${Math.round(figure.inner_width * ratio)} ${Math.round(figure.inner_height * ratio)}`));
  }
  const waiting = new Set();
  let asked = false;
  function repaint(some) {
    (some || Object.values(planes)).forEach((plane) => waiting.add(plane));
    if (asked || !waiting.size) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      const now = [...waiting];
      waiting.clear();
      now.forEach(paint);
    });
  }
  function model(name) {
    for (const one of Bokeh.documents) {
      const same = one.get_model_by_name(name);
      if (same) return same;
    }
    return null;
  }
  async function addPlane(name, x, y) {
    await Bokeh.embed.embed_item(items[name], document.querySelector(`#${name} .plot`));
    const figure = model(name), plane = { name, figure, x, y, source: model(`${name}-stars`), focus: model(`${name}-focus`), near: model(`${name}-near`) };
    planes[name] = plane;
    for (const part of [figure.x_range.properties.start, figure.x_range.properties.end, figure.y_range.properties.start,
      figure.y_range.properties.end]) part.change.connect(() => repaint([plane]));
    figure.on_event("tap", (event) => tapped(plane, event));
    figure.on_event("selectiongeometry", (event) => { if (event.final) drawn(plane, event.geometry); });
  }
  function tapped(plane, event) {
    const { figure } = plane, [xs, ys] = [data[plane.x], data[plane.y]];
    const perX = figure.inner_width / (figure.x_range.end - figure.x_range.start);
    const perY = figure.inner_height / (figure.y_range.end - figure.y_range.start);
    let best = -1, least = NEAR_PIXELS ** 2;
    for (let i = 0; i < content.n; i++) {
      const u = (xs[i] - event.x) * perX, v = (ys[i] - event.y) * perY, far = u * u + v * v;
      // Of stars in one place one with a spectrum goes first.
      if (far < least || (far === least && placeOf.has(i) && !placeOf.has(best))) { least = far; best = i; }
    }
    if (best >= 0) focus(best);
  }
  let shift = false;
  addEventListener("pointerdown", (event) => { shift = event.shiftKey; }, true);
  function drawn(plane, geometry) {
    const [xs, ys] = [data[plane.x], data[plane.y]], n = content.n, chosen = new Uint8Array(n);
    if (geometry.type === "rect") {
      const [x0, x1] = [Math.min(geometry.x0, geometry.x1), Math.max(geometry.x0, geometry.x1)];
      const [y0, y1] = [Math.min(geometry.y0, geometry.y1), Math.max(geometry.y0, geometry.y1)];
      for (let i = 0; i < n; i++) chosen[i] = xs[i] >= x0 && xs[i] <= x1 && ys[i] >= y0 && ys[i] <= y1;
    } else if (geometry.type === "poly") {
      const px = Array.from(geometry.x), py = Array.from(geometry.y), m = px.length;
      if (m < 3) return;
      const [x0, x1, y0, y1] = [Math.min(...px), Math.max(...px), Math.min(...py), Math.max(...py)];
      for (let i = 0; i < n; i++) {
        const x = xs[i], y = ys[i];
        if (!(x >= x0 && x <= x1 && y >= y0 && y <= y1)) continue;
        let inside = false;
        for (let a = 0, b = m - 1; a < m; b = a++)
          if (py[a] > y !== py[b] > y && x < ((px[b] - px[a]) * (y - py[a])) / (py[b] - py[a]) + px[a]) inside = !inside;
        chosen[i] = inside;
      }
    } else return;
    choose(chosen, shift);
  }

  // ------------------------------------------------------------------ selection
  function choose(chosen, add) {
    if (add && state.selected) for (let i = 0; i < content.n; i++) chosen[i] |= state.selected[i];
    state.selected = chosen && chosen.some((one) => one) ? chosen : null;
    if (chosen && !state.selected) get("copied").textContent = "";
    state.rows = ROWS;
    fillTable(chosen !== null && !state.selected);
    repaint();
    place();
  }
  function listed() {
    if (!state.selected) return content.spectra ? content.spectra.rows : Array.from({ length: content.n }, (_, i) => i);
    return state.list;
  }
  function words(row) {
    return content.flags.filter((flag) => bits[row] & flag.bit);
  }
  function fillTable(nothing) {
    state.list = [];
    if (state.selected) for (let i = 0; i < content.n; i++) if (state.selected[i]) state.list.push(i);
    const n = state.list.length, table = get("table"), shown = content.labels.filter((label) => label.predicted);
    get("count").textContent = n
      ? `${n.toLocaleString("en")} of ${content.n.toLocaleString("en")} stars selected${n > state.rows ? `; the first ${state.rows} are in the table` : ""}.`
      : nothing ? "No star is there; nothing is selected." : "Nothing is selected.";
    // Thousands of lines take a second to lay out: they are listed when somebody goes there.
    get("ids").value = n > MOST_LISTED ? `${n.toLocaleString("en")} identifiers: \u201cCopy ids\u201d takes them all, or go here to list them` : state.list.map(idOf).join("\n");
    table.replaceChildren();
    get("more").hidden = n <= state.rows;
    if (!n) return;
    const head = element("tr");
    const more = [["snr", "S/N", 1], ["misfit", "misfit", 1]].filter(([name]) => data[name]);
    ["star", ...(texts.id ? ["id"] : []), ...shown.flatMap((label) => [label.text, ...(label.reference ? [`${label.text} ref.`] : [])]),
      ...more.map((one) => one[1]), "flags"].forEach((text) => head.append(element("th", text, { scope: "col", ...(text === "flags" ? { class: "text" } : {}) })));
    const body = element("tbody");
    for (const row of state.list.slice(0, state.rows)) {
      const line = element("tr"), cell = element("td"), button = element("button", texts.name[row], { type: "button" });
      button.addEventListener("click", () => focus(row));
      cell.append(button);
      line.append(cell);
      if (texts.id) line.append(element("td", texts.id[row]));
      for (const label of shown) {
        line.append(element("td", printed(data[label.name][row], label.digits)));
        if (label.reference) line.append(element("td", printed(data["reference_" + label.name][row], label.digits)));
      }
      for (const [name, , digits] of more) line.append(element("td", printed(data[name][row], digits)));
      line.append(element("td", words(row).map((flag) => flag.name).join(" "), { class: "text" }));
      body.append(line);
    }
    const top = element("thead");
    top.append(head);
    table.append(top, body);
  }
  async function copy() {
    const text = state.list.map(idOf).join("\n");
    if (!text) { get("copied").textContent = "Nothing is selected."; return; }
    let done = true;
    try { await navigator.clipboard.writeText(text); } catch {
      const box = get("ids"), kept = box.value;
      box.value = text;
      box.select();
      done = document.execCommand("copy");
      if (done) box.value = kept;
    }
    get("copied").textContent = done ? `${state.list.length.toLocaleString("en")} identifiers copied.` : "The browser does not allow that; they stand below, to be copied from there.";
    transtar.copied = text;
  }

  // ------------------------------------------------------------------ one star
  async function unpack(number) {
    const raw = await bytes(content.spectra.stars[number]), n = content.spectra.pixels, channels = content.spectra.channels;
    const all = n * channels.length, curves = {};
    channels.forEach((channel, c) => {
      const values = new Float32Array(n), step = channel.steps[number];
      let last = 0;
      for (let i = 0; i < n; i++) {
        const coded = raw[c * n + i] | (raw[all + c * n + i] << 8), difference = (coded >>> 1) ^ -(coded & 1);
        last = channel.fromLast ? ((last + difference) << 16) >> 16 : (difference << 16) >> 16;
        values[i] = last === -32768 ? NaN : last * step;
      }
      curves[channel.name] = values;
    });
    return curves;
  }
  const EMPTY = { wave: [], flux: [], twin: [], residual: [], low: [], high: [], gradient: [] };
  function extent(values, least, most) {
    const sorted = Float32Array.from(values).filter(Number.isFinite).sort();
    if (!sorted.length) return [0, 1];
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.floor(share * sorted.length)))];
    return [at(least), at(most)];
  }
  function setRange(range, low, high) { range.setv({ start: low, end: high, reset_start: low, reset_end: high }); }
  let turn = 0;
  async function focus(row) {
    state.focus = row;
    const number = placeOf.has(row) ? placeOf.get(row) : -1, mine = ++turn;
    Object.values(planes).forEach(rings);
    facts(row, number);
    place();
    const curves = number >= 0 ? await unpack(number) : null;
    // Another star may have been asked for meanwhile.
    if (mine === turn) draw(row, curves, number);
  }
  function rings(plane) {
    const row = state.focus, { x_range, y_range } = plane.figure, between = (value, { start, end }) => value >= Math.min(start, end) && value <= Math.max(start, end);
    // What is drawn above the stars is not cut off at the frame.
    const inside = ([xs, ys]) => {
      const kept = xs.map((x, k) => [x, ys[k]]).filter(([x, y]) => between(x, x_range) && between(y, y_range));
      return { x: kept.map((one) => one[0]), y: kept.map((one) => one[1]) };
    };
    const near = nearOn(plane, placeOf.has(row) ? placeOf.get(row) : -1);
    plane.near.data = inside([near.x, near.y]);
    plane.focus.data = inside(row < 0 ? [[], []] : [[data[plane.x][row]], [data[plane.y][row]]]);
  }
  function nearOn(plane, number) {
    const labels = plane.name === "one" ? null : content.planes[plane.name].labels;
    if (number < 0 || !near || !labels || labels.some((label) => !near[label])) return { x: [], y: [] };
    const places = content.spectra.near.places[number].filter((one) => one >= 0);
    const some = places.filter((one) => labels.every((label) => near[label][one] !== null));
    return { x: some.map((one) => near[labels[0]][one]), y: some.map((one) => near[labels[1]][one]) };
  }
  function draw(row, curves, number) {
    const summary = get("spectrum-summary");
    state.curves = curves;
    if (!spectrum) { summary.textContent = content.spectra ? "" : `No spectra: ${content.absent.spectra || "the set has none of these stars"}.`; return; }
    if (!curves) {
      spectrum.data = EMPTY;
      summary.textContent = `No spectrum of this star is in the page, which has those of ${content.spectra.rows.length}. --stars ${idOf(row)} puts it in.`;
      return;
    }
    const n = wave.length, none = new Float32Array(n).fill(NaN), { flux } = curves, residual = curves.residual || none;
    const twin = curves.residual ? flux.map((value, i) => value - residual[i]) : none;
    const error = curves.error ? curves.error.map((value) => 10 ** value) : none;
    const slope = curves["gradient " + state.gradient] || none;
    spectrum.data = { wave, flux, twin, residual, low: error.map((value) => -value), high: error, gradient: slope };
    const [low, high] = extent(flux, 0.001, 0.999), pad = (high - low) * 0.12 || 0.1;
    setRange(model("flux").y_range, low - pad * 2.4, high + pad);
    const [, most] = extent(curves.residual ? residual.map(Math.abs) : error, 0.5, 0.995), wide = (most || 0.05) * 1.25;
    setRange(model("residual").y_range, -wide, wide);
    const [, steep] = extent(slope.map(Math.abs), 0.5, 1), tall = (steep || 1) * 1.1;
    setRange(model("gradient").y_range, -tall, tall);
    const axis = model("gradient").left[0], title = content.spectra.gradients[state.gradient] || "gradient";
    if (axis.axis_label !== title) axis.axis_label = title;
    let total = 0, count = 0;
    for (const value of residual) if (Number.isFinite(value)) { total += value * value; count++; }
    const parts = ["Black: the spectrum."];
    parts.push(curves.residual ? `Vermilion: what the emulator makes of the labels, brought to the spectrum's resolution and continuum. Residual: rms ${Math.sqrt(total / count).toFixed(3)} of the continuum.` : `No spectrum of the emulator: ${content.absent.twin}.`);
    parts.push(curves.error ? "Blue band: 1 sigma of the noise." : `No noise is drawn: ${content.absent.error}.`);
    parts.push(state.gradient && curves["gradient " + state.gradient] ? `Gradient: ${content.spectra.gradients[state.gradient]}, pixel by pixel, by the model.` : `No gradient: ${content.absent.gradients}.`);
    summary.textContent = parts.join(" ");
  }
  function facts(row, number) {
    const box = get("facts");
    box.replaceChildren(element("h3", texts.name[row]));
    const lines = [];
    if (texts.id && texts.id[row] && texts.id[row] !== texts.name[row]) lines.push(`id ${texts.id[row]}`);
    if (texts.file && texts.file[row]) lines.push(texts.file[row]);
    if (number >= 0) lines.push(`shown because: ${content.spectra.why[number]}`);
    if (lines.length) box.append(element("p", lines.join(" \u00b7 ")));
    const table = element("table"), head = element("tr");
    const refs = content.labels.some((label) => label.reference);
    ["label", "catalog", ...(refs ? ["reference", "difference"] : [])].forEach((text) => head.append(element("th", text, { scope: "col" })));
    table.append(head);
    for (const label of content.labels) {
      const line = element("tr"), value = label.predicted ? data[label.name][row] : NaN;
      const error = label.error ? data[label.name + "_err"][row] : NaN;
      line.append(element("th", label.text, { scope: "row" }));
      line.append(element("td", printed(value, label.digits) + (Number.isFinite(error) ? ` \u00b1 ${error.toFixed(label.digits)}` : "")));
      if (refs) {
        const other = label.reference ? data["reference_" + label.name][row] : NaN;
        line.append(element("td", printed(other, label.digits)), element("td", printed(value - other, label.digits)));
      }
      if (label.predicted || (label.reference && Number.isFinite(data["reference_" + label.name][row]))) table.append(line);
    }
    box.append(table);
    const numbers = [];
    if (data.snr) numbers.push(`S/N ${printed(data.snr[row], 1)}`);
    if (data.misfit) numbers.push(`misfit ${printed(data.misfit[row], 2)}`);
    if (numbers.length) box.append(element("p", numbers.join(" \u00b7 ")));
    const set = words(row), list = element("ul");
    for (const flag of set) list.append(element("li", `${flag.name}: ${flag.text}`, flag.bad ? { class: "bad" } : {}));
    box.append(set.length ? list : element("p", content.hasFlags ? "No flag is set." : "The catalog has no flags."));
    neighbours(box, number);
  }
  function neighbours(box, number) {
    if (number < 0) return;
    if (!near) { box.append(element("p", `No labelled stars beside it: ${content.absent.neighbours}.`)); return; }
    const { labels, places, cosines, by } = content.spectra.near;
    const used = labels.filter((label) => places[number].some((one) => one >= 0 && near[label.name][one] !== null));
    const table = element("table"), head = element("tr");
    box.append(element("p", `Labelled stars with the most similar spectra (cosine of ${by}):`));
    ["star", "cosine", ...used.map((label) => label.text)].forEach((text) => head.append(element("th", text, { scope: "col" })));
    table.append(head);
    places[number].forEach((one, k) => {
      if (one < 0) return;
      const line = element("tr");
      line.append(element("td", near.name[one]), element("td", printed(cosines[number][k], 3)));
      used.forEach((label) => line.append(element("td", near[label.name][one] === null ? "\u2013" : printed(near[label.name][one], label.digits))));
      table.append(line);
    });
    const wide = element("div", undefined, { class: "wide" });
    wide.append(table);
    box.append(wide);
  }
  function place() {
    const list = listed(), at = list.indexOf(state.focus), what = state.selected ? "selected stars" : content.spectra ? "stars with a spectrum" : "stars";
    const name = state.focus >= 0 ? texts.name[state.focus] : "";
    get("place").textContent = at >= 0 ? `${name}: ${(at + 1).toLocaleString("en")} of ${list.length.toLocaleString("en")} ${what}` : `${name ? name + ": not among the " : ""}${list.length.toLocaleString("en")} ${what}`;
  }
  function step(by) {
    const list = listed();
    if (!list.length) return;
    const at = list.indexOf(state.focus);
    const next = by === "first" ? 0 : by === "last" ? list.length - 1 : at < 0 ? 0 : (at + by + list.length) % list.length;
    return focus(list[next]);
  }

  // ------------------------------------------------------------------ controls
  function lookUp() {
    const wanted = get("find").value.trim();
    if (!wanted) return;
    const lists = [texts.name, texts.id, texts.file].filter(Boolean);
    let row = -1;
    for (const list of lists) if (row < 0) row = list.indexOf(wanted);
    for (const list of lists) if (row < 0) row = list.findIndex((one) => one.toLowerCase().includes(wanted.toLowerCase()));
    if (row < 0) get("place").textContent = `No star is called ${wanted}.`;
    else focus(row);
  }
  function selectBy() {
    const [kind, name] = get("by").value.split(" "), n = content.n, chosen = new Uint8Array(n);
    if (kind === "bit") for (let i = 0; i < n; i++) chosen[i] = (bits[i] & Number(name)) !== 0;
    else if (kind === "kind") for (let i = 0; i < n; i++) chosen[i] = kinds[i] === Number(name);
    else if (kind === "why") content.spectra.rows.forEach((row, k) => { if (name === "any" || content.spectra.why[k] === name) chosen[row] = 1; });
    else {
      const bounds = ["low", "high"].map((id) => { const text = get(id).value.trim().replace("\u2212", "-"); return text === "" ? null : Number(text); });
      if (bounds.some((one) => one !== null && !Number.isFinite(one))) { get("count").textContent = "A bound is no number."; return; }
      const [low, high] = bounds, values = data[name];
      for (let i = 0; i < n; i++) chosen[i] = Number.isFinite(values[i]) && (low === null || values[i] >= low) && (high === null || values[i] <= high);
    }
    choose(chosen, shift);
  }
  function range(how) {
    for (const plane of Object.values(planes)) {
      const about = plane.name === "one" ? { limits: [content.compared[state.compared].limits, content.compared[state.compared].limits], whole: [content.compared[state.compared].whole, content.compared[state.compared].whole] } : content.planes[plane.name];
      let limits = how === "whole" ? about.whole : about.limits;
      if (how === "zoom") {
        const rows = state.list.filter((i) => Number.isFinite(data[plane.x][i]) && Number.isFinite(data[plane.y][i]));
        if (!rows.length) continue;
        limits = [plane.x, plane.y].map((name, axis) => {
          let low = Infinity, high = -Infinity;
          for (const i of rows) { low = Math.min(low, data[name][i]); high = Math.max(high, data[name][i]); }
          const turned = about.limits[axis][0] > about.limits[axis][1], pad = (high - low) * 0.08 || Math.abs(about.limits[axis][1] - about.limits[axis][0]) * 0.05;
          return turned ? [high + pad, low - pad] : [low - pad, high + pad];
        });
      }
      setRange(plane.figure.x_range, ...limits[0]);
      setRange(plane.figure.y_range, ...limits[1]);
    }
  }
  function compare(name) {
    state.compared = name;
    const one = content.compared[name], plane = planes.one;
    plane.x = "reference_" + name;
    plane.y = name;
    plane.figure.below[0].axis_label = one.x;
    plane.figure.left[0].axis_label = one.y;
    setRange(plane.figure.x_range, ...one.limits);
    setRange(plane.figure.y_range, ...one.limits);
    get("one-summary").textContent = one.summary;
    repaint([plane]);
  }
  function options(select, pairs, disabled) {
    for (const [value, text] of pairs) {
      const option = element("option", text, { value });
      if (disabled && disabled.has(value)) option.disabled = true;
      select.append(option);
    }
  }
  function fillControls() {
    const without = new Set();
    if (!content.hasFlags) without.add("flags");
    const pairs = [["flags", content.hasFlags ? "flags" : "flags (not in the catalog)"]];
    for (const [name, one] of Object.entries(content.colours)) {
      pairs.push([name, one.absent ? `${one.text} (${one.absent})` : one.text]);
      if (one.absent) without.add(name);
    }
    options(get("colour"), pairs, without);
    const picks = content.flags.map((flag) => [`bit ${flag.bit}`, `flag ${flag.name} (${flag.n.toLocaleString("en")})`]);
    if (content.hasFlags) picks.unshift(["kind 2", "bad flag"], ["kind 1", "warning only"], ["kind 0", "no flag"]);
    if (content.spectra) {
      picks.push(["why any", "with a spectrum"]);
      new Set(content.spectra.why).forEach((one) => picks.push([`why ${one}`, `spectrum: ${one}`]));
    }
    for (const label of content.labels) {
      if (label.predicted) picks.push([`value ${label.name}`, `${label.text}, catalog`]);
      if (label.reference) picks.push([`value reference_${label.name}`, `${label.text}, reference`]);
    }
    for (const name of ["snr", "misfit"]) if (data[name]) picks.push([`value ${name}`, name === "snr" ? "S/N" : name]);
    options(get("by"), picks);
    const compared = Object.keys(content.compared);
    if (compared.length) {
      options(get("compared"), compared.map((name) => [name, content.compared[name].text]));
      get("label-of-one").hidden = compared.length < 2;
    }
    const slopes = content.spectra ? Object.keys(content.spectra.gradients) : [];
    options(get("gradient"), slopes.map((name) => [name, content.labels.find((label) => label.name === name)?.text || name]));
    get("label-of-gradient").hidden = slopes.length < 2;
    state.gradient = slopes[0] || "";
    const ranged = () => { get("range").hidden = !get("by").value.startsWith("value "); };
    ranged();
    get("by").addEventListener("change", ranged);
    get("colour").addEventListener("change", (event) => { state.colour = event.target.value; recolour(); repaint(); });
    get("compared").addEventListener("change", (event) => compare(event.target.value));
    get("gradient").addEventListener("change", (event) => {
      state.gradient = event.target.value;
      if (state.curves) draw(state.focus, state.curves, placeOf.get(state.focus));
    });
    get("ids").addEventListener("focus", (event) => {
      if (state.list.length > MOST_LISTED) event.target.value = state.list.map(idOf).join("\n");
      event.target.select();
    });
    get("controls").addEventListener("submit", (event) => event.preventDefault());
    for (const id of ["low", "high"]) get(id).addEventListener("keydown", (event) => { if (event.key === "Enter") selectBy(); });
    get("find").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); lookUp(); } });
    const actions = { look: lookUp, select: selectBy, clear: () => choose(null), zoom: () => range("zoom"), whole: () => range("whole"),
      first: () => range("first"), more: () => { state.rows += MORE_ROWS; fillTable(false); }, back: () => step(-1), next: () => step(1), copy };
    for (const [id, action] of Object.entries(actions)) get(id).addEventListener("click", action);
    const keys = { ArrowRight: () => step(1), j: () => step(1), ArrowLeft: () => step(-1), k: () => step(-1), Home: () => step("first"),
      End: () => step("last"), "/": () => get("find").focus(), s: () => get("by").focus(), Escape: () => choose(null),
      z: () => range("zoom"), w: () => range("whole"), f: () => range("first"), c: copy };
    addEventListener("keydown", (event) => {
      const typing = event.target instanceof Element && event.target.closest("input, select, textarea");
      if (event.key === "Escape" && typing) { typing.blur(); return; }
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  async function start() {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old: take Chromium 80, Firefox 113, Safari 16.4 or later");
    // The library that draws is packed, too: it would be a quarter of the page.
    const library = element("script", new TextDecoder().decode(await bytes(get("bokeh").textContent)));
    document.head.append(library);
    texts = await json(content.texts);
    bits = new Int32Array((await bytes(content.bits)).buffer);
    for (const [name, text] of Object.entries(content.columns)) data[name] = await floats(text);
    kinds = Uint8Array.from(bits, (one) => (one & content.bad ? 2 : one & ~content.common ? 1 : 0));
    if (content.spectra) {
      wave = await floats(content.spectra.wave);
      content.spectra.rows.forEach((row, number) => placeOf.set(row, number));
      if (content.spectra.near) near = await json(content.spectra.near.columns);
    }
    const usable = Object.keys(content.colours).find((name) => !content.colours[name].absent);
    if (!content.hasFlags && usable) state.colour = usable;
    fillControls();
    get("colour").value = state.colour;
    recolour();
    const compared = Object.keys(content.compared);
    if (compared.length) {
      await addPlane("one", "reference_" + compared[0], compared[0]);
      compare(compared[0]);
    } else get("one").replaceChildren(element("h2", "One to one"), element("p", `Left out: ${content.absent["one-to-one"]}.`));
    for (const name of ["kiel", "alpha"]) {
      const about = content.planes[name], heading = document.querySelector(`#${name} h2`).textContent;
      if (about.absent) { get(name).replaceChildren(element("h2", heading), element("p", about.absent)); continue; }
      await addPlane(name, about.x, about.y);
      get(`${name}-summary`).textContent = about.summary;
    }
    if (items.spectrum) {
      await Bokeh.embed.embed_item(items.spectrum, get("spectrum"));
      spectrum = model("spectrum");
    }
    repaint();
    setInterval(resized, 200);
    fillTable(false);
    await step("first");
    transtar.ready = true;
  }
  const api = { ready: false, state, data, content, focus, choose, step, planes, listed, copied: "" };
  start().catch((error) => {
    get("trouble").hidden = false;
    get("trouble").textContent = `This page cannot be shown: ${error.message}`;
    console.error(error);
  });
  return api;
})();
