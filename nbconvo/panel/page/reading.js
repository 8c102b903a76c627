const SHOWN_FIRST = 30;
const SHOWN_MOST = 90; // rows in the page, whatever the length of the history
const BATCH = 8; // rows added in one frame
const FETCHED_AHEAD = 80; // rows in reach beyond those shown
const GESTURE = 800; // ms after a gesture in which a scroll is the reader's
const REST = 120; // ms without a scroll until maths is typeset

// A window onto the history: rows [from, to) are in the page.
class Reading {
  constructor(panel) {
    const { store } = panel;
    Object.assign(this, { panel, store, rows: new RowList(panel), from: 0, to: 0, seen: store.total, stuck: true, gesture: -1e9 });
    this.list = this.rows.element;
    this.log = node("div.np-log", { role: "log", tabindex: 0, "aria-label": "Conversation" }, this.list);
    this.position = node("div.np-position", { "aria-hidden": "true" });
    this.down = node("button.np-down", { hidden: true, onclick: () => this.stick() });
    this.element = node("div.np-main", this.log, this.position, this.down);
    this.listen(panel.signal);
    pointAtRows(this, panel.signal);
  }

  listen(signal) {
    const { log, list } = this;
    const on = (name, heard, target = log) => target.addEventListener(name, heard, { signal, passive: true });
    on("scroll", () => this.scrolled());
    on("wheel", (event) => this.gestured(event.deltaY < 0));
    on("touchmove", () => this.gestured());
    on("keydown", (event) => this.gestured(["ArrowUp", "PageUp", "Home"].includes(event.key)));
    on("pointerdown", () => (this.held = true));
    for (const name of ["pointerup", "pointercancel"]) on(name, () => (this.held = false), window);
    const observer = new ResizeObserver(() => this.hold());
    observer.observe(log);
    observer.observe(list);
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
    Object.assign(this, { stuck: false, seen: this.store.total, anchor: this.anchorNow() });
    this.log.setAttribute("aria-live", "off");
    this.later();
  }

  stick() {
    this.stuck = true;
    this.log.removeAttribute("aria-live");
    this.refresh();
    this.later();
  }

  restart() {
    Object.assign(this, { from: 0, to: 0 });
    this.stick();
  }

  // Pixels above and below what shows.
  room() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    return [scrollTop, scrollHeight - scrollTop - clientHeight];
  }

  scrolled() {
    const ends = this.room()[1] < 8 && this.to === this.store.total;
    const meant = this.held || performance.now() - this.gesture < GESTURE;
    if (meant && ends !== this.stuck) ends ? this.stick() : this.unstick();
    if (!this.stuck) this.anchor = this.anchorNow();
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.rest = null;
      this.settle();
    }, REST);
    this.later();
  }

  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.fill();
      showPlace(this);
    });
  }

  anchorNow(keys) {
    const top = this.log.scrollTop;
    for (const element of this.list.children)
      if (element.offsetTop + element.offsetHeight > top && (!keys || keys.has(rowKey(rowViews.get(element).row))))
        return { element, at: element.offsetTop - top };
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
    const { total, lost } = this.store;
    this.move(total);
    const least = this.present(this.from, this.to);
    const missing = least > this.from || (this.from === this.to && total > 0);
    if (missing && !lost) return void this.store.need(Math.min(this.from, total - SHOWN_FIRST), this.to).catch(() => {});
    this.from = least;
    this.sync();
    this.later();
  }

  move(total) {
    const { from, to, wasTotal } = this;
    this.wasTotal = total;
    if (this.stuck || from >= total) {
      const first = to > from ? Math.min(from, total - SHOWN_FIRST) : total - SHOWN_FIRST;
      const least = total - first > SHOWN_MOST ? total - 2 * SHOWN_FIRST : first;
      Object.assign(this, { from: this.present(Math.max(0, least), total), to: total });
    } else this.to = Math.min(total, to === wasTotal ? Math.max(to, from + SHOWN_MOST) : to);
  }

  // The least index from which on all rows to `to` are at hand.
  present(from, to) {
    while (to > from && this.store.has(to - 1)) to--;
    return to;
  }

  sync() {
    const rows = [];
    for (let i = this.from; i < this.to; i++) rows.push(this.store.row(i));
    const keys = new Set(rows.map(rowKey));
    this.anchor = this.stuck ? null : this.anchorNow(keys);
    this.rows.show(rows, this.from, this.to === this.store.total);
    this.hold();
    if (!this.rest) this.settle();
  }

  fill() {
    const [above, below] = this.room();
    const ahead = 1.5 * this.log.clientHeight;
    if (above < ahead && this.from > 0) this.addOlder();
    else if (below < ahead && this.to < this.store.total) this.addNewer();
    else if (!this.stuck) this.fetchAhead();
  }

  addOlder() {
    if (this.stuck && this.to - this.from > SHOWN_MOST - BATCH) return;
    const from = this.present(Math.max(0, this.from - BATCH), this.from);
    this.fetchAhead();
    if (from < this.from) this.shift(from, Math.min(this.to, from + SHOWN_MOST));
  }

  addNewer() {
    const { store } = this;
    let { to } = this;
    while (to < Math.min(store.total, this.to + BATCH) && store.has(to)) to++;
    this.fetchAhead();
    if (to > this.to) this.shift(Math.max(this.from, to - SHOWN_MOST), to);
  }

  shift(from, to) {
    Object.assign(this, { from, to });
    this.sync();
    this.later();
  }

  // Any row in reach may be missing: a page ends early where its rows are large.
  fetchAhead() {
    const { store, from, to } = this;
    const wanted = this.stuck ? BATCH : FETCHED_AHEAD;
    const [older, newer] = [Math.max(0, from - wanted / 2), Math.min(store.n, to + BATCH)];
    if (this.present(older, from) > older) store.need(from - wanted, from).catch(() => {});
    if (this.present(to, newer) > to) store.need(to, newer < store.n ? to + PAGE : newer).catch(() => {});
  }

  // One row a frame: a formula may take long.
  settle() {
    const { scrollTop, clientHeight } = this.log;
    const shows = ({ settled, element: { offsetTop, offsetHeight } }) =>
      !settled && offsetTop + offsetHeight > scrollTop && offsetTop < scrollTop + clientHeight;
    const view = [...this.rows.views.values()].find(shows);
    if (!view) return this.panel.search.paint();
    settleRow(view);
    this.hold();
    requestAnimationFrame(() => this.rest || this.settle());
  }

  async goTo(i, block = "center") {
    if (this.stuck) this.unstick();
    const from = Math.max(0, Math.min(i - 10, this.store.total - SHOWN_FIRST));
    const to = Math.min(this.store.total, from + SHOWN_FIRST);
    for (let tries = 0; this.present(from, to) > from; tries++)
      if (tries > SHOWN_FIRST || !(await this.store.need(from, to))) return null;
    if (i >= this.store.total) return null;
    if (i < this.from || i >= this.to) Object.assign(this, { from, to: Math.min(to, this.store.total) });
    this.sync();
    const element = this.list.children[i - this.from];
    if (element) bring(this, element, block);
    this.settle();
    this.later();
    return element;
  }
}
