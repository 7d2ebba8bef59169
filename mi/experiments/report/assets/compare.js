const SHOWN_AT_FIRST = 20;

/** All answers to one question under one condition, an arm a column, every arm of the experiment among them. */
function drawCompare(store, row, state, actions) {
  const { group, first } = groupsOf(store);
  const here = group[row];
  const rows = [];
  for (let other = 0; other < store.n; other++) {
    const seedShown = !state.seed.length || state.seed.includes(textOf(store, "seed", other)) || seedOf(store, other) === "untrained";
    if (group[other] === here && seedShown) rows.push(other);
  }
  const condition = store.columns.condition[row], armsAsked = new Set();
  for (let other = 0; other < store.n; other++) {
    if (store.columns.condition[other] === condition) armsAsked.add(textOf(store, "arm", other));
  }
  const alike = rows.every((other) => store.columns.system_prompt[other] === store.columns.system_prompt[row]);
  const arms = store.about.arms.filter((arm) => !state.arm.length || state.arm.includes(arm.name));
  const columns = arms.map((arm) => {
    const mine = rows.filter((other) => textOf(store, "arm", other) === arm.name);
    const order = (other) => [Number(textOf(store, "seed", other)), store.columns.sample_index[other]];
    mine.sort((a, b) => order(a)[0] - order(b)[0] || order(a)[1] - order(b)[1]);
    return drawColumn(store, arm, mine, state.q, { alike, asked: armsAsked.has(arm.name) });
  });
  const under = (other) => store.columns.condition[other] === condition;
  const questions = first.filter(under), place = questions.findIndex((other) => group[other] === here);
  const step = (by) => () => actions.go(questions[(place + by + questions.length) % questions.length]);
  return [
    element("header", {},
      element("button", { type: "button", class: "back", onclick: actions.back }, "‹ Back"),
      element("div", { class: "actions" },
        element("button", { type: "button", onclick: step(-1), title: "Key: [" }, "‹ Question"),
        element("span", { class: "quiet" }, `${grouped(place + 1)} of ${grouped(questions.length)}`),
        element("button", { type: "button", onclick: step(1), title: "Key: ]" }, "Question ›"))),
    element("div", { class: "asked" },
      element("p", { class: "quiet" }, [labelOf(store, textOf(store, "evaluation", row)), ...conditionLabel(store, row)].map((text) => `${text} · `),
        alike ? systemPrompt(textOf(store, "system_prompt", row)) : "behind each arm's own system prompt"),
      element("h2", {}, highlighted(textOf(store, "question", row) ?? "", state.q))),
    element("div", { class: "columns", tabindex: 0, role: "region", "aria-label": "Answers by arm" }, columns),
  ];
}

function drawColumn(store, arm, rows, query, { alike, asked }) {
  const means = store.scores
    .map((trait) => [trait, rows.map((row) => store.columns[`scores:${trait}`][row]).filter((value) => !Number.isNaN(value))])
    .filter(([, values]) => values.length)
    .map(([trait, values]) => `${labelOf(store, trait)} ${number(values.reduce((a, b) => a + b, 0) / values.length)}`);
  const list = element("ol", {}, rows.slice(0, SHOWN_AT_FIRST).map((row) => drawCard(store, row, query)));
  const rest = rows.length - SHOWN_AT_FIRST;
  const more = element("button", { type: "button", class: "more" }, `${grouped(rest)} more`);
  more.addEventListener("click", () => {
    list.append(...rows.slice(SHOWN_AT_FIRST).map((row) => drawCard(store, row, query)));
    more.remove();
  });
  return element("section", { class: asked ? "column" : "column bare", "data-arm": arm.name },
    element("h3", {}, dotOf(arm.colour), arm.label),
    element("p", { class: "quiet" }, rows.length ? [`${grouped(rows.length)} answers`, ...means].join(" · ") : ""),
    alike || !rows.length ? null : element("div", { class: "behind" }, systemPrompt(textOf(store, "system_prompt", rows[0]))),
    rows.length ? list : element("p", { class: "none" }, asked ? "no answers to this question" : "not asked under this condition"),
    rest > 0 ? more : null);
}

function drawCard(store, row, query) {
  const answer = textOf(store, "answer", row);
  return element("li", { class: "card" },
    element("div", { class: "who" }, element("span", { class: "quiet" }, `${seedOf(store, row)} · ${store.columns.sample_index[row] + 1}`),
      element("span", { class: "chips" }, scoreChips(store, row))),
    answer === null ? absence(store, row) : answerWords(answer, query));
}
