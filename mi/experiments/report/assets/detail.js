/** One answer with everything that is known of it. */
function drawDetail(store, row, query, actions) {
  const arm = armOf(store, row), answer = textOf(store, "answer", row), question = textOf(store, "question", row);
  const job = textOf(store, "job_id", row);
  const facts = [
    ["Evaluation", `${labelOf(store, textOf(store, "evaluation", row))} (${textOf(store, "distribution", row)})`],
    ["Setting", textOf(store, "setting", row)],
    ["Condition", conditionOf(store, textOf(store, "condition", row)).label],
    ["Sample", String(store.columns.sample_index[row] + 1)],
    ["Ending", (textOf(store, "stop_reason", row) ?? "unknown").replaceAll("_", " ")],
    ["Model", textOf(store, "model", row) ?? "unknown"],
    ["Job", job === null ? (seedOf(store, row) === "untrained" ? "none: the base model" : "unknown") : element("a", { href: `#training?job=${job}` }, job)],
  ];
  return [
    element(
      "header",
      {},
      element("button", { type: "button", class: "back", onclick: actions.back }, "‹ Answers"),
      element("h2", {}, dotOf(arm.colour), arm.label, element("small", {}, seedOf(store, row))),
      element("div", { class: "actions" },
        element("button", { type: "button", onclick: actions.compare }, "Side by side"),
        element("button", { type: "button", onclick: actions.only }, "Only this question")),
    ),
    turn("System", systemPrompt(textOf(store, "system_prompt", row))),
    turn("Question", element("div", { class: "words" }, highlighted(question ?? "", query))),
    turn("Answer", answer === null ? absence(store, row) : answerWords(answer, query), "answer"),
    scoreTable(store, row),
    element("dl", { class: "facts-list" }, facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
  ];
}

function turn(who, content, kind = "") {
  return element("section", { class: `turn ${kind}` }, element("h3", {}, who), content);
}

function answerWords(answer, query) {
  if (answer === "") return element("em", { class: "none" }, "an empty answer");
  return element("div", { class: "words" }, highlighted(answer, query));
}

/** Scores and verdicts by trait, and what the judge said to the letter. */
function scoreTable(store, row) {
  const names = [...new Set([...store.scores, ...store.judgments])].filter((name) => applies(store, name, row));
  if (!names.length) return element("p", { class: "quiet" }, "No score and no verdict.");
  const at = (kind, name) => store.columns[`${kind}:${name}`]?.[row];
  const lines = names.map((name) =>
    element("tr", {}, element("th", { scope: "row" }, labelOf(store, name)),
      element("td", { class: "number" }, number(at("scores", name))),
      element("td", { class: "number" }, number(at("judgments", name))),
      element("td", {}, textOf(store, `raw:${name}`, row) ?? element("em", { class: "none" }, Number.isFinite(at("judgments", name)) ? "not kept" : "no verdict"))),
  );
  const heads = ["Trait", "Score", "Judge", "What the judge said"];
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores" },
    element("table", { class: "scores" },
      element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, lines)));
}

/** Whether a trait belongs to a row's setting: some answer of that setting has a score or verdict of it. */
function applies(store, name, row) {
  store.traitsOf ??= new Map();
  const setting = store.columns.setting[row];
  if (!store.traitsOf.has(setting)) {
    const found = new Set();
    for (const trait of new Set([...store.scores, ...store.judgments])) {
      const columns = ["scores", "judgments"].map((kind) => store.columns[`${kind}:${trait}`]).filter(Boolean);
      for (let other = 0; other < store.n; other++) {
        if (store.columns.setting[other] === setting && columns.some((column) => !Number.isNaN(column[other]))) {
          found.add(trait);
          break;
        }
      }
    }
    store.traitsOf.set(setting, found);
  }
  return store.traitsOf.get(setting).has(name);
}
