const STACKED = 5 * 60_000; // ms within which a speaker's next message goes without a name
const ENDINGS = { cut: "cut off before its end", length: "cut at the length limit" };
const SAFE = "div.nbconvo.mathjax_ignore.tex2jax_ignore";
const WIDE = "pre, .nbconvo-table";
const [clock, calendar, moment] = [
  { hour: "2-digit", minute: "2-digit" },
  { weekday: "long", day: "numeric", month: "long", year: "numeric" },
  { dateStyle: "full", timeStyle: "medium" },
].map((style) => new Intl.DateTimeFormat(undefined, style));

const rowKey = (row) => `${row.s}\n${row.id}`;
const rowViews = new WeakMap(); // by element
const timeOf = (row) => (row?.time ? new Date(row.time) : null);
const sameDay = (a, b) => a?.toDateString() === b?.toDateString();

function isStacked(row, before) {
  if (!before || ["s", "who", "role", "to"].some((key) => row[key] !== before[key])) return false;
  const [a, b] = [timeOf(before), timeOf(row)];
  return !a || !b || (b - a < STACKED && sameDay(a, b));
}

class RowView {
  constructor(panel) {
    this.panel = panel;
    this.foot = node("div.np-foot");
    this.bubble = node("div.np-bubble");
    this.element = node("article", { tabindex: -1 }, this.bubble, this.foot);
    rowViews.set(this.element, this);
  }

  update(row, before, top) {
    if (row !== this.row && JSON.stringify(row) !== JSON.stringify(this.row)) this.draw(row);
    this.row = row;
    this.stack(before, top);
  }

  draw(row) {
    const { element } = this;
    const growing = row.state === "growing";
    const kind = row.heard ? "heard" : row.role === "user" ? "user" : "bot";
    element.className = `np-row np-${kind} np-${row.state ?? "said"}${growing ? " nbconvo-busy" : ""}`;
    element.setAttribute("aria-label", row.time ? `${row.who}, ${clock.format(timeOf(row))}` : row.who);
    element.setAttribute("aria-busy", growing);
    element.style.setProperty("--np-hue", row.hue);
    if (growing) this.drawGrowing(row);
    else this.drawBody(row);
    this.drawFoot(row);
    this.settled = growing;
    this.headed = undefined;
  }

  drawBody(row) {
    const open = this.bubble.querySelector("details")?.open;
    const why = node("div");
    why.innerHTML = row.why ?? "";
    if (open && row.why) why.firstElementChild.open = true;
    this.place = null;
    this.body = node("div.nbconvo-body", { dir: "auto" });
    this.body.innerHTML = row.html;
    for (const wide of this.body.querySelectorAll(WIDE)) wide.tabIndex = 0;
    this.bubble.replaceChildren(
      node(SAFE, row.why && why, this.body),
      row.more ? this.moreButton(row) : "",
      row.error ? this.failure(row) : "",
    );
  }

  drawGrowing(row) {
    if (!this.place) {
      this.place = growingBody(document);
      this.body = this.place.element;
      this.notice = node("p.np-notice", { role: "status" });
      this.bubble.replaceChildren(node(SAFE, this.place.why, this.body), node("span.np-dots"), this.notice);
      const { closed, open, why } = this.panel.store.grown.get(row.id) ?? { closed: "", open: "", why: "" };
      this.grow(row, { reset: true, add: closed, keep: 0, tail: open, why: { keep: 0, tail: why } });
    }
    setText(this.notice, row.notice ?? "");
    this.markEmpty();
  }

  // A row that was drawn just now has it from the store.
  grow(row, growth) {
    const held = this.panel.store.grown.get(row.id);
    if (!this.place || (held && held === this.grownTo)) return;
    this.grownTo = held;
    grow(this.place, growth, this.panel.host.latex());
    this.markEmpty();
  }

  markEmpty() {
    const { closed, open } = this.place;
    this.element.classList.toggle("np-empty", !closed.firstChild && !open.firstChild);
  }

  drawFoot(row) {
    const facts = [...(row.foot ?? [])];
    if (row.ending && !facts.includes(row.ending)) facts.push(ENDINGS[row.ending] ?? row.ending);
    if (row.state === "queued") facts.push("queued: waits for the reply before it");
    const time = timeOf(row);
    const stamp = time && node("time", { text: clock.format(time), datetime: row.time, title: moment.format(time) });
    this.actions = null;
    this.foot.replaceChildren(row.alts ? this.walker(row) : "",
      node("span", stamp, (stamp && facts.length ? "\u00a0· " : "") + facts.join("\u00a0· ")));
  }

  walker({ s, alts: { i, n, prev, next } }) {
    const step = (name, label, id) =>
      iconButton(name, label, () => this.panel.reading.rows.walk(this, label, s, id), { disabled: id == null, ...CHANGES });
    return node("span.np-walker", { role: "group", "aria-label": `alternative ${i} of ${n}` },
      step("left", "Previous alternative", prev), node("span", { text: `${i}/${n}` }), step("right", "Next alternative", next));
  }

  moreButton({ s, id, more }) {
    const { panel } = this;
    const show = async () => {
      const answer = await panel.say("whole", { s, id });
      if (answer) panel.store.replace(answer.row);
    };
    return textButton(`Show all ${count(more)} characters`, show);
  }

  failure({ s, turn, role, error }) {
    const { panel } = this;
    return node("div.np-failure", node("p", { text: error }),
      textButton("Try again", () => panel.say("again", { s, turn }), CHANGES),
      role === "user" && textButton("Edit", () => panel.composer.takeBack(this), CHANGES),
      textButton("Dismiss", () => panel.say("dismiss", { s, turn }), { "data-kernel": true }));
  }

  // A name above the first of a speaker's messages, a date above the first of a day.
  stack(before, top) {
    const { row, element, bubble } = this;
    const headed = !isStacked(row, before);
    const time = timeOf(row);
    const day = Boolean(time) && (before ? Boolean(before.time) && !sameDay(time, timeOf(before)) : top);
    if (headed === this.headed && day === this.day) return;
    Object.assign(this, { headed, day });
    while (element.firstChild !== bubble) element.firstChild.remove();
    element.classList.toggle("np-first", headed);
    if (day) bubble.before(node("div.np-day", { text: calendar.format(time) }));
    if (!headed) return;
    bubble.before(node("div.np-who", row.role !== "user" || row.heard ? disc(row.initials, row.hue) : "",
      node("strong", { text: row.who }), row.to && node("span", { text: `to ${row.to}` })));
  }
}
