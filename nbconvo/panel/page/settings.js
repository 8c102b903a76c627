// What opens below the header: the shown session's settings, or a name for its fork.
class Drawer {
  constructor(panel) {
    this.panel = panel;
    this.store = panel.store;
    this.element = node("section.np-drawer", { hidden: true, "aria-label": "Settings", onkeydown: (event) => event.key === "Escape" && this.close() });
    this.button = iconButton("settings", "Settings", () => (this.kind === "settings" ? this.close() : this.open("settings")), { "aria-expanded": "false" });
  }

  open(kind) {
    const session = this.store.session(this.store.shown);
    if (!session) return;
    Object.assign(this, { kind, key: session.key });
    this.element.replaceChildren(...(kind === "fork" ? this.forkForm(session) : this.settingsForm(session)));
    this.element.hidden = false;
    this.button.setAttribute("aria-expanded", String(kind === "settings"));
    this.element.querySelector("input").focus();
  }

  close() {
    if (this.element.contains(document.activeElement)) this.button.focus();
    this.kind = null;
    this.element.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  // A form in use keeps what was typed, whatever the kernel says meanwhile.
  show() {
    const session = this.store.session(this.store.shown);
    this.button.hidden = !session;
    if (this.kind && session?.key !== this.key) this.close();
  }

  settingsForm(session) {
    const list = node("datalist", { id: `np-models-${Math.random().toString(36).slice(2)}` });
    const model = node("input", { type: "text", list: list.id, spellcheck: "false" });
    model.value = session.model ?? "";
    model.addEventListener("focus", () => this.offer(list), { once: true });
    const system = node("textarea", { rows: 3, placeholder: "none" });
    system.value = session.system ?? "";
    const save = () => this.save(session.key, model, system);
    system.addEventListener("keydown", (event) => formKeys(event, save, () => this.close()));
    model.addEventListener("keydown", (event) => event.key === "Enter" && save());
    return [node("label", node("span", { text: "Model" }), model), list,
      node("label", node("span", { text: "System prompt" }), system), this.buttons("Save", save)];
  }

  async offer(list) {
    const answer = await this.store.ask("models", { s: this.key }).catch(() => null);
    list.replaceChildren(...(answer?.models ?? []).map((value) => node("option", { value })));
  }

  async save(s, model, system) {
    const session = this.store.session(s) ?? {};
    const changes = [["model", model.value.trim(), session.model], ["system", system.value, session.system]];
    for (const [what, text, old] of changes)
      if (text !== (old ?? "") && !(await this.panel.say(what, { s, text }))) return;
    this.close();
  }

  forkForm(session) {
    const input = node("input", { type: "text" });
    const fork = async () => {
      const name = input.value.trim();
      if (name && (await this.panel.say("fork", { s: session.key, id: null, name }))) this.close();
    };
    input.addEventListener("keydown", (event) => event.key === "Enter" && fork());
    return [node("label", node("span", { text: "Name of the new session" }), input), this.buttons("Fork", fork)];
  }

  buttons(verb, action) {
    return node("div.np-line", textButton("Cancel", () => this.close()),
      textButton(verb, action, { class: "np-button np-primary", "data-kernel": true }));
  }
}
