// Everyone, and each participant; or the one session's name.
class Tabs {
  constructor(panel) {
    this.panel = panel;
    this.store = panel.store;
    this.tabs = new Map();
    this.list = node("div.np-tabs", { role: "tablist", "aria-label": "Participants", onkeydown: (event) => this.keys(event) });
    this.title = node("div.np-title");
    this.facts = node("div.np-facts");
    this.element = node("div.np-whom", this.list, this.title, this.facts);
  }

  show() {
    const { sessions, scope, shown } = this.store;
    const one = this.store.session(shown);
    this.list.hidden = scope === "one";
    this.title.hidden = scope !== "one";
    if (scope === "one") this.title.replaceChildren(...(one ? face(one) : []));
    else this.showTabs([{ key: "*", label: "Everyone", busy: sessions.some((session) => session.busy) }, ...sessions]);
    setText(this.facts, one ? sessionFacts(one) : plural(sessions.length, "session"));
  }

  showTabs(entries) {
    const keys = new Set(entries.map((entry) => entry.key));
    for (const [key, tab] of this.tabs) if (!keys.has(key)) this.tabs.delete(key) && tab.remove();
    for (const entry of entries) {
      const tab = this.tab(entry.key);
      const drawn = JSON.stringify([entry.label, entry.initials, entry.hue, entry.busy, entry.queued]);
      if (tab.drawn !== drawn) tab.replaceChildren(...face(entry));
      tab.drawn = drawn;
      this.select(tab, entry.key === this.store.shown);
      this.list.append(...(tab.parentNode ? [] : [tab]));
    }
  }

  tab(key) {
    if (!this.tabs.has(key))
      this.tabs.set(key, node("button.np-tab", { type: "button", role: "tab", onclick: () => this.choose(key) }));
    return this.tabs.get(key);
  }

  select(tab, chosen) {
    if (chosen && tab.tabIndex) tab.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }

  choose(key) {
    if (key !== this.store.shown) this.panel.say("show", { key });
  }

  keys(event) {
    const keys = [...this.tabs.keys()];
    const at = keys.findIndex((key) => this.tabs.get(key) === event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: keys.length - 1 }[event.key];
    if (to === undefined || !keys.length) return;
    const key = keys[(to + keys.length) % keys.length];
    event.preventDefault();
    this.tabs.get(key).focus();
    this.choose(key);
  }
}

function face({ initials, hue, label, busy, queued }) {
  return [
    initials != null && disc(initials, hue),
    node("span.np-name", { text: label }),
    busy && node("span.np-busy", { role: "img", "aria-label": "is answering", title: "is answering" }),
    queued > 0 && node("small", { text: `${queued} queued` }),
  ].filter(Boolean);
}

function sessionFacts({ service, model, count: messages, tokens, estimated, cost }) {
  const where = [service, model].filter(Boolean).join(":");
  return [where, plural(messages, "message"), tokens && `${estimated ? "~" : ""}${plural(tokens, "token")}`, cost].filter(Boolean).join(" · ");
}
