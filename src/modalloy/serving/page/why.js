// What mattered: shares of columns, and marks inside pictures, words, signals; and past rows alike.

import { cells, h, num, percent, signed, t } from "./base.js";

export function drawWhy({ tasks }) {
  return h("div", {}, h("p", { class: "key" }, h("i", { class: "for" }), t("for"), h("i", { class: "against" }), t("against")),
    tasks.map((task) => h("article", { class: "card" }, h("h3", {}, t("why_title", { task: task.task })),
      task.columns ? reasons(task) : h("p", { class: "quiet" }, t("nothing_to_explain")))));
}

function reasons(task) {
  const { unit } = task;
  const most = Math.max(...task.columns.map((c) => Math.abs(c.adds)), 1e-12);
  const lines = task.columns.map(({ name, adds, error }) => h("div", { class: "bar" }, h("span", { class: "name" }, name),
    h("span", { class: "track both" }, h("i", { class: adds < 0 ? "against" : "for", style: {
      left: `${50 + Math.min(0, 50 * adds / most)}%`, width: `${50 * Math.abs(adds) / most}%` } })),
    h("span", { class: "said" }, signed(adds, unit) + (error ? ` ± ${num(error, 2)}` : ""))));
  const how = t(task.exact ? "shapley" : "shapley_estimated", { nothing: `${num(task.nothing)} ${unit}`.trim(), whole: `${num(task.whole)} ${unit}`.trim() });
  return h("div", {}, h("p", { class: "quiet" }, t("explains"), " ", h("span", { lang: "en" }, task.explains)),
    h("div", { class: "bars" }, lines), h("p", { class: "quiet" }, how),
    task.network < 1 && task.inside.length > 0 && h("p", { class: "quiet" }, t("network_share", { share: percent(task.network) })),
    task.inside.map((one) => h("figure", {}, h("figcaption", {}, one.column), inside(one),
      h("p", { class: "quiet" }, t(one.method === "occlusion" ? "by_occlusion" : "by_gradients")))));
}

function inside(one) {
  if (one.kind === "image") return picture(one);
  if (one.words) return h("p", { class: "words" }, one.words.map(([word, heat]) => [/^[.,;:!?)\]%]/.test(word) ? "" : " ",
    h("span", { class: heat < 0 ? "against" : "for", style: { "--heat": `${Math.round(75 * Math.abs(heat))}%` } }, word)]));
  if (one.parts) return h("ul", {}, one.parts.map(([said, share]) => h("li", { lang: "en" }, `${said}: ${signed(100 * share, "%")}`)));
  return h("div", {}, one.lines.map((drawn) => signal(one, drawn)),
    h("p", { class: "ends" }, h("span", {}, "0"), h("span", {}, t(one.seconds ? "seconds" : "samples", { end: num(one.end) }))),
    one.bands.length > 0 && spectrum(one.bands));
}

// The picture with its marks; without them at a press.
function picture(one) {
  const marks = h("img", { src: one.marks, alt: "" });
  const toggle = h("input", { type: "checkbox", checked: true, onchange: (event) => { marks.hidden = !event.target.checked; } });
  return h("div", {}, h("div", { class: "over grey" }, h("img", { src: one.picture, alt: t("marked", { column: one.column }) }), marks),
    h("label", { class: "check" }, toggle, t("marks")));
}

// A line over stretches that are as strongly coloured as they speak.
function signal(one, { channel, points, heat }) {
  const y = points.map((p) => p[1]), low = Math.min(...y), high = Math.max(...y);
  const ends = [...one.starts.slice(1), 1];
  return h("svg", { class: "signal", viewBox: "0 0 600 90", preserveAspectRatio: "none", role: "img",
    "aria-label": t("marked", { column: one.channels > 1 ? `${one.column}, ${channel}` : one.column }) },
  heat.map((value, w) => Math.abs(value) > 0.02 && h("rect", { class: value < 0 ? "against" : "for", x: 600 * one.starts[w],
    width: 600 * (ends[w] - one.starts[w]), y: 0, height: 90, "fill-opacity": 0.65 * Math.abs(value) })),
  h("polyline", { points: points.map(([x, v]) => `${600 * x},${84 - 78 * (v - low) / (high - low || 1)}`).join(" ") }));
}

// Bands of frequencies, the tallest bar the one that matters most.
function spectrum(bands) {
  const end = bands.at(-1)[1];
  return h("div", {}, h("p", { class: "quiet" }, t("bands")), h("svg", { class: "signal low", viewBox: "0 0 600 60",
    preserveAspectRatio: "none", role: "img", "aria-label": t("bands") },
  bands.map(([low, high, value]) => h("rect", { class: value < 0 ? "against" : "for", x: 600 * low / end,
    width: Math.max(0, 600 * (high - low) / end - 1), y: value < 0 ? 30 : 30 - 28 * value, height: Math.max(1, 28 * Math.abs(value)) })),
  h("line", { x1: 0, x2: 600, y1: 30, y2: 30 })), h("p", { class: "ends" }, h("span", {}, "0"), h("span", {}, `${num(end)} Hz`)));
}

export function drawAlike({ rows, notes }) {
  return h("div", {}, h("p", { class: "quiet" }, t("alike_note")),
    notes.map((note) => h("p", { class: "quiet", lang: "en" }, note)),
    h("div", { class: "rows" }, rows.map((row) => h("article", { class: "card" }, h("h3", {}, t("past_row", { row: row.row })),
      h("p", { class: "quiet" }, t("score", { score: num(row.score, 3) })),
      Object.entries(row.truth).map(([name, value]) => h("p", { class: "pair" }, h("span", {}, name), h("b", {}, typeof value === "number" ? num(value) : String(value)))),
      cells(row.cells)))));
}
