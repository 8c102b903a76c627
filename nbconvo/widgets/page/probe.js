// JupyterLab sends what comes before a subshell is there to the thread that runs the cells.
export default {
  initialize({ model, signal }) {
    let [wait, timer] = [50, 0];
    const say = () => {
      try {
        model.send({ alive: true });
      } catch {
        return; // the kernel is gone
      }
      wait *= 2;
      if (wait < 5000) timer = setTimeout(say, wait);
    };
    timer = setTimeout(say, wait);
    const stop = () => clearTimeout(timer);
    model.on("msg:custom", stop);
    signal?.addEventListener("abort", stop);
    return stop;
  },
};
