const FORMATS = { md: "Markdown", csv: "CSV", jsonl: "JSON Lines" };

class Menu {
  constructor(panel) {
    this.panel = panel;
    this.list = node("div.np-menu", { role: "menu", "aria-label": "Conversation", onkeydown: (event) => this.keys(event) });
    this.button = iconButton("menu", "More", () => this.toggle(this.list.hidden), { "aria-haspopup": "menu" });
    const left = (event) => this.element.contains(event.relatedTarget) || this.toggle(false);
    this.element = node("div.np-more", { onfocusout: left }, this.button, this.list);
    this.toggle(false);
  }

  *items() {
    const { panel } = this;
    const { store, reading } = panel;
    for (const [format, name] of Object.entries(FORMATS))
      yield [`Export as ${name}`, () => panel.tried(download(panel, format))];
    if (store.shown !== "*" && store.n) yield ["Fork the conversation…", () => (reading.stick(), forkRow(reading.rows.views.get(rowKey(store.row(store.n - 1)))))];
    if (store.keepable) yield ["Keep as a static output", () => panel.tried(keep(panel))];
  }

  toggle(open) {
    const { list } = this;
    list.hidden = !open;
    this.button.setAttribute("aria-expanded", open);
    list.replaceChildren(...[...this.items()].map(([text, action]) =>
      node("button", { role: "menuitem", tabindex: -1, text, onclick: () => this.leave(action) })));
    if (open) list.firstChild.focus();
  }

  leave(action) {
    this.button.focus();
    this.toggle(false);
    action?.();
  }

  keys(event) {
    const items = [...this.list.children];
    const at = items.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") this.leave();
    else if (to !== undefined) items.at(to % items.length).focus();
    else return;
    event.preventDefault();
  }
}

// A page that was loaded anew hears of no update of an output: it makes it, where it can.
async function keep({ store, host, root }) {
  const { data, model } = await store.ask("twin");
  const kept = host.replaceOutput(store.cell, root, model, data);
  store.ask(kept ? "close" : "keep").catch(() => {});
}

async function download({ store, root }, format) {
  const { name, type, text } = await store.ask("export", { format });
  const href = URL.createObjectURL(new Blob([text], { type }));
  const link = node("a", { href, download: name });
  root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
