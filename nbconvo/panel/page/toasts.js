class Toasts {
  constructor(panel) {
    this.panel = panel;
    this.element = node("div.np-toasts");
    this.polite = node("div", { role: "status" });
    this.loud = node("div", { role: "alert" });
    this.element.append(this.polite, this.loud);
    this.timers = new Set();
    panel.signal.addEventListener("abort", () => this.timers.forEach(clearTimeout));
  }

  // An error stays until it is dismissed.
  add({ text, error, undo }) {
    const drop = () => toast.remove();
    const restore = () => {
      drop();
      this.panel.say("restore", undo);
    };
    const toast = node("div", { class: error ? "np-toast np-error" : "np-toast" },
      node("span", { text }),
      undo && textButton("Undo", restore),
      iconButton("close", "Dismiss", drop));
    const region = error ? this.loud : this.polite;
    region.append(toast);
    while (region.children.length > 3) region.firstChild.remove();
    if (!error) this.expire(toast, undo ? 10_000 : text.length < 40 ? 2500 : 6000);
  }

  expire(toast, ms) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (toast.matches(":hover, :focus-within")) this.expire(toast, ms);
      else toast.remove();
    }, ms);
    this.timers.add(timer);
  }
}
