// Counters of the running service, asked for every few seconds while they are looked at.

import { $, call, num, put, t, tell } from "./base.js";

const EVERY_MS = 3000;
let timer = null, paused = false, before = null;

export function openLive() {
  before = null;
  timer = setInterval(() => { if (!paused && !document.hidden) look().catch(tell); }, EVERY_MS);
  return look();
}

export const closeLive = () => clearInterval(timer);

export async function pause(button) {
  paused = !paused;
  button.textContent = t(paused ? "go_on" : "pause");
  if (!paused) await look();
}

async function look() {
  put($("counters"), await call("/page/live"));
  const now = performance.now(), rows = Number($("counters").querySelector("[data-rows]").dataset.rows);
  if (before) $("rate").textContent = t("rate", { rate: num(Math.max(0, 1000 * (rows - before.rows) / (now - before.at))) });
  before = { rows, at: now };
}
