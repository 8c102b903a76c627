const SHOWN_FIRST = 30;
const SHOWN_MOST = 90; // rows in the page, whatever the length of the history
const BATCH = 8; // rows added in one frame
const FETCHED_AHEAD = 80; // rows in reach beyond those shown
const GESTURE = 800; // ms after a gesture in which a scroll is the reader's

// A window onto the history: rows [from, to) are in the page.
class Reading {
  constructor(panel) {
    this.panel = panel;
    this.store = panel.store;
    this.views = new Map();
    Object.assign(this, { from: 0, to: 0, seen: this.store.total, stuck: true, gesture: 0, held: false });
    this.list = node("div.np-rows");
    this.log = node("div.np-log", { role: "log", tabindex: "0", "aria-label": "Conversation" }, this.list);
    this.position = node("div.np-position", { "aria-hidden": "true" });
    this.down = node("button", { type: "button", class: "np-down", hidden: true, onclick: () => this.stick() });
    this.element = node("div.np-main", this.log, this.position, this.down);
    this.listen(panel.signal);
    pointAtRows(this, panel.signal);
  }

  listen(signal) {
    const { log } = this;
    const on = (name, heard) => log.addEventListener(name, heard, { signal, passive: true });
    on("scroll", () => this.scrolled());
    on("wheel", (event) => this.gestured(event.deltaY < 0));
    on("touchmove", () => this.gestured());
    on("keydown", (event) => this.gestured(["ArrowUp", "PageUp", "Home"].includes(event.key)));
    on("pointerdown", () => (this.held = true));
    addEventListener("pointerup", () => (this.held = false), { signal });
    const observer = new ResizeObserver(() => this.hold());
    observer.observe(log);
    observer.observe(this.list);
    signal.addEventListener("abort", () => {
      observer.disconnect();
      cancelAnimationFrame(this.frame);
      clearTimeout(this.rest);
    });
  }

  // Late layout, of maths or an image, scrolls too: only a reader's gesture leaves the end.
  gestured(leaves) {
    this.gesture = performance.now();
    if (leaves && this.stuck && this.log.scrollTop > 0) this.unstick();
  }

  unstick() {
    this.stuck = false;
    this.seen = this.store.total;
    this.log.setAttribute("aria-live", "off");
    this.anchor = this.anchorNow();
    this.later();
  }

  stick() {
    this.stuck = true;
    this.seen = this.store.total;
    this.log.removeAttribute("aria-live");
    this.refresh();
    this.later();
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const bottom = scrollHeight - scrollTop - clientHeight < 8 && this.to === this.store.total;
    const meant = this.held || performance.now() - this.gesture < GESTURE;
    if (bottom && !this.stuck && meant) this.stick();
    else if (!bottom && this.stuck && meant) this.unstick();
    if (!this.stuck) this.anchor = this.anchorNow();
    this.moving = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.rested(), 120);
    this.later();
  }

  rested() {
    this.moving = false;
    this.settle();
  }

  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.fill();
      showPlace(this);
    });
  }

  anchorNow(kept) {
    const top = this.log.scrollTop;
    for (const element of this.list.children)
      if (element.offsetTop + element.offsetHeight > top && (!kept || kept.has(element)))
        return { element, at: element.offsetTop - top };
    return null;
  }

  hold() {
    const { log, anchor } = this;
    if (this.stuck) log.scrollTop = log.scrollHeight;
    else if (anchor?.element.isConnected) {
      const top = anchor.element.offsetTop - anchor.at;
      if (Math.abs(log.scrollTop - top) >= 1) log.scrollTop = top;
    }
  }

  // The window after what the store heard; what is missing is fetched first, and nothing blinks.
  refresh() {
    const { total, n } = this.store;
    if (this.stuck || this.from >= total) {
      this.from = Math.max(0, this.to > this.from ? Math.min(this.from, total - SHOWN_FIRST) : total - SHOWN_FIRST);
      if (total - this.from > SHOWN_MOST) this.from = total - SHOWN_FIRST * 2;
      this.to = total;
      this.from = this.present(this.from, total);
    } else {
      const atEnd = this.wasTotal === this.to;
      this.to = Math.min(total, atEnd ? this.from + Math.max(SHOWN_MOST, this.to - this.from) : this.to);
    }
    this.wasTotal = total;
    const missing = this.present(this.from, this.to) > this.from || (this.from === this.to && n > 0);
    if (missing && !this.store.lost) return this.store.need(Math.min(this.from, total - SHOWN_FIRST), this.to).catch(() => {});
    if (missing) this.from = this.present(this.from, this.to);
    this.sync();
    this.later();
  }

  // The least index from which all rows to `to` are at hand.
  present(from, to) {
    while (to > from && this.store.has(to - 1)) to--;
    return to;
  }

  sync() {
    const order = [];
    for (let i = this.from; i < this.to; i++) order.push(this.store.row(i));
    const keys = new Set(order.map(rowKey));
    const kept = new Set();
    for (const [key, view] of this.views) if (keys.has(key)) kept.add(view.element);
    this.anchor = this.stuck ? null : this.anchorNow(kept);
    this.prune(keys);
    this.place(order);
    this.mark();
    this.hold();
    if (!this.moving) this.settle();
  }

  prune(keys) {
    for (const [key, { element }] of this.views) {
      if (keys.has(key)) continue;
      if (element.contains(document.activeElement)) this.log.focus({ preventScroll: true });
      element.remove();
      this.views.delete(key);
    }
  }

  place(order) {
    let cursor = this.list.firstChild;
    let before = this.from > 0 ? this.store.row(this.from - 1) : null;
    for (const row of order) {
      const key = rowKey(row);
      const view = this.views.get(key) ?? new RowView(this.panel);
      this.views.set(key, view);
      view.update(row, before, this.from === 0);
      if (view.element === cursor) cursor = cursor.nextSibling;
      else this.list.insertBefore(view.element, cursor);
      before = row;
    }
  }

  // One row can be reached by Tab, and the last one shows what can be done with it.
  mark() {
    const rows = [...this.list.children];
    if (!this.current?.isConnected) this.makeCurrent(rows.at(-1));
    const last = this.to === this.store.total ? rows.at(-1) : null;
    if (last && last !== this.last) this.last?.classList.remove("np-last");
    this.last = last;
    if (!last) return;
    last.classList.add("np-last");
    addActions(rowViews.get(last));
  }

  makeCurrent(element) {
    if (this.current) this.current.tabIndex = -1;
    this.current = element;
    if (element) element.tabIndex = 0;
  }

  fill() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const ahead = 1.5 * clientHeight;
    if (!clientHeight) return;
    if (scrollTop < ahead && this.from > 0) this.addOlder();
    else if (scrollHeight - scrollTop - clientHeight < ahead && this.to < this.store.total) this.addNewer();
    else if (!this.stuck) this.ahead();
  }

  addOlder() {
    if (this.stuck && this.to - this.from > SHOWN_MOST - BATCH) return;
    const from = this.present(Math.max(0, this.from - BATCH), this.from);
    this.ahead();
    if (from === this.from) return;
    this.from = from;
    this.to = Math.min(this.to, from + SHOWN_MOST);
    this.sync();
    this.later();
  }

  addNewer() {
    const { store } = this;
    let { to } = this;
    while (to < Math.min(store.total, this.to + BATCH) && store.has(to)) to++;
    if (to === this.to) return this.ahead();
    this.to = to;
    this.from = Math.max(this.from, to - SHOWN_MOST);
    this.sync();
    this.later();
  }

  ahead() {
    const { store, from, to } = this;
    const wanted = this.stuck ? BATCH : FETCHED_AHEAD;
    const older = store.need(from - wanted, from);
    if (!store.fetching) store.need(to, to + PAGE / 2).catch(() => {});
    older.catch(() => {});
  }

  settle() {
    const { scrollTop, clientHeight } = this.log;
    for (const view of this.views.values()) {
      if (view.settled) continue;
      const { offsetTop, offsetHeight } = view.element;
      if (offsetTop + offsetHeight < scrollTop || offsetTop > scrollTop + clientHeight) continue;
      settleRow(view);
      this.hold();
      this.panel.search?.paint();
      return requestAnimationFrame(() => this.moving || this.settle());
    }
  }

  // Shows row i in the middle, or at the top of the window.
  async goTo(i, block = "center") {
    if (this.stuck) this.unstick();
    const from = Math.max(0, Math.min(i - 10, this.store.total - SHOWN_FIRST));
    const to = Math.min(this.store.total, from + SHOWN_FIRST);
    for (let tries = 0; this.present(from, to) > from; tries++)
      if (tries > SHOWN_FIRST || !(await this.store.need(from, to))) return null;
    if (i < this.from || i >= this.to) Object.assign(this, { from, to });
    this.sync();
    const element = this.list.children[i - this.from];
    element?.scrollIntoView({ block });
    this.anchor = this.anchorNow();
    this.settle();
    this.later();
    return element;
  }
}
