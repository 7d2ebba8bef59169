/** A list of which only the rows in sight are in the document; every row is equally high. */
class VirtualList {
  constructor(box, spacer, draw, onMove, onOpen) {
    Object.assign(this, { box, spacer, draw, onMove, onOpen, rows: new Uint32Array(0), at: -1 });
    box.addEventListener("scroll", () => requestAnimationFrame(() => this.paint()));
    box.addEventListener("keydown", (event) => this.press(event));
    box.addEventListener("click", (event) => {
      const option = event.target.closest("[data-place]");
      if (option) this.move(Number(option.dataset.place)), this.onOpen();
    });
    new ResizeObserver(() => this.paint()).observe(box);
  }

  /** Show these rows; stay at `row` if it is among them. */
  show(rows, row) {
    this.rows = rows;
    this.at = row == null ? -1 : rows.indexOf(row);
    this.box.scrollTop = 0;
    this.paint();
    if (this.at >= 0) this.box.scrollTop = (this.at + 0.5) * this.height - this.box.clientHeight / 2;
  }

  get height() {
    return parseFloat(getComputedStyle(this.box).getPropertyValue("--row"));
  }

  paint() {
    const height = this.height, top = this.box.scrollTop;
    this.spacer.style.height = `${this.rows.length * height}px`;
    const first = Math.max(0, Math.floor(top / height) - 4);
    const last = Math.min(this.rows.length, Math.ceil((top + this.box.clientHeight) / height) + 4);
    const options = [];
    for (let place = first; place < last; place++) {
      const option = this.draw(this.rows[place]);
      option.id = `row-${place}`;
      option.dataset.place = place;
      option.style.top = `${place * height}px`;
      const state = { role: "option", "aria-selected": place === this.at, "aria-setsize": this.rows.length, "aria-posinset": place + 1 };
      for (const [key, value] of Object.entries(state)) option.setAttribute(key, value);
      options.push(option);
    }
    this.spacer.replaceChildren(...options);
    if (this.at >= first && this.at < last) this.box.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  move(place) {
    if (!this.rows.length) return;
    this.at = Math.max(0, Math.min(this.rows.length - 1, place));
    this.reveal();
    this.paint();
    this.onMove(this.rows[this.at]);
  }

  reveal() {
    const height = this.height, top = this.at * height;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + height > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + height - this.box.clientHeight;
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page };
    if (event.key in steps) this.move(this.at < 0 ? 0 : this.at + steps[event.key]);
    else if (event.key === "Home") this.move(0);
    else if (event.key === "End") this.move(this.rows.length - 1);
    else if (event.key === "Enter" && this.at >= 0) this.onOpen();
    else return;
    event.preventDefault();
  }
}

function drawRow(store, row, query) {
  const arm = armOf(store, row), answer = textOf(store, "answer", row);
  const about = [seedOf(store, row), labelOf(store, textOf(store, "evaluation", row)), ...conditionLabel(store, row)].join(" · ");
  const asks = textOf(store, "question", row) ?? "";
  const says = answer === null ? [absence(store, row)] : highlighted(snippet(answer, query), query);
  return element(
    "div",
    { class: "row" },
    element("div", { class: "who" }, dotOf(arm.colour), element("b", {}, arm.label), element("span", { class: "quiet" }, about), element("span", { class: "chips" }, scoreChips(store, row))),
    element("div", { class: "asks" }, highlighted(snippet(asks, query), query)),
    element("div", { class: "says" }, says),
  );
}
