// Counters of the running service, asked for every few seconds while they are looked at.

import { $, bars, button, call, h, num, percent, t, tell, when } from "./base.js";

const EVERY_MS = 3000;
let timer = null, paused = false, before = null;

export function openLive() {
  const place = h("div", { id: "counters" });
  const pause = button(t("pause"), async () => {
    paused = !paused;
    pause.textContent = paused ? t("go_on") : t("pause");
    if (!paused) await look(place);
  }, { id: "pause" });
  $("live").replaceChildren(h("h2", {}, t("tab_live")), h("div", { class: "actions" }, pause), place);
  before = null;
  clearInterval(timer);
  timer = setInterval(() => { if (!paused && !document.hidden) look(place); }, EVERY_MS);
  return look(place);
}

export const closeLive = () => clearInterval(timer);

async function look(place) {
  let found;
  try { found = await call("/page/live"); } catch (error) { tell(error); return; }
  const now = performance.now();
  const rate = before ? Math.max(0, 1000 * (found.rows - before.rows) / (now - before.at)) : null;
  before = { rows: found.rows, at: now };
  place.replaceChildren(...draw(found, rate));
}

function draw(found, rate) {
  const { requests, latency_ms: ms, rows } = found;
  const share = (count) => (rows ? percent(count / rows) : "–");
  const many = (counts) => bars(Object.entries(counts).map(([name, count]) => ({ name, share: rows ? count / rows : 0, said: num(count) })));
  const figure = (name, value, note = "") => h("article", { class: "card" }, h("h3", {}, name), h("p", { class: "big" }, value), h("p", { class: "quiet" }, note));
  const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
  const list = (name, counts, none) => h("article", { class: "card" }, h("h3", {}, name),
    sum(counts) ? many(counts) : h("p", { class: "quiet" }, none));
  return [
    found.problem && h("p", { class: "alarm", lang: "en" }, found.problem),
    h("p", { class: "quiet" }, t("live_since", { when: when(found.since), version: found.version })),
    h("div", { class: "figures" },
      figure(t("requests"), num(requests.answered, 9), t("refused", { refused: num(requests.refused, 9), failed: num(requests.failed, 9) })),
      figure(t("rows"), num(rows, 9), rate === null ? "" : t("rate", { rate: num(rate, 3) })),
      figure(t("latency"), ms ? `${num(ms.p50, 3)} ms` : "–", ms ? t("p99", { p99: num(ms.p99, 3) }) : ""),
      figure(t("unlike_rows"), num(found.unlike, 9), share(found.unlike)),
      list(t("abstained"), found.abstained, t("none_yet")), list(t("missing_cells"), found.cells.missing, t("none_yet")),
      list(t("unknown_cells"), { ...found.cells.unknown, ...found.cells.unreadable }, t("none_yet")),
      list(t("labels"), found.labels, t("none_yet")), drift(found.drift)),
  ].filter(Boolean);
}

function drift(found) {
  return h("article", { class: "card" }, h("h3", {}, t("drift")),
    found === null ? h("p", { class: "quiet" }, t("not_watched"))
      : [h("p", { class: "quiet" }, t("watched", { when: when(found.at), rows: num(found.rows, 9) })),
        found.drifts.length ? h("ul", { lang: "en" }, found.drifts.map((d) => h("li", {}, h("b", {}, d.where), ` ${d.said}`)))
          : h("p", {}, t("no_drift"))]);
}
