// What every part of the page uses: texts, elements, numbers, and calls with the token.

const texts = JSON.parse(document.getElementById("texts").textContent);
const lang = document.documentElement.lang;
const KEY = "modalloy-token"; // in this tab alone, until it is closed

export const $ = (id) => document.getElementById(id);
export const t = (key, put = {}) =>
  Object.entries(put).reduce((said, [name, value]) => said.replaceAll(`{${name}}`, value), texts[key]);
export const num = (x, digits = 4) =>
  Number(x).toLocaleString(lang, { maximumSignificantDigits: digits });
export const percent = (x) => Number(x).toLocaleString(lang, { style: "percent", maximumFractionDigits: 1 });
export const when = (seconds) => new Date(1000 * seconds).toLocaleString(lang);
export const signed = (x, unit = "") => `${x < 0 ? "−" : "+"}${num(Math.abs(x), 3)} ${unit}`.trim();

// An element: attributes, `on…` listeners, `style` as an object, then what stands in it.
export function h(tag, given = {}, ...inside) {
  const svg = ["svg", "rect", "polyline", "line"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([of, to]) => made.style.setProperty(of, to));
    else if (name === "html") made.innerHTML = value; // of our own server, which escapes cells
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...inside.flat(Infinity).filter((one) => one != null && one !== false));
  return made;
}

export const say = (text) => { $("said").textContent = text; };

// What went wrong: a text, or an Error; sentences of the service are English.
export function tell(problem) {
  $("problem").hidden = !problem;
  $("problem").textContent = problem?.message ?? problem ?? "";
  $("problem").lang = problem?.lang ?? lang;
}

export function keep(token) {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

// An answer of the service; an Error with its sentence where it refuses.
export async function call(path, body, { method = body === undefined ? "GET" : "POST", html = false } = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error(t("no_service"));
  }
  if (answer.ok) return html ? answer.text() : answer.json();
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401) document.dispatchEvent(new Event("token"));
  throw Object.assign(new Error(told.error ?? t("no_service")), { lang: told.error ? "en" : lang });
}

// A button that is busy while its call runs; what goes wrong is said.
export function button(name, act, given = {}) {
  return h("button", { type: "button", ...given, onclick: async (event) => {
    const own = event.currentTarget;
    own.disabled = true;
    tell(null);
    try { await act(own); } catch (error) { tell(error); } finally { own.disabled = false; }
  } }, name);
}

// Lines of a name, a bar from 0 to 1 and a number.
export function bars(lines) {
  return h("div", { class: "bars" }, lines.map(({ name, share, said, main }) =>
    h("div", { class: main ? "bar main" : "bar" }, h("span", { class: "name" }, name),
      h("span", { class: "track" }, h("i", { style: { width: `${100 * Math.min(1, share)}%` } })),
      h("span", { class: "said" }, said))));
}

// Name and HTML of cells, as the service shows them.
export const cells = (shown) =>
  h("dl", {}, shown.map(({ name, html }) => h("div", {}, h("dt", {}, name),
    html === null ? h("dd", { class: "absent" }, t("missing")) : h("dd", { html }))));
