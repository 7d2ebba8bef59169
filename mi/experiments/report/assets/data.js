"use strict";

/** The answers, unpacked from base64 of gzip of the layout that columns.py describes. */
async function unpack(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 4) * 4;
  const kinds = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array };
  const columns = {};
  for (const [name, [kind, place, count]] of Object.entries(header.columns)) {
    columns[name] = new kinds[kind](buffer, start + place, count);
  }
  return { ...header, columns };
}

function bytesOf(base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The text of a coded column in a row; null where there is none, which is not the same as an empty text. */
function textOf(store, name, row) {
  const column = store.columns[name];
  return column ? store.dictionaries[name][column[row]] : null;
}

/** What is known of a condition: its name, its label, and whether it puts prompts before questions. */
function conditionOf(store, name) {
  return store.about.conditions.find((condition) => condition.name === name) ?? { name, label: name ?? "–", prompted: false };
}

/** The conditions that a page shows at first: the experiment's first, where there are several; none is all. */
function conditionsAtFirst(store) {
  const there = store.dictionaries.condition, first = store.about.conditions[0]?.name;
  return there.length > 1 && there.includes(first) ? [first] : [];
}

/**
 * One number a row for (setting, condition, evaluation, question, system prompt): rows with the same one can be compared.
 * Where the condition says behind which prompt each arm stands, the prompt tells no questions apart.
 */
function groupsOf(store) {
  if (store.groups) return store.groups;
  const names = ["setting", "condition", "evaluation", "question"];
  const prompted = store.dictionaries.condition.map((name) => conditionOf(store, name).prompted);
  const seen = new Map();
  const group = new Uint32Array(store.n);
  const first = [];
  for (let row = 0; row < store.n; row++) {
    const own = prompted[store.columns.condition[row]] ? "" : store.columns.system_prompt[row];
    const key = [...names.map((name) => store.columns[name][row]), own].join(",");
    if (!seen.has(key)) {
      seen.set(key, first.length);
      first.push(row);
    }
    group[row] = seen.get(key);
  }
  store.groups = { group, first };
  return store.groups;
}
