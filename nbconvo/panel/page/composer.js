class Composer {
  constructor(panel) {
    const { store, signal } = panel;
    Object.assign(this, { panel, store, draft: `nbconvo-draft:${panel.host.path}:${store.cell}:${store.scope === "one" ? store.shown : "*"}` });
    this.area = node("textarea.np-draft", { rows: 1, "data-kernel": true });
    this.mentions = new Mentions(this.area, store);
    this.to = node("span.np-to");
    this.hint = node("span.np-hint", { role: "status" });
    this.halt = textButton("Stop", () => panel.stop(this.underWay()), { title: "End the reply under way; what is queued comes next" });
    this.go = primary("Send", () => this.send());
    this.go.title = "Ctrl+Enter";
    this.element = node("div.np-compose", this.mentions.list, this.area, node("div.np-line", this.to, this.hint, this.halt, this.go));
    const on = (name, heard) => this.area.addEventListener(name, heard, { signal });
    on("input", () => this.typed());
    on("click", () => this.mentions.look());
    on("blur", () => this.mentions.show([], 0));
    on("keydown", (event) => this.keys(event));
    this.fill(attempt(() => sessionStorage.getItem(this.draft)) ?? "");
  }

  keys(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.send();
    else if (!this.mentions.heard(event)) return;
    event.preventDefault();
  }

  typed() {
    this.mentions.look();
    attempt(() => sessionStorage.setItem(this.draft, this.area.value));
    this.show();
    growsWithText(this.area, 200);
  }

  fill(text) {
    this.area.value = text;
    this.typed();
  }

  // In everyone's view, a message without a name goes to the current session: the kernel knows it.
  target() {
    const { sessions, known, shown } = this.store;
    const { keys, text } = addressed(this.area.value, known);
    const one = shown === "*" ? sessions.find((session) => session.current) : this.store.session(shown);
    if (!keys.length && one) keys.push(one.key);
    const names = keys.map((key) => known.find((session) => session.key === key).label).join(", ") || "the current session";
    return { keys, text, names, unknown: /^@([\p{L}\p{N}_-]+)/u.exec(text)?.[1] };
  }

  underWay() {
    return this.store.tail.flatMap(({ state, turn }) => (state === "growing" ? turn : []));
  }

  show() {
    const { area, halt, go, hint, to } = this;
    const { sessions, lost, gone, late, aside } = this.store;
    const { names, text, unknown } = this.target();
    const label = `Message to ${names}`;
    setProperties(area, { placeholder: label, "aria-label": label });
    const whom = unknown ? nobody(unknown) : `to ${names}`;
    setText(to, area.value.trim() ? whom : sessions.length > 1 ? "@ names others" : "");
    area.disabled = lost || gone;
    go.disabled = lost || gone || !text;
    const idle = lost || !this.underWay().length;
    if (idle && halt.matches(":focus")) area.focus();
    halt.hidden = idle;
    setText(hint, late.size && !lost && !aside ? "waits for the running cell" : "");
  }

  async send() {
    const { keys, text, unknown } = this.target();
    const draft = this.area.value;
    if (this.go.disabled) return;
    if (unknown) return this.panel.toasts.add({ text: `${nobody(unknown)}, so nothing was sent; drop the @, or put a word before it`, error: true });
    this.fill("");
    this.panel.reading.stick();
    const done = await this.panel.say("send", { to: keys, text });
    if (!done) this.fill([draft, this.area.value].filter(Boolean).join("\n\n"));
  }

  // What was not answered, back into the hands of who wrote it.
  async takeBack(view) {
    const { s, turn, state } = view.row;
    this.fill([await sourceOf(view), this.area.value].filter(Boolean).join("\n\n"));
    this.area.focus();
    if (state === "queued") this.panel.stop([turn], false);
    else this.panel.say("dismiss", { s, turn });
  }
}

function nobody(name) {
  return `no session is called ${name}`;
}
