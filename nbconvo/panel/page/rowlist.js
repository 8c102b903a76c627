// The rows that are in the page, one below the other.
class RowList {
  constructor(panel) {
    Object.assign(this, { panel, views: new Map(), from: 0 });
    this.element = node("div.np-rows");
  }

  // Shows `rows`, the first of which is at `from` in the history; with the last, the history `ends`.
  show(rows, from, ends) {
    this.from = from;
    this.prune(new Set(rows.map(rowKey)));
    this.place(rows);
    this.mark(ends);
    this.panel.disable(this.element);
    this.refocus();
  }

  async walk(view, label, s, id) {
    this.walked = { i: this.from + [...this.element.children].indexOf(view.element), label };
    if (!(await this.panel.say("choose", { s, id }))) this.walked = null;
  }

  // The alternative stands where the other stood; whoever walks goes on from there.
  refocus() {
    const { i, label } = this.walked ?? {};
    const element = this.element.children[i - this.from];
    const steps = [...(element?.querySelectorAll(".np-walker button:enabled") ?? [])];
    const step = steps.find((one) => one.ariaLabel === label) ?? steps[0];
    if (!step || element.contains(document.activeElement)) return;
    this.walked = null;
    step.focus({ preventScroll: true });
  }

  prune(keys) {
    for (const [key, { element }] of this.views) {
      if (keys.has(key)) continue;
      if (element.contains(document.activeElement)) this.element.parentNode.focus({ preventScroll: true });
      element.remove();
      this.views.delete(key);
    }
  }

  place(rows) {
    let cursor = this.element.firstChild;
    let before = this.from > 0 ? this.panel.store.row(this.from - 1) : null;
    for (const row of rows) {
      const view = this.views.get(rowKey(row)) ?? new RowView(this.panel);
      this.views.set(rowKey(row), view);
      view.update(row, before, this.from === 0);
      if (view.element === cursor) cursor = cursor.nextSibling;
      else this.element.insertBefore(view.element, cursor);
      before = row;
    }
  }

  // One row can be reached by Tab, and the last one shows what can be done with it.
  mark(ends) {
    const end = this.element.lastChild;
    if (!this.current?.isConnected) this.makeCurrent(end);
    const last = ends ? end : null;
    if (last !== this.last) this.last?.classList.remove("np-last");
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
}
