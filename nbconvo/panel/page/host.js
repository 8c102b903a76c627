const LOST = ["restarting", "autorestarting", "dead", "terminating"];

// What JupyterLab and Notebook offer beside the model; elsewhere all of it is absent.
class Host {
  constructor(model) {
    this.model = model;
    this.manager = attempt(() => model.widget_manager);
  }

  get latex() {
    return attempt(() => this.manager.rendermime.latexTypesetter) ?? null;
  }

  get kernel() {
    return attempt(() => this.manager.kernel) ?? attempt(() => this.manager.context.sessionContext.session.kernel) ?? null;
  }

  get notebook() {
    const shared = attempt(() => this.manager.context.model.sharedModel);
    return shared?.insertCell && shared.cells ? shared : null;
  }

  interrupt() {
    attempt(() => Promise.resolve(this.kernel?.interrupt()).catch(() => {}));
  }

  indexOf(cell) {
    return cell == null ? -1 : (attempt(() => [...this.notebook.cells].findIndex((one) => one.id === cell)) ?? -1);
  }

  insertBelow(cell, source) {
    const at = this.indexOf(cell);
    if (at < 0) throw new Error("the panel's cell is no longer in the notebook");
    this.notebook.insertCell(at + 1, { cell_type: "code", source, metadata: {} });
  }

  // Once its kernel is gone, a comm does not come back.
  watch(lost, signal) {
    const kernel = this.kernel;
    const heard = (_, status) => LOST.includes(status) && lost();
    attempt(() => kernel.statusChanged.connect(heard));
    attempt(() => this.model.on("comm_live_update", lost));
    signal.addEventListener("abort", () => {
      attempt(() => kernel.statusChanged.disconnect(heard));
      attempt(() => this.model.off("comm_live_update", lost));
    });
  }
}
