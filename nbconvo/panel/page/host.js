const VIEW = "application/vnd.jupyter.widget-view+json";
const LOST = ["restarting", "autorestarting", "dead", "terminating"];

// What JupyterLab and Notebook offer beside the model; elsewhere all of it is absent.
function hostOf(model) {
  const manager = attempt(() => model.widget_manager);
  const kernel = () => attempt(() => manager.kernel) ?? attempt(() => manager.context.sessionContext.session.kernel);
  const notebook = () => attempt(() => manager.context.model.sharedModel);
  // By the cell's id, or by where the notebook put what is around the element.
  const placeOf = (cell, element) => attempt(() => {
    const at = [...notebook().cells].findIndex((one) => one.id === cell);
    return at < 0 ? Number(element.closest("[data-windowed-list-index]").dataset.windowedListIndex) : at;
  }) ?? -1;
  return {
    placeOf,
    path: attempt(() => manager.context.path) ?? location.pathname,
    latex: () => attempt(() => manager.rendermime.latexTypesetter) ?? null,
    interrupt: () => attempt(() => kernel().interrupt().catch(() => {})),
    insertBelow(cell, element, source) {
      const at = placeOf(cell, element);
      if (at < 0) throw new Error("the panel's cell is no longer in the notebook");
      notebook().insertCell(at + 1, { cell_type: "code", source, metadata: {} });
    },
    replaceOutput: (cell, element, model, data) => attempt(() => {
      const shared = notebook().cells[placeOf(cell, element)];
      const at = shared.getOutputs().findIndex((output) => output.data?.[VIEW]?.model_id === model);
      if (at >= 0) shared.updateOutputs(at, at + 1, [{ output_type: "display_data", data, metadata: {} }]);
      return at >= 0;
    }) ?? false,
    watch: (lost) => watchKernel(model, kernel(), lost),
  };
}

// Once its kernel is gone, a model's connection does not come back.
function watchKernel(model, kernel, lost) {
  const heard = (_, status) => LOST.includes(status) && lost();
  attempt(() => kernel.statusChanged.connect(heard));
  attempt(() => model.on("comm_live_update", lost));
  return () => {
    attempt(() => kernel.statusChanged.disconnect(heard));
    attempt(() => model.off("comm_live_update", lost));
  };
}
