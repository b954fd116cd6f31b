// The queue: rows without a label, the least certain first; labelled or skipped by keyboard.

import { $, button, call, cells, h, say, t, tell, when } from "./base.js";
import { figures, short, unlike } from "./answer.js";
import { chooser } from "./labels.js";

const AHEAD = 5; // rows that are asked for at once

export async function openReview(model) {
  const place = $("review"), names = Object.keys(model.tasks);
  const state = { task: place.dataset.task in model.tasks ? place.dataset.task : names[0], rows: [], done: new Set(), waiting: 0, since: null };
  const choose = h("select", { id: "queue-task", onchange: () => { place.dataset.task = choose.value; openReview(model); } },
    names.map((name) => h("option", { value: name, selected: name === state.task }, name)));
  const card = h("div", { id: "queue-row", tabindex: "-1", onkeydown: (event) => pressed(event, card) });
  const head = h("p", { class: "quiet", id: "queue-count" });
  place.replaceChildren(h("h2", {}, t("tab_review")), h("p", { class: "quiet" }, t("review_note")),
    names.length > 1 ? h("div", { class: "field narrow" }, h("label", { for: "queue-task" }, t("task")), choose) : "", head, card);
  await next(model, state, head, card);
}

async function next(model, state, head, card) {
  if (!state.rows.length) {
    const top = Math.min(100, AHEAD + state.done.size);
    const found = await call(`/page/queue?task=${encodeURIComponent(state.task)}&top=${top}`);
    state.rows = found.rows.filter((row) => !state.done.has(row.id));
    state.waiting = found.waiting;
    state.since = found.since;
  }
  const row = state.rows.shift();
  head.textContent = t("waiting", { count: state.waiting }) + (state.since ? ` ${t("since", { when: when(state.since) })}` : "");
  if (!row) {
    card.replaceChildren(h("p", {}, t("queue_empty")));
    say(t("queue_empty"));
    return;
  }
  const task = model.tasks[state.task];
  const on = async () => { state.done.add(row.id); await next(model, state, head, card); };
  const send = async (label) => {
    await call("/feedback", { id: row.id, task: state.task, label });
    state.waiting -= 1;
    await on();
    say(t("kept"));
  };
  card.replaceChildren(h("article", { class: "card" }, h("h3", {}, t("answered", { when: when(row.at), version: row.version })),
    unlike(row.answer), figures(state.task, task, row.answer),
    h("fieldset", {}, h("legend", {}, t("what_right")), chooser(state.task, task, row.answer, send, { keys: true }),
      h("div", { class: "actions" }, button([h("kbd", {}, "S"), t("skip_row")], on, { class: "skip-row" }))),
    row.unreadable ? h("p", { class: "lacking", lang: "en" }, row.unreadable) : cells(row.cells)));
  tell(null);
  card.focus({ preventScroll: true });
  say(`${state.task}: ${short(state.task, task, row.answer)}`);
}

// Keys count while the row has the focus, and not while something is written.
function pressed(event, card) {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const labels = card.querySelectorAll("[data-label]");
  const found = event.key.toLowerCase() === "s" ? card.querySelector(".skip-row")
    : event.key.toLowerCase() === "y" ? card.querySelector(".yes") : labels[Number(event.key) - 1];
  if (!found) return;
  event.preventDefault();
  found.click();
}
