const STACKED = 5 * 60_000; // ms within which a speaker's next message goes without a name
const ENDINGS = { stopped: "stopped", cut: "cut off before its end", length: "cut at the length limit" };
const LOCALE = undefined; // the reader's
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(LOCALE, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full", timeStyle: "medium" });

function timeOf(row) {
  const time = new Date(row.time ?? NaN);
  return Number.isNaN(+time) ? null : time;
}

function sameDay(a, b) {
  return a?.toDateString() === b?.toDateString();
}

function isStacked(row, before) {
  if (!before || ["s", "who", "role", "to", "heard"].some((key) => row[key] !== before[key])) return false;
  const [a, b] = [timeOf(before), timeOf(row)];
  return !a || !b || (b - a < STACKED && sameDay(a, b));
}

const SAFE = "div.nbconvo.mathjax_ignore.tex2jax_ignore";
const rowKey = (row) => `${row.s}\n${row.id}`;
const rowViews = new WeakMap(); // by element

class RowView {
  constructor(panel) {
    this.panel = panel;
    this.element = node("article", { tabindex: "-1" });
    this.foot = node("div.np-foot");
    this.bubble = node("div.np-bubble");
    this.element.append(this.bubble, this.foot);
    rowViews.set(this.element, this);
  }

  update(row, before, top) {
    if (row !== this.row && (!this.row || JSON.stringify(row) !== JSON.stringify(this.row))) this.draw(row);
    this.row = row;
    this.stack(before, top);
  }

  draw(row) {
    const kind = row.heard ? "np-heard" : row.role === "user" ? "np-user" : "np-bot";
    this.element.className = `np-row ${kind} ${row.state ? `np-${row.state}` : ""}`;
    this.element.setAttribute("aria-label", [row.who, timeOf(row) && clock.format(timeOf(row))].filter(Boolean).join(", "));
    if (row.hue) this.element.style.setProperty("--np-hue", row.hue);
    if (row.state === "growing") this.drawGrowing(row);
    else this.drawBody(row);
    this.drawFoot(row);
    this.headed = this.day = undefined;
    this.settled = row.state === "growing";
  }

  drawBody(row) {
    const open = this.bubble.querySelector("details")?.open;
    this.place = null;
    this.body = node("div.nbconvo-body", { dir: "auto" });
    this.body.innerHTML = row.html ?? "";
    this.bubble.replaceChildren(
      node(SAFE, row.why && whyBox(row.why, open), this.body),
      ...(row.more ? [this.moreButton(row)] : []),
      ...(row.error ? [this.failure(row)] : []),
    );
  }

  drawGrowing(row) {
    if (!this.place) {
      this.place = growingBody(document);
      this.body = this.place.element;
      this.notice = node("p.np-notice", { role: "status" });
      this.bubble.replaceChildren(
        node(SAFE, this.place.why, this.body),
        node("span.np-dots", { "aria-hidden": "true" }),
        this.notice,
      );
      this.regrow(row);
    }
    this.element.classList.add("nbconvo-busy");
    this.element.setAttribute("aria-busy", "true");
    setText(this.notice, row.notice ?? "");
    this.markEmpty();
  }

  regrow(row) {
    const held = this.panel.store.grown.get(row.id) ?? { closed: row.html ?? "", open: "", why: row.why ?? "" };
    this.grow(row, { reset: true, add: held.closed, keep: 0, tail: held.open, why: { keep: 0, tail: held.why } });
  }

  // What the store holds when a row is drawn is in it already.
  grow(row, growth) {
    const held = this.panel.store.grown.get(row.id);
    if (!this.place || (held && held === this.grownTo)) return;
    this.grownTo = held;
    grow(this.place, growth, this.panel.host.latex);
    this.markEmpty();
  }

  markEmpty() {
    this.element.classList.toggle("np-empty", !this.place.closed.firstChild && !this.place.open.firstChild);
  }

  drawFoot(row) {
    if (row.state !== "growing") this.element.removeAttribute("aria-busy");
    const facts = [...(row.foot ?? [])];
    if (row.ending) facts.push(ENDINGS[row.ending] ?? row.ending);
    if (row.state === "queued") facts.push("queued: waits for the reply before it");
    const time = timeOf(row);
    this.actions = null;
    this.foot.replaceChildren(
      ...(row.alts ? [this.walker(row)] : []),
      ...(time ? [node("time", { text: clock.format(time), datetime: row.time, title: moment.format(time) })] : []),
      ...facts.map((text) => node("span", { text })),
    );
  }

  walker(row) {
    const { i, n, prev, next } = row.alts;
    const step = (id) => () => this.panel.say("choose", { s: row.s, id });
    return node("span.np-walker", { role: "group", "aria-label": `alternative ${i} of ${n}` },
      iconButton("left", "Previous alternative", step(prev), { disabled: prev == null }),
      node("span", { text: `${i}/${n}` }),
      iconButton("right", "Next alternative", step(next), { disabled: next == null }));
  }

  moreButton(row) {
    const show = () => this.panel.tried(this.panel.store.ask("whole", { s: row.s, id: row.id })
      .then((answer) => this.panel.store.replace(answer.row)));
    return textButton(`Show all ${count(row.more)} characters`, show);
  }

  failure(row) {
    const { panel } = this;
    const fields = { s: row.s, id: row.id };
    return node("div.np-failure",
      node("p", { text: row.error }),
      textButton("Try again", () => panel.say("again", fields)),
      textButton("Edit", () => panel.composer.takeBack(row)),
      textButton("Dismiss", () => panel.say("dismiss", fields)));
  }

  // A name above the first of a speaker's messages, a date above the first of a day.
  stack(before, top) {
    const { row } = this;
    const headed = !isStacked(row, before);
    const time = timeOf(row);
    const day = Boolean(time) && (before ? !sameDay(time, timeOf(before)) : top);
    if (headed === this.headed && day === this.day) return;
    Object.assign(this, { headed, day });
    while (this.element.firstChild !== this.bubble) this.element.firstChild.remove();
    this.element.classList.toggle("np-first", headed);
    if (day) this.bubble.before(node("div.np-day", node("span", { text: calendar.format(time) })));
    if (headed) this.bubble.before(this.head(row));
  }

  head(row) {
    return node("div.np-who",
      row.role !== "user" && disc(row.initials, row.hue),
      node("strong", { text: row.who }),
      row.to != null && node("span", { text: `to ${row.to}` }));
  }
}

function whyBox(html, open) {
  const text = node("div");
  text.innerHTML = html;
  const given = text.querySelector("details");
  const box = given ?? node("details.nbconvo-why", node("summary", { text: "reasoning" }), text);
  box.open = Boolean(open);
  return box;
}
