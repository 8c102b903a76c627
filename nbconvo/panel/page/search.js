const marks = attempt(() => {
  if (!CSS.highlights.has("nbconvo-hits")) CSS.highlights.set("nbconvo-hits", new Highlight());
  return CSS.highlights.get("nbconvo-hits");
});

class Search {
  constructor(panel) {
    Object.assign(this, { panel, hits: [], total: 0, at: -1, text: "", ranges: [] });
    this.input = node("input", { type: "search", "aria-label": "Search the conversation", placeholder: "Search" });
    this.number = node("span.np-hint", { role: "status" });
    this.results = node("div.np-hits", { role: "group", "aria-label": "Search results" });
    this.button = iconButton("search", "Search", () => (this.element.hidden ? this.open() : this.close()), { "aria-expanded": "false" });
    this.element = node("div.np-search", { role: "search", hidden: true, onkeydown: (event) => this.keys(event) },
      node("div.np-line", this.input, this.number,
        iconButton("up", "Previous hit", () => this.step(-1)),
        iconButton("down", "Next hit", () => this.step(1)),
        iconButton("close", "Close search", () => this.close())),
      this.results);
    this.input.addEventListener("input", () => this.typed());
    panel.signal.addEventListener("abort", () => this.clear());
  }

  open() {
    this.element.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.input.focus();
    this.input.select();
    this.typed();
  }

  close() {
    this.clear();
    this.input.value = "";
    if (this.element.contains(document.activeElement)) this.button.focus();
    this.element.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  clear() {
    clearTimeout(this.timer);
    Object.assign(this, { hits: [], total: 0, at: -1, text: "" });
    this.paint();
    this.draw();
  }

  keys(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this.input) this.step(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  }

  typed() {
    clearTimeout(this.timer);
    if (this.input.value.trim()) this.timer = setTimeout(() => this.ask(), 200);
    else this.clear();
  }

  async ask() {
    const text = this.input.value;
    const answer = await this.panel.tried(this.panel.store.ask("search", { text }));
    if (!answer || text !== this.input.value || this.element.hidden) return;
    Object.assign(this, { hits: answer.hits, total: answer.total, at: -1, text });
    this.draw();
    this.paint();
  }

  draw() {
    this.results.hidden = !this.hits.length;
    this.results.replaceChildren(...this.hits.map((hit, i) =>
      node("button.np-hit", { type: "button", onclick: () => this.go(i, true) },
        node("strong", { text: hit.who }),
        node("span", hit.before, node("mark", { text: hit.hit }), hit.after))));
    this.showNumber();
  }

  showNumber() {
    const place = this.at < 0 ? plural(this.total, "hit") : `${this.at + 1} of ${count(this.total)}`;
    setText(this.number, this.text ? place : "");
  }

  step(by) {
    const n = this.hits.length;
    if (n) this.go(this.at < 0 ? (by > 0 ? n - 1 : 0) : (this.at + by + n) % n);
  }

  async go(at, focus) {
    this.at = at;
    this.showNumber();
    this.results.hidden = true;
    const hit = this.hits[at];
    const element = await this.panel.tried(this.panel.reading.goTo(hit.i));
    if (!element) return;
    element.classList.add("np-found");
    element.addEventListener("animationend", () => element.classList.remove("np-found"), { once: true });
    if (focus) element.focus({ preventScroll: true });
    this.paint();
  }

  // Hits are marked without a change to the page, where the browser can.
  paint() {
    if (!marks) return;
    for (const range of this.ranges) marks.delete(range);
    this.ranges = [];
    if (this.text)
      for (const { body } of this.panel.reading?.views.values() ?? []) this.ranges.push(...rangesOf(body, this.text));
    for (const range of this.ranges) marks.add(range);
  }
}

// A hit may span several text nodes, as in coloured code.
function rangesOf(body, text) {
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const nodes = [];
  let whole = "";
  while (walker.nextNode()) {
    nodes.push([whole.length, walker.currentNode]);
    whole += walker.currentNode.data;
  }
  const [found, lower, word] = [[], whole.toLowerCase(), text.trim().toLowerCase()];
  if (lower.length !== whole.length) return found;
  for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + word.length)) {
    const range = document.createRange();
    range.setStart(...pointIn(nodes, at));
    range.setEnd(...pointIn(nodes, at + word.length));
    found.push(range);
  }
  return found;
}

function pointIn(nodes, at) {
  const [start, text] = nodes.findLast(([begin]) => begin < at) ?? nodes[0];
  return [text, at - start];
}
