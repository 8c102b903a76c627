class Toasts {
  constructor(panel) {
    this.panel = panel;
    this.polite = node("div", { role: "status" });
    this.loud = node("div", { role: "alert" });
    this.element = node("div.np-toasts", this.polite, this.loud);
  }

  // What went wrong before has been read once something else is done.
  forgive() {
    this.loud.replaceChildren();
  }

  // An error stays until it is dismissed, or the next thing is done.
  add({ text, error, undo }) {
    const region = error ? this.loud : this.polite;
    for (const old of region.children) if (old.firstChild.textContent === text) old.remove();
    const drop = () => {
      if (toast.contains(document.activeElement)) this.panel.composer?.area.focus();
      toast.remove();
    };
    const restore = () => (drop(), this.panel.say("restore", undo));
    const toast = node(`div.np-toast${error ? ".np-error" : ""}`, node("span", { text }),
      undo && textButton("Undo", restore), iconButton("close", "Dismiss", drop));
    region.append(toast);
    if (region.children.length > 3) region.firstChild.remove();
    if (!error) this.expire(toast, undo ? 10_000 : Math.min(6000, 2000 + 60 * text.length));
  }

  expire(toast, ms) {
    setTimeout(() => (toast.matches(":hover, :focus-within") ? this.expire(toast, ms) : toast.remove()), ms);
  }
}
