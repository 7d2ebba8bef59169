const VIEWS = ["report", "transcripts", "training"];
const TEXTS = ["q", "question", "trait", "show", "from", "to", "ending", "sort"];
const NO_PROMPT = "none", EVERY = "*";
let store, list;
let state = emptyState();
let waiting = null;

function emptyState() {
  const lists = Object.fromEntries(FACETS.map((name) => [name, []]));
  return { ...lists, ...Object.fromEntries(TEXTS.map((name) => [name, ""])), row: null, compare: false, job: null };
}

/** The state is the address: what one sees can be linked to, and the back button goes back. */
function readAddress() {
  const [view, query] = location.hash.slice(1).split("?");
  const given = new URLSearchParams(query ?? "");
  const next = emptyState();
  for (const name of FACETS) {
    next[name] = given.getAll(name).map((text) => (name !== "system_prompt" ? text : text === NO_PROMPT ? null : text.slice(1)));
  }
  if (store && !given.has("condition")) next.condition = conditionsAtFirst(store);
  if (given.get("condition") === EVERY) next.condition = [];
  for (const name of TEXTS) next[name] = given.get(name) ?? "";
  next.row = given.has("row") ? Number(given.get("row")) : null;
  next.compare = given.has("compare");
  next.job = given.get("job");
  return [VIEWS.includes(view) ? view : "report", next];
}

function address() {
  const given = new URLSearchParams();
  const conditions = state.condition.join(), atFirst = conditionsAtFirst(store).join();
  for (const name of FACETS) {
    if (name === "condition" && conditions === atFirst) continue;
    if (name === "condition" && !conditions) given.set(name, EVERY);
    for (const text of state[name]) given.append(name, name !== "system_prompt" ? text : text === null ? NO_PROMPT : `=${text}`);
  }
  for (const name of TEXTS) if (state[name] !== "" && (name !== "trait" || state.show || state.sort)) given.set(name, state[name]);
  if (state.row !== null) given.set("row", state.row);
  if (state.compare) given.set("compare", "1");
  const query = given.toString();
  return `#transcripts${query ? `?${query}` : ""}`;
}

function remember(push) {
  if (address() !== location.hash) history[push ? "pushState" : "replaceState"](null, "", address());
}

function route() {
  const [view, next] = readAddress();
  for (const name of VIEWS) byId(name).hidden = name !== view;
  for (const link of document.querySelectorAll(".bar nav a")) {
    if (link.getAttribute("href") === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.view = view;
  if (view !== "transcripts") document.body.classList.remove("reading");
  if (!store) return;
  if (view === "transcripts") {
    state = next;
    if (!state.trait) state.trait = store.scores[0] ?? "";
    if (state.row !== null && !(state.row < store.n)) state.row = null;
    fillForm();
    refresh();
    showRow(state.row !== null);
  } else if (view === "training") showJob(next.job);
}

/** Find and show what the state asks for. */
function refresh() {
  const found = select(store, state);
  list.show(found.rows, state.row);
  byId("count").textContent = `${grouped(found.rows.length)} of ${grouped(store.n)} answers`;
  drawChoices(found.counts);
  if (!found.rows.length) byId("spacer").replaceChildren(element("p", { class: "none nothing" }, "No answer is like that."));
}

function change(changes) {
  Object.assign(state, changes);
  if (state.row !== null) state.row = null;
  state.compare = false;
  showRow(false);
  refresh();
  remember(false);
}

function drawChoices(counts) {
  const focused = document.activeElement?.dataset?.choice;
  const several = FACETS.filter((name) => store.dictionaries[name].length > 1);
  const titles = { system_prompt: "System prompt" };
  byId("choices").replaceChildren(...several.map((name) => {
    const texts = store.dictionaries[name].map((text, code) => ({ text, n: counts[name][code] }));
    if (name === "arm") {
      const order = store.about.arms.map((arm) => arm.name);
      texts.sort((a, b) => order.indexOf(a.text) - order.indexOf(b.text));
    } else if (name === "condition") {
      const order = store.about.conditions.map((condition) => condition.name);
      texts.sort((a, b) => order.indexOf(a.text) - order.indexOf(b.text));
    } else if (name === "seed") texts.sort((a, b) => Number(a.text) - Number(b.text));
    return element("fieldset", {}, element("legend", {}, titles[name] ?? labelOf({ about: { labels: {} } }, name[0].toUpperCase() + name.slice(1))),
      texts.map(({ text, n }) => drawChoice(name, text, n)));
  }));
  if (focused) document.querySelector(`[data-choice="${CSS.escape(focused)}"]`)?.focus();
}

function drawChoice(name, text, n) {
  const box = element("input", { type: "checkbox", "data-choice": `${name}=${text}` });
  box.checked = state[name].includes(text);
  box.addEventListener("change", () => {
    change({ [name]: box.checked ? [...state[name], text] : state[name].filter((other) => other !== text) });
  });
  const arm = name === "arm" ? store.about.arms.find((other) => other.name === text) : null;
  const words = { id: "in distribution", ood: "out of distribution" }[text] ?? (text === null ? "none" : text === "" ? "empty" : name === "condition" ? conditionOf(store, text).label : labelOf(store, text));
  return element("label", { class: n ? "choice" : "choice empty" }, box, arm ? dotOf(arm.colour) : null,
    element("span", { class: "what" }, words), " ", element("span", { class: "n" }, grouped(n)));
}

/** Show the row of the state, and side by side what else was answered, if that is asked for. */
function showRow(open) {
  const { row } = state, detail = byId("detail"), compare = byId("compare");
  document.body.classList.toggle("reading", row !== null && open);
  compare.hidden = !(state.compare && row !== null);
  byId("transcripts").classList.toggle("comparing", !compare.hidden);
  if (row === null) {
    detail.replaceChildren(element("p", { class: "none nothing" }, "Choose an answer to read it whole."));
    return;
  }
  const actions = { back, compare: () => openCompare(row), only: () => change({ question: textOf(store, "question", row) ?? "" }) };
  detail.replaceChildren(...drawDetail(store, row, state.q, actions));
  detail.scrollTop = 0;
  if (!compare.hidden) {
    compare.replaceChildren(...drawCompare(store, row, state, { back, go: openCompare }));
    compare.scrollTop = 0;
  }
}

function openCompare(row) {
  const already = state.compare;
  Object.assign(state, { row, compare: true });
  showRow(true);
  remember(!already);
  byId("compare").focus();
}

function back() {
  if (state.compare) state.compare = false;
  else state.row = null;
  showRow(state.row !== null);
  list.at = state.row === null ? list.at : list.rows.indexOf(state.row);
  list.paint();
  remember(false);
  byId("list").focus();
}

function showJob(job) {
  byId("jobs").replaceChildren(...drawTraining(store).filter(Boolean));
  if (job) byId(`job-${job}`)?.scrollIntoView({ block: "center" });
}

function fillForm() {
  for (const name of TEXTS) byId(name).value = state[name];
  byId("range").hidden = state.show !== "range";
}

function options(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => element("option", { value }, text)));
}

/** Search for what was typed and has not been searched for yet: leaving the field must not wait for it. */
function search() {
  if (waiting === null) return;
  clearTimeout(waiting);
  waiting = null;
  change({ q: byId("q").value });
}

function listen() {
  byId("q").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 20);
  });
  for (const name of TEXTS.slice(1)) {
    byId(name).addEventListener(name === "from" || name === "to" ? "input" : "change", (event) => {
      change({ [name]: event.target.value });
      byId("range").hidden = state.show !== "range";
    });
  }
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    state = { ...emptyState(), condition: conditionsAtFirst(store), trait: store.scores[0] ?? "" };
    fillForm();
    change({});
  });
  byId("drawer").addEventListener("click", () => {
    const open = byId("filters").classList.toggle("open");
    byId("drawer").setAttribute("aria-expanded", String(open));
  });
  document.addEventListener("keydown", press);
}

function press(event) {
  if (document.body.dataset.view !== "transcripts" || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
  if (event.key === "Escape" && typing) search(), byId("list").focus();
  else if (event.key === "Escape") back();
  else if (typing && event.target.id === "q" && event.key === "ArrowDown") search(), byId("list").focus(), list.move(Math.max(0, list.at));
  else if (typing) return;
  else if (event.key === "/") byId("q").focus(), byId("q").select();
  else if (event.key === "c" && state.row !== null) openCompare(state.row);
  else if (state.compare && (event.key === "[" || event.key === "]")) {
    byId("compare").querySelectorAll(".actions button")[event.key === "[" ? 0 : 1].click();
  } else return;
  event.preventDefault();
}

/** A page that is served from a running experiment asks now and then whether there is news, and loads it. */
function watch() {
  const shown = document.body.dataset.live;
  if (!shown) return;
  const busy = () => String(getSelection()) || /^(INPUT|SELECT)$/.test(document.activeElement?.tagName ?? "");
  setInterval(async () => {
    try {
      const now = (await (await fetch("state")).json()).state;
      if (now !== shown && !busy()) location.reload();
    } catch {
      document.body.classList.add("gone"); // the server has ended; what is here can still be read
    }
  }, 2000);
}

async function start() {
  window.addEventListener("hashchange", route);
  window.addEventListener("popstate", route);
  route();
  watch();
  store = await unpack(byId("data").textContent);
  byId("data").remove();
  options(byId("question"), [["", `all ${grouped(store.dictionaries.question.length)}`], ...store.dictionaries.question.map((text) => [text ?? "", text ?? ""])]);
  options(byId("trait"), store.scores.map((trait) => [trait, labelOf(store, trait)]));
  const endings = store.dictionaries.stop_reason.filter((text) => text !== null);
  options(byId("ending"), [["", "any"], ["refused", "refused"], ...endings.map((text) => [text, text.replaceAll("_", " ")])]);
  list = new VirtualList(
    byId("list"), byId("spacer"), (row) => drawRow(store, row, state.q),
    (row) => { state.row = row; showRow(document.body.classList.contains("reading")); remember(false); },
    () => { showRow(true); byId("detail").focus({ preventScroll: true }); },
  );
  listen();
  matching(store, state); // builds what searches need, so that the first one is as quick as the others
  document.body.dataset.ready = "yes";
  route();
}

start();
