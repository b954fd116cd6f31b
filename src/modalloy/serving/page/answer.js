// An answer: what is said of each task, how sure it is, what the row was worth, and by whom.

import { bars, button, call, h, num, percent, say, t } from "./base.js";
import { labelled, words } from "./labels.js";
import { drawAlike, drawWhy } from "./why.js";

const MOST = 8; // classes with a bar

export function drawAnswer(place, told, row, model, picture) {
  const [{ id, answer, cells }] = told.rows;
  const tasks = Object.entries(model.tasks);
  const cards = tasks.map(([name, task]) => card(name, task, answer, row, picture, id));
  place.replaceChildren(h("h2", { class: "unseen" }, t("answer_title")), unlike(answer) ?? "",
    h("div", { class: "cards" }, cards),
    ...told.caveats.map((one) => h("p", { class: "lacking", lang: "en" }, one)),
    worth(cells, answer), more(row, model),
    h("p", { class: "quiet" }, t("by_version", { model: told.model, version: told.version, request: told.request })));
  say(tasks.map(([name, task]) => `${name}: ${short(name, task, answer)}`).join("; "));
  place.focus({ preventScroll: true });
  if (place.getBoundingClientRect().top > innerHeight - 120) place.scrollIntoView();
}

// The answer in a few words.
export function short(name, task, answer) {
  const said = answer[name];
  if (task.type === "locate") return t("boxes", { count: (answer[`${name}.boxes`] ?? []).length });
  if (task.type === "regress") return `${num(said)} ${task.unit}`.trim();
  return Array.isArray(said) ? said.join(", ") || t("none") : String(said ?? "");
}

function card(name, task, answer, row, picture, id) {
  return h("article", { class: "card" }, h("h3", {}, name), figures(name, task, answer, row, picture),
    id ? labelled(id, name, task, answer) : h("p", { class: "quiet" }, t("not_kept")));
}

// What is said of one task, without the question whether it is right.
export function figures(name, task, answer, row = {}, picture = null) {
  const of = (end) => answer[`${name}.${end}`];
  const inside = [h("p", { class: "big" }, task.type === "tag" ? words(row[task.on] ?? [], answer[name])
    : short(name, task, answer))];
  if (of("set") !== undefined) {
    const names = of("set") ? of("set").split(" | ") : [];
    inside.push(line(t("set"), names.length ? names.join(", ") : t("set_empty")));
    if (of("abstain")) inside.push(h("p", { class: "lacking" }, t("abstain")));
  }
  if (of("low") !== undefined) inside.push(line(t("interval"), t("between", { low: num(of("low")), high: num(of("high")), unit: task.unit })));
  if (of("decision") !== undefined) inside.push(line(t("decision"), t("cost", { decision: of("decision"), cost: num(of("cost")) })));
  if (typeof of("confidence") === "number") inside.push(line(t("confidence"), percent(of("confidence"))));
  for (const key of Object.keys(answer).filter((k) => k.startsWith(`${name}.q[`))) {
    inside.push(line(t("quantile", { q: key.slice(name.length + 3, -1) }), `${num(answer[key])} ${task.unit}`));
  }
  if (task.type === "locate") inside.push(boxes(of("boxes"), of("names"), of("scores"), picture));
  const sure = task.classes.filter((c) => of(`p[${c}]`) !== undefined).map((c) => ({ name: c, share: of(`p[${c}]`) }));
  sure.sort((a, b) => b.share - a.share);
  inside.push(bars(sure.slice(0, MOST).map((one, at) => ({ ...one, said: percent(one.share), main: at === 0 }))));
  return h("div", {}, inside);
}

const line = (name, said) => h("p", { class: "pair" }, h("span", {}, name), h("b", {}, said));

// Boxes over the picture that was chosen, and as a list.
function boxes(found, names, scores, picture) {
  const list = h("ul", {}, found.map((b, i) => h("li", {}, `${names[i] ?? ""} ${percent(scores[i])} (${b.map((v) => num(v)).join(" ")})`)));
  if (!picture?.naturalWidth) return list;
  const { naturalWidth: width, naturalHeight: height } = picture;
  const drawn = found.map(([x, y, right, bottom]) => h("rect", { x, y, width: right - x, height: bottom - y, "stroke-width": width / 150 }));
  return h("div", {}, h("div", { class: "over" }, h("img", { src: picture.src, alt: "" }),
    h("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, drawn)), list);
}

// A row unlike those that were learned from, and which column is.
export function unlike(answer) {
  const key = "row.unlike" in answer ? "row.unlike" : "unlike";
  if (answer[key] !== "yes") return null;
  return h("p", { class: "alarm" }, h("strong", {}, t("unlike")), t("unlike_column", { column: answer[`${key}.column`] }));
}

// Each cell and what it was worth to the model.
function worth(cells, answer) {
  const known = { ok: t("worth_ok"), missing: t("missing") };
  const odd = Object.values(cells).filter((said) => !(said in known)).length;
  const rows = Object.entries(cells).map(([name, said]) => h("tr", {}, h("th", { scope: "row" }, name),
    said in known ? h("td", { class: said }, known[said]) : h("td", { class: "odd", lang: "en" }, said)));
  const bought = answer["row.bought"] ?? answer.bought;
  return h("details", { open: odd > 0 },
    h("summary", {}, t("cells_title", { read: Object.values(cells).filter((c) => c !== "missing").length, all: rows.length })),
    h("table", {}, h("tbody", {}, rows)),
    bought != null && h("p", { class: "quiet" }, t("bought", { columns: String(bought) })));
}

// What is loaded on demand: a run can be looked into, a bundle only answers.
function more(row, model) {
  if (model.bundle) return h("p", { class: "quiet" }, t("bundle"));
  const place = h("div", { "aria-live": "polite" });
  const load = (path, body, draw) => async () => {
    place.replaceChildren(h("p", { class: "quiet" }, t("thinking")));
    try { place.replaceChildren(draw(await call(path, body))); } catch (error) { place.replaceChildren(); throw error; }
  };
  return h("div", {}, h("div", { class: "actions" },
    button(t("why"), load("/page/why", { row }, drawWhy)),
    button(t("alike"), load("/page/alike", { like: row }, drawAlike))), place);
}
