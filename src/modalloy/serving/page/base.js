// What every part of the page uses: texts, calls with the token, and pieces of HTML put in place.

const texts = JSON.parse(document.getElementById("texts").textContent);
const KEY = "modalloy-token"; // in this tab alone, until it is closed

export const lang = document.documentElement.lang;
const place = navigator.language.startsWith(lang.slice(0, 2)) ? navigator.language : lang; // how dates are written
export const $ = (id) => document.getElementById(id);
export const t = (key, put = {}) =>
  Object.entries(put).reduce((said, [name, value]) => said.replaceAll(`{${name}}`, value), texts[key]);
export const num = (x) => Number(x).toLocaleString(lang, { maximumSignificantDigits: 4 });
export const say = (text) => { $("said").textContent = text; };

// What went wrong: a text, or an Error with its language; nothing clears it.
export function tell(problem) {
  $("problem").hidden = !problem;
  $("problem").textContent = problem?.message ?? problem ?? "";
  $("problem").lang = problem?.lang || lang;
}

export function keep(token) {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

// What the service answers: HTML as text, all else as JSON; an Error with its sentence where it refuses.
export async function call(path, body, method = body === undefined ? "GET" : "POST") {
  const token = sessionStorage.getItem(KEY);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error(t("no_service"));
  }
  if (answer.ok) return answer.headers.get("Content-Type").startsWith("text/html") ? answer.text() : answer.json();
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401) document.dispatchEvent(new Event("token"));
  throw Object.assign(new Error(told.error ?? t("no_service")), { lang: answer.headers.get("Content-Language") });
}

// HTML of our own server, which escapes cells; times are written as this place has them.
export function put(into, html) {
  into.innerHTML = html;
  for (const time of into.querySelectorAll("time")) time.textContent = new Date(time.dateTime).toLocaleString(place);
}

export const quiet = (text) => Object.assign(document.createElement("p"), { className: "quiet", textContent: text });

// Runs while its button is busy; what goes wrong is said.
export async function busy(button, act) {
  button.disabled = true;
  tell(null);
  try { await act(); } catch (error) { tell(error); } finally { button.disabled = false; }
}
