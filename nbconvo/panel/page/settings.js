// The shown session's model and system prompt, below the header.
class Settings {
  constructor(panel) {
    Object.assign(this, { panel, store: panel.store });
    this.element = node("section.np-drawer", { "aria-label": "Settings" });
    this.button = iconButton("settings", "Settings", () => (this.element.hidden ? this.open() : this.close()));
    this.expand(false);
  }

  // A form in use keeps what was typed, whatever the kernel says meanwhile.
  show() {
    const session = this.store.session(this.store.shown);
    this.button.hidden = !session || this.store.gone;
    if (!this.element.hidden && session?.key !== this.key) this.close();
  }

  open() {
    const session = this.store.session(this.store.shown);
    const list = node("datalist", { id: newId() });
    const offer = () => list.firstChild || this.offer(list);
    const model = node("input", { list: list.id, spellcheck: "false", onfocus: offer });
    const system = node("textarea", { rows: 3, placeholder: "none" });
    model.value = session.model ?? "";
    system.value = this.store.system ?? "";
    this.key = session.key;
    const save = () => this.save(model, system);
    const form = node("div", node("label", "Model", model), list, node("label", "System prompt", system),
      node("div.np-line", textButton("Cancel", () => this.close()), primary("Save", save)));
    formKeys(form, model, save, () => this.close());
    this.element.replaceChildren(form);
    this.expand(true);
    model.focus();
  }

  close() {
    if (this.element.contains(document.activeElement)) this.button.focus();
    this.expand(false);
  }

  expand(open) {
    this.element.hidden = !open;
    this.button.setAttribute("aria-expanded", open);
  }

  async offer(list) {
    const answer = await this.store.ask("models", { s: this.key }).catch(() => null);
    list.replaceChildren(...(answer?.models ?? []).map((value) => node("option", { value })));
  }

  async save(model, system) {
    const { panel, store, key: s } = this;
    const changes = [["model", model.value.trim(), store.session(s)?.model], ["system", system.value, store.system]];
    for (const [what, text, old] of changes)
      if (text !== (old ?? "") && !(await panel.say(what, { s, text }))) return;
    this.close();
  }
}
