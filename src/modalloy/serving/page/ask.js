// The form: its fields as a row, files read as base64, and what is said beside a field.

import { num, t } from "./base.js";

const MEDIA = ["image", "audio", "series"];
const numbers = (text) => text.trim().split(/[\s,;]+/).map(Number);

// Cells by column, null where a field is empty; the first field that cannot be one is focused.
export async function rowOf(form) {
  const row = {};
  for (const field of form.querySelectorAll(".field")) {
    const cell = await cellOf(field);
    if (cell === undefined) {
      field.querySelector("input, textarea").focus();
      return null;
    }
    row[field.dataset.column] = cell;
  }
  return row;
}

async function cellOf(field) {
  const { kind, length } = field.dataset;
  const file = MEDIA.includes(kind) ? field.querySelector("input").files[0] : null;
  if (file) return { base64: await base64(file) };
  const text = (field.querySelector(kind === "series" ? "textarea" : "input, textarea").value ?? "").trim();
  if (!text || MEDIA.includes(kind) && kind !== "series") return null;
  if (kind === "number") return Number.isFinite(Number(text)) ? Number(text) : wrong(field, t("no_number"));
  if (kind === "any") return Number.isFinite(Number(text)) ? Number(text) : text;
  if (kind === "tokens") return text.split(/\s+/);
  if (kind !== "vector" && kind !== "series") return text;
  const lines = text.split("\n").filter((line) => line.trim()).map(numbers);
  const found = kind === "vector" || lines.length === 1 ? lines.flat() : lines;
  const odd = !found.flat().every(Number.isFinite) ? t("no_numbers")
    : length && found.length !== Number(length) ? t("kind_vector", { length }) : null;
  return odd ? wrong(field, odd) : found;
}

// Says what is wrong with a field, which then is no cell.
function wrong(field, why) {
  beside(field, why, true);
  return undefined;
}

function beside(field, said, bad = false) {
  const line = field.querySelector(".beside");
  line.hidden = !said;
  line.textContent = said ?? "";
  for (const input of field.querySelectorAll("input, textarea")) {
    if (said && bad) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

function base64(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(new Error(t("no_file")));
    reader.readAsDataURL(file);
  });
}

// What a person wrote as the right answer; an Error where it is none.
export function written(form) {
  const field = form.querySelector("input, textarea"), kind = form.dataset.write, text = field.value.trim();
  const label = kind === "several" ? text.split(/[\s,;]+/).filter(Boolean) : kind === "number" ? Number(text) : text;
  const none = kind !== "several" && (!text || kind === "number" && !Number.isFinite(label));
  field.toggleAttribute("aria-invalid", none);
  if (!none) return label;
  field.focus();
  throw new Error(t("no_label"));
}

// Values unlike those of training are said while they are typed; nothing is refused for that.
export function wire(form) {
  for (const field of form.querySelectorAll(".field")) {
    const { kind, low, high } = field.dataset;
    const input = field.querySelector("input, textarea");
    if (MEDIA.includes(kind)) { wireFile(field, input, kind); continue; }
    input.addEventListener("input", () => {
      const text = input.value.trim();
      const outside = kind === "number" && text && low !== undefined && (Number(text) < low || Number(text) > high);
      const names = [...field.querySelectorAll("[data-all] option")].map((one) => one.value);
      const strange = names.length && text && !names.includes(text);
      beside(field, outside ? t("outside", { low: num(low), high: num(high) }) : strange ? t("strange") : null);
    });
  }
  form.addEventListener("reset", () => {
    for (const field of form.querySelectorAll(".field")) {
      beside(field, null);
      field.querySelector(".preview")?.replaceChildren();
    }
  });
}

function wireFile(field, input, kind) {
  const drop = field.querySelector(".drop"), preview = field.querySelector(".preview");
  const over = (on) => (event) => { event.preventDefault(); drop.classList.toggle("over", on); };
  drop.addEventListener("dragover", over(true));
  drop.addEventListener("dragleave", over(false));
  drop.addEventListener("drop", (event) => {
    over(false)(event);
    if (!event.dataTransfer.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    input.dispatchEvent(new Event("change"));
  });
  input.addEventListener("change", () => {
    const file = input.files[0];
    const shown = preview.firstElementChild?.src;
    if (shown) URL.revokeObjectURL(shown);
    const src = file && kind !== "series" ? URL.createObjectURL(file) : null;
    preview.replaceChildren();
    if (!src) return;
    const said = t("chosen", { name: file.name });
    preview.append(kind === "image" ? Object.assign(document.createElement("img"), { src, alt: said, className: "thumb" })
      : Object.assign(document.createElement("audio"), { src, controls: true, ariaLabel: said }));
  });
}
