// The right answer to a row, given to the service: "was this right?", in the form and the queue.

import { button, call, h, say, t, tell } from "./base.js";

// Words with the spans that were found in them.
export function words(given, tags) {
  return given.map((word, i) => [tags[i] === "O" ? word
    : h("span", { class: "span" }, word, h("small", {}, tags[i].slice(2))), " "]);
}

// Yes, or what is right instead.
export function labelled(id, name, task, answer) {
  const said = h("p", { class: "quiet" });
  const send = async (label) => {
    await call("/feedback", { id, task: name, label });
    said.textContent = t("kept");
    say(t("kept"));
  };
  return h("fieldset", {}, h("legend", {}, t("was_right")), chooser(name, task, answer, send), said);
}

// What gives a label of a task's kind to `send`. keys: numbers before classes, for the queue.
export function chooser(name, task, answer, send, { keys = false } = {}) {
  const yes = agreed(name, task, answer);
  const inside = [];
  const few = task.type === "classify" && !task.several && task.classes.length <= 9;
  if (yes !== undefined && !(few && keys)) inside.push(button([keys ? h("kbd", {}, "Y") : "", t("yes")], () => send(yes), { class: "yes" }));
  if (few) {
    if (!keys) inside.push(h("span", { class: "quiet" }, t("no_it_is")));
    inside.push(...task.classes.map((one, at) => (keys || one !== answer[name]) && button([keys ? h("kbd", {}, `${at + 1}`) : "", one],
      () => send(one), { "data-label": one, class: one === answer[name] ? "yes" : null })));
  } else if (task.type !== "locate" && task.type !== "custom") {
    inside.push(written(name, task, answer, send));
  } else inside.push(h("p", { class: "quiet" }, t("elsewhere")));
  return h("div", { class: "actions" }, inside);
}

// The answer as a label; a number that was answered is no measurement, so it is none.
function agreed(name, task, answer) {
  if (task.type === "regress" || task.type === "custom") return undefined;
  if (task.type !== "locate") return answer[name];
  const parts = [answer[`${name}.boxes`], answer[`${name}.names`]];
  return task.columns.length === 1 ? parts[0] : Object.fromEntries(task.columns.map((c, i) => [c, parts[i]]));
}

function written(name, task, answer, send) {
  const field = task.type === "generate" ? h("textarea", { rows: 2 })
    : h("input", { type: "text", inputmode: task.type === "regress" ? "decimal" : "text", autocomplete: "off", list: task.classes.length ? `c-${name}` : null });
  const put = task.type === "regress" ? t("right_number", { unit: task.unit }) : task.several ? t("right_several") : t("right_text");
  if (task.type !== "regress") field.value = Array.isArray(answer[name]) ? answer[name].join(" ") : answer[name] ?? "";
  const label = () => {
    const text = field.value.trim();
    if (task.type === "regress") return text && Number.isFinite(Number(text)) ? Number(text) : undefined;
    return task.several ? text.split(/[\s,;]+/).filter(Boolean) : text || undefined;
  };
  const submit = async (event) => {
    event.preventDefault();
    const right = label();
    field.toggleAttribute("aria-invalid", right === undefined);
    if (right === undefined) { tell(t("no_label")); field.focus(); return; }
    tell(null);
    try { await send(right); } catch (error) { tell(error); }
  };
  const names = h("datalist", { id: `c-${name}` }, task.classes.map((value) => h("option", { value })));
  return h("form", { class: "right", novalidate: true, onsubmit: submit },
    h("label", {}, put, field), task.classes.length ? names : null, h("button", { type: "submit" }, t("save")));
}
