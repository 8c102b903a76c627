const FORMATS = { md: "Markdown", csv: "CSV", jsonl: "JSON Lines" };

class Menu {
  constructor(panel) {
    this.panel = panel;
    this.list = node("div.np-menu", { role: "menu", "aria-label": "Conversation", hidden: true, onkeydown: (event) => this.keys(event) });
    this.button = iconButton("menu", "More", () => this.toggle(this.list.hidden), { "aria-haspopup": "menu", "aria-expanded": "false" });
    this.element = node("div.np-more", this.button, this.list);
    this.element.addEventListener("focusout", (event) => this.element.contains(event.relatedTarget) || this.toggle(false));
  }

  items() {
    const { panel } = this;
    const one = panel.store.session(panel.store.shown);
    return [
      ...Object.entries(FORMATS).map(([format, name]) => [`Export as ${name}`, () => panel.tried(download(panel, format))]),
      one && ["Fork the conversation…", () => panel.drawer.open("fork")],
      ["Keep as a static output", () => panel.say("keep")],
    ].filter(Boolean);
  }

  toggle(open) {
    this.list.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    this.list.replaceChildren(...this.items().map(([text, action]) => node("button", { type: "button", role: "menuitem", tabindex: "-1", text, onclick: () => this.chosen(action) })));
    this.list.firstChild.focus();
  }

  chosen(action) {
    this.button.focus();
    this.toggle(false);
    action();
  }

  keys(event) {
    const items = [...this.list.children];
    const at = items.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") this.chosen(() => {});
    else if (to !== undefined) items.at(to % items.length).focus();
    else return;
    event.preventDefault();
  }
}

async function download(panel, format) {
  const { name, type, text } = await panel.store.ask("export", { format });
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = node("a", { href: url, download: name });
  panel.root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
