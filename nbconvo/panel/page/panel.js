const stores = new WeakMap(); // by the first snapshot: each view is given another face of its model

class Panel {
  constructor(store, host, el) {
    Object.assign(this, { store, host, root: node("div.nbconvo-panel.mathjax_ignore.tex2jax_ignore") });
    this.end = new AbortController();
    this.signal = this.end.signal;
    this.root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.toasts = new Toasts(this);
    this.gauges = new Gauges(this);
    this.banner = node("div.np-banner", { role: "status", hidden: true });
    if (store.compact) this.root.classList.add("np-compact");
    else this.addConversation();
    this.root.append(...(store.compact ? [this.banner] : []), this.gauges.element, this.toasts.element);
    el.append(this.root);
    this.keepKeys();
    store.listen((parts) => this.heard(parts), this.signal);
    this.heard({ whole: true });
    if (store.lost) this.heard({ lost: true });
  }

  addConversation() {
    this.tabs = new Tabs(this);
    this.menu = new Menu(this);
    this.drawer = new Drawer(this);
    this.search = new Search(this);
    this.reading = new Reading(this);
    this.composer = new Composer(this);
    this.empty = node("div.np-invite", node("strong"), node("p"));
    this.reading.element.append(this.empty);
    const tools = node("div.np-tools", this.search.button, this.drawer.button, this.menu.element);
    this.root.append(node("div.np-head", this.tabs.element, tools), this.search.element,
      this.drawer.element, this.banner, this.reading.element, this.composer.element);
  }

  // The notebook would take these for its own: "dd" deletes a cell.
  keepKeys() {
    for (const name of ["keydown", "keyup", "keypress", "contextmenu"])
      this.root.addEventListener(name, (event) => event.stopPropagation());
  }

  heard(parts) {
    if (parts.whole || parts.gauges) this.gauges.show(this.store.gauges);
    if (parts.toast) this.toasts.add(parts.toast);
    if (parts.lost || parts.whole || parts.gone !== undefined) this.showBanner();
    if (!this.store.compact) this.heardConversation(parts);
    if (this.store.lost) for (const one of this.root.querySelectorAll("[data-kernel]")) one.disabled = true;
  }

  heardConversation(parts) {
    const { reading, store } = this;
    const turned = this.shown !== store.shown;
    this.shown = store.shown;
    if (turned) Object.assign(reading, { stuck: true, from: 0, to: 0 });
    if (turned) this.search.close();
    if (parts.whole || parts.sessions || turned) [this.tabs, this.drawer].forEach((part) => part.show());
    if (parts.whole || parts.path || parts.tail || parts.page || parts.lost || turned) reading.refresh();
    for (const [id, growth] of Object.entries(parts.grow ?? {})) this.grow(id, growth);
    if (parts.page !== true && !parts.grow) this.showEmpty();
    if (!parts.grow || parts.tail || parts.sessions) this.composer.show();
  }

  grow(id, growth) {
    const row = this.store.tail.find((one) => one.id === id);
    if (row) this.reading.views.get(rowKey(row))?.grow(row, growth);
  }

  showEmpty() {
    const { store } = this;
    const one = store.session(store.shown);
    this.empty.hidden = store.total > 0;
    setText(this.empty.firstChild, one ? `Nothing said to ${one.label} yet` : "Nothing said yet");
    setText(this.empty.lastChild, "Write a message below, or ask from any cell: what is said there shows here.");
  }

  showBanner() {
    const { lost, gone } = this.store;
    this.banner.hidden = !lost && !gone;
    setText(this.banner, lost
      ? "The kernel was restarted: this is what was said before. Run the cell again to go on."
      : gone ? "This session was closed: its history can still be read." : "");
  }

  // Sends, and says what went wrong; null then.
  say(what, fields = {}) {
    return this.tried(this.store.ask(what, fields));
  }

  async tried(promise) {
    try {
      return (await promise) ?? true;
    } catch (error) {
      if (!this.signal.aborted) this.toasts.add({ text: error.message, error: true });
      return null;
    }
  }

  // A kernel that can't hear while it runs a cell is interrupted.
  async stop(s) {
    const heard = this.say("stop", { s });
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE, "late"));
    if ((await Promise.race([heard, patience])) === "late") this.host.interrupt();
  }

  close() {
    this.end.abort();
    this.root.remove();
  }
}

function open(model) {
  const store = new Store(model);
  const end = new AbortController();
  const first = model.get("first");
  store.host = new Host(model);
  store.host.watch(() => store.lose(), end.signal);
  if (first && typeof first === "object") stores.set(first, store);
  store.greet();
  return { store, close: () => (end.abort(), store.close()) };
}

function initialize({ model }) {
  return open(model).close;
}

function render({ model, el }) {
  const known = stores.get(model.get("first"));
  const own = known ? null : open(model);
  const store = known ?? own.store;
  if (!store.views++ && store.said) store.greet();
  const panel = new Panel(store, store.host, el);
  return () => {
    panel.close();
    store.said = !--store.views;
    if (store.said && !store.lost) store.ask("bye").catch(() => {});
    own?.close();
  };
}

export default { initialize, render };
