// The page's one set of marked hits, which all panels share.
const marks = attempt(() => {
  if (!CSS.highlights.has("nbconvo-hits")) CSS.highlights.set("nbconvo-hits", new Highlight());
  return CSS.highlights.get("nbconvo-hits");
});

class Search {
  constructor(panel) {
    Object.assign(this, { panel, ranges: [] });
    this.input = node("input", { type: "search", "aria-label": "Search the conversation", placeholder: "Search", oninput: () => this.typed() });
    this.number = node("span.np-hint", { role: "status" });
    this.results = node("div.np-hits", { role: "group", "aria-label": "Search results" });
    this.button = iconButton("search", "Search", () => (this.element.hidden ? this.open() : this.close()));
    this.element = node("div.np-search", { role: "search", onkeydown: (event) => this.keys(event) },
      node("div.np-line", this.input, this.number,
        iconButton("up", "Previous hit", () => this.step(-1)),
        iconButton("down", "Next hit", () => this.step(1)),
        iconButton("close", "Close search", () => this.close())),
      this.results);
    panel.signal.addEventListener("abort", () => this.forget());
    this.close();
  }

  open() {
    this.expand(true);
    this.input.focus();
  }

  close() {
    if (this.element.contains(document.activeElement)) this.button.focus();
    this.input.value = "";
    this.expand(false);
    this.forget();
  }

  expand(open) {
    this.element.hidden = !open;
    this.button.setAttribute("aria-expanded", open);
  }

  forget() {
    clearTimeout(this.timer);
    this.show("", [], 0);
  }

  keys(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this.input) this.step(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  }

  typed() {
    if (!this.input.value.trim()) return this.forget();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 200);
  }

  // What moved is not where it was found; the reader stays at the hit.
  async again() {
    const { text } = this;
    const answer = text && (await this.panel.store.ask("search", { text }).catch(() => null));
    if (!answer || text !== this.text) return;
    const [hit, hidden] = [this.hits[this.at], this.results.hidden];
    this.show(text, answer.hits, answer.total);
    this.results.hidden ||= hidden;
    this.at = hit ? this.hits.findIndex(({ id }) => id === hit.id) : -1;
    if (this.at >= 0) this.count();
  }

  async ask() {
    const text = this.input.value;
    const answer = await this.panel.say("search", { text });
    if (answer && text === this.input.value) this.show(text, answer.hits, answer.total);
  }

  show(text, hits, total) {
    Object.assign(this, { text, hits, total, at: -1 });
    this.results.hidden = !hits.length;
    this.results.replaceChildren(...hits.map(({ who, before, hit, after }, i) =>
      node("button.np-hit", { onclick: () => this.go(i, true) }, node("strong", { text: who }),
        node("span", before, node("mark", { text: hit }), after))));
    setText(this.number, text && plural(total, "hit"));
    this.paint();
  }

  count() {
    setText(this.number, `${this.at + 1} of ${count(this.total)}`);
  }

  step(by) {
    const { at, hits: { length } } = this;
    if (length) this.go(at < 0 ? (by > 0 ? length - 1 : 0) : (at + by + length) % length);
  }

  async go(at, focus) {
    this.at = at;
    this.count();
    this.results.hidden = true;
    const element = await this.panel.tried(this.panel.reading.goTo(this.hits[at].i));
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
    const views = this.text ? [...this.panel.reading.rows.views.values()] : [];
    this.ranges = views.flatMap(({ body }) => rangesOf(body, this.text.trim().toLowerCase()));
    for (const range of this.ranges) marks.add(range);
  }
}

// A hit may span several text nodes, as in coloured code.
function rangesOf(body, word) {
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const nodes = [];
  let whole = "";
  while (walker.nextNode()) {
    nodes.push([whole.length, walker.currentNode]);
    whole += walker.currentNode.data;
  }
  const [found, lower] = [[], whole.toLowerCase()];
  for (let at = lower.indexOf(word); at >= 0 && lower.length === whole.length; at = lower.indexOf(word, at + 1)) {
    const range = document.createRange();
    range.setStart(...pointIn(nodes, at, at));
    range.setEnd(...pointIn(nodes, at + word.length, at + word.length - 1));
    found.push(range);
  }
  return found;
}

// The text node that holds character `inside`, and the offset of `at` in it.
function pointIn(nodes, at, inside) {
  const [start, text] = nodes.findLast(([begin]) => begin <= inside);
  return [text, at - start];
}
