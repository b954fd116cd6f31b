// The page: tabs, the token, and the form of the model that answers.

import { $, call, h, keep, say, t, tell } from "./base.js";
import { rowOf, wire } from "./ask.js";
import { drawAnswer } from "./answer.js";
import { openReview } from "./review.js";
import { closeLive, openLive } from "./live.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
let model = null;

async function load() {
  try {
    $("form").innerHTML = await call("/page/form", undefined, { html: true });
  } catch (error) {
    if ($("token").hidden) tell(error);
    return;
  }
  tell(null);
  $("token").hidden = true;
  document.body.classList.add("known");
  const form = $("row");
  model = JSON.parse(form.dataset.model);
  $("name").textContent = model.name;
  $("version").textContent = t("version", { version: model.version });
  document.title = `${model.name} – Modalloy`;
  $("answer").replaceChildren(h("p", { class: "quiet waits" }, t("answer_comes")));
  wire(form, model);
  form.addEventListener("submit", ask);
}

async function ask(event) {
  event.preventDefault();
  const form = event.currentTarget, send = form.querySelector("[type=submit]");
  tell(null);
  const row = await rowOf(form);
  if (row === null) return;
  if (Object.values(row).every((cell) => cell === null)) { tell(t("all_empty")); return; }
  send.disabled = true;
  say(t("thinking"));
  try {
    const told = await call("/predict", { rows: [row] });
    if (told.version !== model.version) await fresh(told.version);
    drawAnswer($("answer"), told, row, model, chosen(form));
  } catch (error) {
    tell(error);
  } finally {
    send.disabled = false;
  }
}

// The picture that boxes are drawn on.
function chosen(form) {
  const on = Object.values(model.tasks).find((task) => task.type === "locate")?.on;
  return on ? form.querySelector(`[data-column="${CSS.escape(on)}"] .preview img`) : null;
}

// Another version answers since the form was loaded; what is known of it is asked for again.
async function fresh(version) {
  const html = await call("/page/form", undefined, { html: true });
  const made = new DOMParser().parseFromString(html, "text/html").getElementById("row");
  model = JSON.parse(made.dataset.model);
  $("version").textContent = t("version", { version });
}

async function openReport() {
  const place = $("report");
  if (!model.report) { place.replaceChildren(h("p", {}, t("no_report"))); return; }
  const { path } = await call("/page/report", undefined, { method: "POST" });
  place.replaceChildren(h("iframe", { src: path, title: t("tab_report"), sandbox: "" }));
}

async function open(tab) {
  for (const one of tabs) {
    const chosenTab = one === tab;
    one.setAttribute("aria-selected", chosenTab);
    one.tabIndex = chosenTab ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = !chosenTab;
  }
  closeLive();
  tell(null);
  if (!model) return;
  const act = { review: () => openReview(model), report: openReport, live: openLive }[tab.getAttribute("aria-controls")];
  try { await act?.(); } catch (error) { tell(error); }
}

for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const other = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    other.focus();
    open(other);
  });
}
document.addEventListener("token", () => {
  keep(null);
  $("token").hidden = false;
  $("token-text").focus();
});
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep($("token-text").value.trim());
  $("token-text").value = "";
  load();
});
load();
