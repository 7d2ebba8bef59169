/** Many texts, in which a word is found without looking at each: they lie end to end in large blocks, in lower case. */
class Haystack {
  constructor(texts) {
    this.size = texts.length;
    this.blocks = [];
    let parts = [], starts = [], length = 0, first = 0;
    const close = () => {
      if (parts.length) this.blocks.push({ text: parts.join("\n"), starts: Uint32Array.from(starts), first });
    };
    texts.forEach((text, index) => {
      if (length > 1 << 22) {
        close();
        parts = [], starts = [], length = 0, first = index;
      }
      const lower = (text ?? "").toLowerCase().replaceAll("\n", " ");
      parts.push(lower);
      starts.push(length);
      length += lower.length + 1;
    });
    close();
  }

  /** 1 for each text that holds `needle` (lower case, without a line break), else 0. */
  find(needle) {
    const hits = new Uint8Array(this.size);
    for (const { text, starts, first } of this.blocks) {
      let at = text.indexOf(needle), which = 0;
      while (at >= 0) {
        which = lastNotAfter(starts, at, which);
        hits[first + which] = 1;
        if (which + 1 >= starts.length) break;
        at = text.indexOf(needle, starts[which + 1]);
      }
    }
    return hits;
  }
}

/** The last index from `low` on whose value is not above `value`: steps that double, then halves. */
function lastNotAfter(sorted, value, low) {
  let step = 1;
  while (low + step < sorted.length && sorted[low + step] <= value) step *= 2;
  let high = Math.min(sorted.length - 1, low + step);
  low += step >> 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The terms of a query: words, "words together", and each of them with a minus sign to leave it out. */
function termsOf(query) {
  const terms = [];
  for (const [, minus, quoted, word] of query.matchAll(/([-−]?)(?:["“]([^"”]+)["”]?|(\S+))/g)) {
    const text = (quoted ?? word).toLowerCase().replace(/\s+/g, " ");
    if (text && text !== '"') terms.push({ text, without: minus !== "" });
  }
  return terms;
}

const FACETS = ["setting", "condition", "arm", "seed", "evaluation", "distribution", "system_prompt"];

/**
 * The rows that a state asks for, in its order, and how many rows each choice of a facet would show beside the
 * other filters. `state` holds q, a list of chosen texts for each facet (empty: all), question, trait, show, from,
 * to, ending and sort.
 */
function select(store, state) {
  const keep = matching(store, state);
  const facets = FACETS.map((name) => {
    const codes = store.dictionaries[name].map((text) => (state[name].length ? +state[name].includes(text) : 1));
    return { name, column: store.columns[name], chosen: codes, counts: new Uint32Array(codes.length) };
  });
  const rows = new Uint32Array(store.n);
  let n = 0;
  for (let row = 0; row < store.n; row++) {
    if (!keep[row]) continue;
    let failed = 0, which = null;
    for (const facet of facets) {
      if (!facet.chosen[facet.column[row]]) (failed += 1), (which = facet);
    }
    if (failed === 0) {
      rows[n++] = row;
      for (const facet of facets) facet.counts[facet.column[row]]++;
    } else if (failed === 1) which.counts[which.column[row]]++;
  }
  const counts = Object.fromEntries(facets.map((facet) => [facet.name, facet.counts]));
  return { rows: ordered(store, rows.subarray(0, n), state), counts };
}

/** 1 for each row that the search, the question, the score and the ending let through. */
function matching(store, state) {
  const keep = new Uint8Array(store.n).fill(1);
  store.haystacks ??= ["answer", "question"].map((name) => [name, new Haystack(store.dictionaries[name])]);
  for (const { text, without } of termsOf(state.q)) {
    const found = store.haystacks.map(([name, haystack]) => [store.columns[name], haystack.find(text)]);
    const [[answers, inAnswer], [questions, inQuestion]] = found;
    for (let row = 0; row < store.n; row++) {
      if ((inAnswer[answers[row]] || inQuestion[questions[row]]) == without) keep[row] = 0;
    }
  }
  const only = (name, wanted) => {
    if (wanted === "") return;
    const code = store.dictionaries[name].indexOf(wanted);
    const column = store.columns[name];
    for (let row = 0; row < store.n; row++) if (column[row] !== code) keep[row] = 0;
  };
  only("question", state.question);
  if (state.ending === "refused") {
    for (let row = 0; row < store.n; row++) if (!store.columns.refused[row]) keep[row] = 0;
  } else only("stop_reason", state.ending);
  if (state.show) byScore(store, state, keep);
  return keep;
}

function byScore(store, state, keep) {
  const scores = store.columns[`scores:${state.trait}`];
  const verdicts = store.columns[`judgments:${state.trait}`];
  const from = state.from === "" ? -Infinity : Number(state.from), to = state.to === "" ? Infinity : Number(state.to);
  for (let row = 0; row < store.n; row++) {
    const score = scores ? scores[row] : NaN;
    let shown = score >= from && score <= to;
    if (state.show === "missing") shown = Number.isNaN(score);
    if (state.show === "disagree") {
      shown = Boolean(verdicts) && !Number.isNaN(score + verdicts[row]) && score > 0.5 !== verdicts[row] > 0.5;
    }
    if (!shown) keep[row] = 0;
  }
}

/** The rows in the order asked for; missing scores come last. Shuffling gives the same order each time. */
function ordered(store, rows, { sort, trait }) {
  if (!sort) return rows;
  const scores = store.columns[`scores:${trait}`], answers = store.columns.answer;
  const length = (row) => (store.dictionaries.answer[answers[row]] ?? "").length;
  const score = (row) => (scores && !Number.isNaN(scores[row]) ? scores[row] : null);
  const keyOf = {
    high: (row) => -(score(row) ?? -Infinity),
    low: (row) => score(row) ?? Infinity,
    long: (row) => -length(row),
    short: length,
    shuffled: (row) => Math.imul(row ^ (row >>> 7), 0x9e3779b1) >>> 0,
  }[sort];
  const keys = new Float64Array(store.n);
  for (const row of rows) keys[row] = keyOf(row);
  return rows.slice().sort((a, b) => keys[a] - keys[b] || a - b);
}
