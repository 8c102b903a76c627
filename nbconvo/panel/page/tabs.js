// Everyone, and each participant; or the one session's name.
class Tabs {
  constructor(panel) {
    Object.assign(this, { panel, store: panel.store, tabs: new Map() });
    this.list = node("div.np-tabs", { role: "tablist", "aria-label": "Participants", onkeydown: (event) => this.keys(event) });
    this.title = node("div.np-title");
    this.facts = node("div.np-facts");
    this.element = node("div.np-whom", this.list, this.title, this.facts);
  }

  show() {
    const { sessions, others, scope, shown } = this.store;
    const one = this.store.session(shown);
    const alone = scope === "one";
    this.list.hidden = alone;
    this.title.hidden = !alone;
    if (!alone) this.showTabs([{ key: "*", label: "Everyone" }, ...sessions]);
    else if (one) this.title.replaceChildren(...face(one));
    const all = plural(sessions.length + others.length, "session");
    setText(this.facts, one ? sessionFacts(one) : others.length ? `${sessions.length} of ${all}, the last asked` : all);
  }

  showTabs(entries) {
    const { tabs, list } = this;
    const keys = entries.map((entry) => entry.key);
    for (const [key, tab] of tabs) if (!keys.includes(key)) tabs.delete(key), tab.remove();
    for (const entry of entries) {
      const tab = tabs.get(entry.key) ?? node("button.np-tab", { role: "tab", onclick: () => this.choose(entry.key) });
      tabs.set(entry.key, tab);
      tab.replaceChildren(...face(entry));
      this.select(tab, entry.key === this.store.shown);
      if (!tab.parentNode) list.append(tab);
    }
  }

  select(tab, chosen) {
    if (chosen && tab.tabIndex) this.list.scrollLeft = tab.offsetLeft - 40;
    setProperties(tab, { "aria-selected": String(chosen), tabindex: chosen ? 0 : -1 });
  }

  choose(key) {
    if (key !== this.store.shown) this.panel.say("show", { key });
  }

  keys(event) {
    const keys = [...this.tabs.keys()];
    const at = keys.findIndex((key) => this.tabs.get(key) === event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    const key = keys.at(to % keys.length);
    event.preventDefault();
    this.tabs.get(key).focus();
    this.choose(key);
  }
}

function face({ initials, hue, label, busy, queued }) {
  return [
    hue ? disc(initials, hue) : "",
    node("span.np-name", { text: label }),
    busy ? node("span.np-busy", { role: "img", "aria-label": "is answering", title: "is answering" }) : "",
    queued ? node("small", { text: `${queued} queued` }) : "",
  ];
}

function sessionFacts({ service, model, count: messages, tokens, estimated, cost }) {
  const where = [service, model].filter(Boolean).join(":");
  return dotted([where, plural(messages, "message"), tokens && (estimated ? "~" : "") + plural(tokens, "token"), cost]);
}
