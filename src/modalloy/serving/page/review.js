// The queue: rows without a label, the least certain first; labelled or skipped by keyboard.

import { $, call, put, quiet, say, t } from "./base.js";

const AHEAD = 5; // rows that are asked for at once
let seen = new Set(), skipped = 0, waiting = 0, since = "";

const rows = () => [...$("queue-row").querySelectorAll("[data-row]")];

export async function openReview() {
  seen = new Set();
  skipped = 0;
  $("queue-row").replaceChildren();
  await show();
}

// Whether there are rows at all behind those that were skipped: these stay the least certain, so they come first.
async function fetchRows() {
  const task = encodeURIComponent($("queue-task").value);
  put($("queue-row"), await call(`/page/queue?task=${task}&top=${AHEAD}&past=${skipped}`));
  const foot = $("queue-row").querySelector("[data-waiting]");
  waiting = Number(foot.dataset.waiting);
  since = foot.textContent;
  foot.remove();
  if (rows().every((one) => seen.has(one.dataset.row))) skipped += rows().length;
  return rows().length > 0;
}

async function show() {
  for (let more = true; ;) {
    for (const one of rows()) if (seen.has(one.dataset.row)) one.remove();
    if (rows().length || !more) break;
    more = await fetchRows();
  }
  const [first] = rows(), place = $("queue-row");
  $("queue-count").textContent = `${t("waiting", { count: waiting })} ${since}`;
  if (first) first.hidden = false;
  else place.replaceChildren(quiet(t("queue_empty")));
  place.focus({ preventScroll: true });
  say(first ? first.dataset.said : t("queue_empty"));
}

export async function labelled(card) {
  waiting -= 1;
  await past(card);
}

export async function skip(button) {
  skipped += 1;
  await past(button.closest("[data-row]"));
}

async function past(card) {
  seen.add(card.dataset.row);
  card.remove();
  await show();
}

// Keys count while the row has the focus, and not while something is written.
export function pressed(event) {
  const card = event.target.closest("#queue-row");
  if (!card || event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = card.querySelector("[data-row]"), key = event.key.toLowerCase();
  const found = key === "s" ? row?.querySelector(".skip-row")
    : key === "y" ? row?.querySelector(".yes") : row?.querySelectorAll(".class")[Number(key) - 1];
  if (!found) return;
  event.preventDefault();
  found.click();
}
