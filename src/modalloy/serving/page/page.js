// The page: tabs, the token, the form of the model that answers, and what buttons do.

import { $, busy, call, keep, put, quiet, say, t, tell } from "./base.js";
import { rowOf, wire, written } from "./ask.js";
import { labelled, openReview, pressed, skip } from "./review.js";
import { closeLive, openLive, pause } from "./live.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const opens = { review: openReview, report: openReport, live: openLive };
const does = { why: () => more("/page/why", { row }), alike: () => more("/page/alike", { like: row }), label, skip, pause };
let model = null, row = null; // the row that was answered last

async function load() {
  try {
    put($("form"), await call("/page/form"));
  } catch (error) {
    if ($("token").hidden) tell(error);
    return;
  }
  tell(null);
  $("token").hidden = true;
  model = JSON.parse($("row").dataset.model);
  $("name").textContent = model.name;
  $("version").textContent = t("version", { version: model.version });
  document.title = `${model.name} – Modalloy`;
  $("answer").hidden = false;
  $("queue-tasks").replaceChildren($("tasks").content);
  wire($("row"));
}

async function ask() {
  const sent = await rowOf($("row"));
  if (sent === null) return;
  if (Object.values(sent).every((cell) => cell === null)) throw new Error(t("all_empty"));
  say(t("thinking"));
  const html = await call("/page/answer", { row: sent });
  row = sent;
  const place = $("answer");
  put(place, html);
  const { said, version } = place.querySelector("[data-said]").dataset;
  $("version").textContent = t("version", { version });
  say(said);
  place.focus({ preventScroll: true });
  if (place.getBoundingClientRect().top > innerHeight - 120) place.scrollIntoView();
}

// What is loaded on demand: why, and past rows alike.
async function more(path, body) {
  const place = $("more");
  place.replaceChildren(quiet(t("thinking")));
  try { put(place, await call(path, body)); } catch (error) { place.replaceChildren(); throw error; }
}

async function label(from, value = JSON.parse(from.dataset.label)) {
  const card = from.closest("[data-row]"), { row: id, task } = card.dataset;
  await call("/feedback", { id, task, label: value });
  if (card.closest("#queue-row")) await labelled(card);
  else card.querySelector(".kept").textContent = t("kept");
  say(t("kept"));
}

async function openReport() {
  if (!model.report) { $("report").replaceChildren(quiet(t("no_report"))); return; }
  const { path } = await call("/page/report", undefined, "POST");
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  $("report").replaceChildren(Object.assign(frame, { src: path, title: t("tab_report") }));
}

async function open(tab) {
  for (const one of tabs) {
    one.setAttribute("aria-selected", one === tab);
    one.tabIndex = one === tab ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = one !== tab;
  }
  closeLive();
  tell(null);
  scrollTo(0, Math.min(scrollY, document.querySelector("header").offsetHeight));
  try { if (model) await opens[tab.getAttribute("aria-controls")]?.(); } catch (error) { tell(error); }
}

document.addEventListener("click", ({ target }) => {
  const tab = target.closest("[role=tab]"), button = target.closest("[data-do]");
  if (tab) open(tab);
  else if (button) busy(button, () => does[button.dataset.do](button));
});
document.addEventListener("change", ({ target }) => {
  if (target.dataset.toggle) target.closest("figure").querySelector(`.${target.dataset.toggle}`).hidden = !target.checked;
  if (target.id === "queue-task") openReview().catch(tell);
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, send = form.querySelector("[type=submit]");
  if (form.id === "row") busy(send, ask);
  else if (form.id !== "token-form") busy(send, () => label(form, written(form)));
  else {
    keep($("token-text").value.trim());
    form.reset();
    load();
  }
});
document.addEventListener("keydown", (event) => {
  const at = tabs.indexOf(event.target), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (at >= 0 && step) {
    const other = tabs[(at + step + tabs.length) % tabs.length];
    other.focus();
    open(other);
  } else pressed(event);
});
document.addEventListener("token", () => {
  keep(null);
  $("token").hidden = false;
  $("token-text").focus();
});
load();
