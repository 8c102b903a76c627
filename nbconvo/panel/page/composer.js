class Composer {
  constructor(panel) {
    this.panel = panel;
    this.store = panel.store;
    this.area = node("textarea.np-draft", { rows: 1, "data-kernel": true });
    this.mentions = new Mentions(this.area, () => this.store.sessions);
    this.to = node("span.np-to");
    this.hint = node("span.np-hint", { role: "status" });
    this.stopButton = textButton("Stop", () => panel.stop(null), { class: "np-button np-stop", "data-kernel": true });
    this.sendButton = textButton("Send", () => this.send(), { class: "np-button np-primary", title: "Ctrl+Enter", "data-kernel": true });
    this.element = node("div.np-compose", this.mentions.list, this.area,
      node("div.np-line", this.to, this.hint, this.stopButton, this.sendButton));
    this.listen(panel.signal);
    this.draftKey = `nbconvo-draft:${location.pathname}:${this.store.cell ?? ""}`;
    this.area.value = attempt(() => sessionStorage.getItem(this.draftKey)) ?? "";
    this.show();
  }

  listen(signal) {
    const { area, mentions } = this;
    area.addEventListener("input", () => this.typed(), { signal });
    area.addEventListener("click", () => mentions.look(), { signal });
    area.addEventListener("blur", () => mentions.close(), { signal });
    area.addEventListener("keydown", (event) => this.keys(event), { signal });
  }

  keys(event) {
    const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (sends) this.send();
    else if (!this.mentions.heard(event)) return;
    event.preventDefault();
  }

  typed() {
    this.mentions.look();
    this.keep();
    this.show();
  }

  keep() {
    attempt(() => sessionStorage.setItem(this.draftKey, this.area.value));
  }

  fill(text) {
    this.area.value = text;
    this.keep();
    this.show();
  }

  // In everyone's view, a message without a name goes to the current session: the kernel knows it.
  target() {
    const { sessions, shown } = this.store;
    const said = addressed(this.area.value, sessions);
    const current = sessions.find((session) => session.current) ?? (sessions.length === 1 ? sessions[0] : null);
    const one = shown === "*" ? current : this.store.session(shown);
    const keys = said.keys.length ? said.keys : one ? [one.key] : [];
    const names = keys.map((key) => this.store.session(key)?.label ?? key);
    return { keys, text: said.text, names: names.length ? names : ["the current session"] };
  }

  show() {
    const { store, area } = this;
    const { names, text } = this.target();
    const off = store.lost || store.gone;
    const words = names.join(", ");
    area.placeholder = store.gone ? "This session was closed." : `Message to ${words}`;
    area.setAttribute("aria-label", `Message to ${words}`);
    setText(this.to, area.value.trim() ? `to ${words}` : store.sessions.length > 1 ? "@ names others" : "");
    area.disabled = off;
    this.sendButton.disabled = off || !text;
    const shown = store.sessions.filter((session) => store.shown === "*" || session.key === store.shown);
    this.stopButton.hidden = store.lost || !shown.some((session) => session.busy || session.queued);
    setText(this.hint, store.late.size && !store.lost ? "waits for the running cell" : "");
    growsWithText(area, 200);
  }

  async send() {
    const { keys, text } = this.target();
    const draft = this.area.value;
    if (!text || this.sendButton.disabled) return;
    this.fill("");
    this.panel.reading.stick();
    const done = await this.panel.say("send", { to: keys, text });
    if (!done && !this.area.value) this.fill(draft);
  }

  async takeBack(row) {
    const answer = await this.panel.tried(this.store.ask("source", { s: row.s, id: row.id }));
    if (!answer) return;
    this.fill(answer.text);
    this.area.focus();
    this.panel.say("dismiss", { s: row.s, id: row.id });
  }
}
