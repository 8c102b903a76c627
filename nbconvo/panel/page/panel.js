const stores = new WeakMap(); // by the first snapshot: each view is given another face of its model

class Panel {
  constructor(store, el) {
    this.root = node("div.nbconvo-panel.mathjax_ignore.tex2jax_ignore", { "data-lm-suppress-shortcuts": "true" });
    this.end = new AbortController();
    Object.assign(this, { store, host: store.host, signal: this.end.signal, tried: this.tried.bind(this) });
    this.toasts = new Toasts(this);
    this.gauges = new Gauges(this);
    this.banner = node("div.np-banner", { role: "status" });
    if (store.compact) this.root.classList.add("np-compact");
    this.root.append(...(store.compact ? [this.banner, this.toasts.element] : this.conversation()), this.gauges.element);
    el.append(this.root);
    this.keepKeys();
    store.listen((parts) => this.heard(parts), this.signal);
    this.heard({ whole: true });
  }

  conversation() {
    this.reading = new Reading(this);
    this.tabs = new Tabs(this);
    this.menu = new Menu(this);
    this.settings = new Settings(this);
    this.search = new Search(this);
    this.composer = new Composer(this);
    this.empty = node("div.np-invite", node("strong"), "Write a message below, or ask from any cell: it shows here.");
    this.reading.element.append(this.empty, this.toasts.element);
    const tools = node("div.np-tools", this.search.button, this.settings.button, this.menu.element);
    return [node("div.np-head", this.tabs.element, tools), this.search.element, this.settings.element, this.banner,
      this.reading.element, this.composer.element];
  }

  // The notebook would take these for its own: "dd" deletes a cell.
  keepKeys() {
    for (const name of ["keydown", "keyup", "keypress", "contextmenu"])
      this.root.addEventListener(name, (event) => event.stopPropagation());
  }

  heard(parts) {
    const { store, root } = this;
    if (parts.whole || parts.gauges) this.gauges.show(store.gauges);
    if (parts.toast) this.toasts.add(parts.toast);
    this.showBanner();
    if (!store.compact) this.heardConversation(parts);
    this.disable(root);
  }

  // What a lost kernel, or a closed session, has no use for.
  disable(within) {
    const { lost, gone } = this.store;
    if (!lost && !gone) return;
    for (const one of within.querySelectorAll(lost ? "[data-kernel], [data-changes]" : "[data-changes]")) one.disabled = true;
  }

  heardConversation({ whole, sessions, path, tail, page, lost, moved, grow = {} }) {
    const { reading, store, shown } = this;
    const turned = shown !== store.shown;
    this.shown = store.shown;
    if (turned) this.search.close();
    if (whole || sessions || turned) for (const part of [this.tabs, this.settings]) part.show();
    if (turned) reading.restart();
    else if (whole || path || tail || page || lost) reading.refresh();
    if (moved) this.search.again();
    for (const row of store.tail) if (grow[row.id]) reading.rows.views.get(rowKey(row))?.grow(row, grow[row.id]);
    this.empty.hidden = store.total > 0;
    const one = store.session(store.shown);
    setText(this.empty.firstChild, one ? `Nothing said to ${one.label} yet` : "Nothing said yet");
    this.composer.show();
  }

  showBanner() {
    const { lost, gone } = this.store;
    this.banner.hidden = !lost && !gone;
    setText(this.banner, lost
      ? "The kernel was restarted: this is what was said before. Run the notebook from its top to go on."
      : "This session was closed, or another has its name now: its history can still be read.");
  }

  // Sends, and says what went wrong; null then.
  say(what, fields) {
    this.toasts.forgive();
    return this.tried(this.store.ask(what, fields));
  }

  async tried(promise) {
    try {
      return await promise;
    } catch (error) {
      if (!this.signal.aborted) this.toasts.add({ text: error.message, error: true });
      return null;
    }
  }

  // A kernel that can't hear while it runs a cell is interrupted.
  async stop(turns, interrupts = true) {
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, "late"));
    const first = await Promise.race([this.say("stop", { turns }), late]);
    if (first === "late" && interrupts && !this.store.aside) this.host.interrupt();
  }

  close() {
    this.end.abort();
    this.root.remove();
  }
}

function initialize({ model }) {
  return opened(model).close;
}

function opened(model) {
  const store = new Store(model);
  store.host = hostOf(model);
  const unwatch = store.host.watch(() => store.lose());
  const first = model.get("first");
  if (first) stores.set(first, store);
  store.greet();
  // JupyterLab sends what comes before a subshell is there to the thread that runs the cells.
  const again = setTimeout(() => store.pending.size && store.greet(), 150);
  return { store, close: () => (clearTimeout(again), unwatch(), store.close()) };
}

function render({ model, el }) {
  const known = stores.get(model.get("first"));
  const own = known ? null : opened(model);
  const store = known ?? own.store;
  // A kernel that was told that nobody looks any more sends nothing.
  if (!store.views++ && store.left) store.greet();
  const panel = new Panel(store, el);
  return () => {
    panel.close();
    store.left = !--store.views;
    if (store.left) store.ask("bye").catch(() => {});
    own?.close();
  };
}

export default { initialize, render };
