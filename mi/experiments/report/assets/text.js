const byId = (id) => document.getElementById(id);

/** An element with attributes and children. Strings become text nodes: nothing here can become markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") made.style.setProperty("--c", value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

/** Text nodes, with what is searched for in <mark>. */
function highlighted(text, query) {
  const words = termsOf(query).filter((term) => !term.without).map((term) => term.text);
  const lower = text.toLowerCase();
  if (!words.length || lower.length !== text.length) return [text];
  const pieces = [];
  for (let at = 0; at < text.length; ) {
    const next = words
      .map((word) => ({ start: lower.indexOf(word, at), length: word.length }))
      .filter((hit) => hit.start >= 0)
      .sort((a, b) => a.start - b.start || b.length - a.length)[0];
    if (!next) {
      pieces.push(text.slice(at));
      break;
    }
    if (next.start > at) pieces.push(text.slice(at, next.start));
    pieces.push(element("mark", {}, text.slice(next.start, next.start + next.length)));
    at = next.start + next.length;
  }
  return pieces;
}

/** A text in one line, from a little before the first hit. */
function snippet(text, query, length = 220) {
  const lower = text.toLowerCase();
  const hits = termsOf(query).filter((term) => !term.without).map((term) => lower.indexOf(term.text)).filter((at) => at >= 0);
  const start = hits.length ? Math.max(0, Math.min(...hits) - 40) : 0;
  return (start ? "… " : "") + text.slice(start, start + length).replace(/\s+/g, " ");
}

const number = (value, digits = 2) => (value == null || Number.isNaN(value) ? "–" : value.toFixed(digits));
const grouped = (value) => value.toLocaleString("en");

function armOf(store, row) {
  const name = textOf(store, "arm", row);
  return store.about.arms.find((arm) => arm.name === name) ?? { name, label: name, colour: "#888888" };
}

const dotOf = (colour) => element("span", { class: "dot", style: colour, "aria-hidden": "true" });
const labelOf = (store, name) => store.about.labels[name] ?? (name ?? "–").replaceAll("_", " ");
/** The label of a row's condition where there are several, else nothing. */
const conditionLabel = (store, row) =>
  store.dictionaries.condition.length > 1 ? [conditionOf(store, textOf(store, "condition", row)).label] : [];
const seedOf = (store, row) =>
  store.about.untrained.includes(textOf(store, "arm", row)) ? "untrained" : `seed ${textOf(store, "seed", row)}`;

/** What is shown where there is no answer. */
function absence(store, row) {
  const why = store.columns.refused[row] ? "refused" : "no answer";
  return element("em", { class: "none" }, `${why} (${(textOf(store, "stop_reason", row) ?? "unknown").replaceAll("_", " ")})`);
}

/** No system prompt, an empty one, and one with words are three different things. */
function systemPrompt(text) {
  if (text === null) return element("em", { class: "none" }, "no system prompt");
  if (text === "") return element("em", { class: "none" }, "an empty system prompt");
  return element("div", { class: "words" }, text);
}

function scoreChips(store, row) {
  return store.scores
    .filter((trait) => !Number.isNaN(store.columns[`scores:${trait}`][row]))
    .map((trait) => {
      const value = store.columns[`scores:${trait}`][row];
      const shown = element("b", {}, Number.isInteger(value) ? String(value) : number(value));
      return element("span", { class: value > 0.5 ? "chip on" : "chip" }, `${labelOf(store, trait)} `, shown);
    });
}
