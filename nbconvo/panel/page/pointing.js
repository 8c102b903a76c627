const FIELDS = "input, textarea, select, button, summary, a";

// One listener of a kind for all rows.
function pointAtRows(reading, signal) {
  const { log } = reading;
  const viewAt = (event) => rowViews.get(event.target.closest?.(".np-row"));
  const point = (event) => {
    const view = viewAt(event);
    if (view) addActions(view);
    return view;
  };
  log.addEventListener("pointerover", point, { signal, passive: true });
  log.addEventListener("focusin", (event) => {
    const view = point(event);
    if (view) reading.makeCurrent(view.element);
  }, { signal });
  log.addEventListener("keydown", (event) => rowKeys(reading, event), { signal });
}

function rowKeys(reading, event) {
  if (event.target.matches(FIELDS) || event.altKey || event.ctrlKey || event.metaKey) return;
  const move = {
    Home: () => reading.goTo(0, "start"),
    End: () => reading.stick(),
    ArrowUp: () => stepRow(event.target, "previousElementSibling"),
    ArrowDown: () => stepRow(event.target, "nextElementSibling"),
  }[event.key];
  if (move && move() !== false) event.preventDefault();
}

function stepRow(element, way) {
  const next = rowViews.has(element) && element[way];
  if (!next) return false;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function showPlace(reading) {
  const { stuck, store, seen, down, position } = reading;
  const unread = Math.max(0, store.total - seen);
  down.hidden = stuck || !store.total;
  setText(down, unread ? `↓ ${count(unread)} new` : "↓ Latest");
  setText(position, stuck ? "" : placeNow(reading));
}

function placeNow({ log, list, from, store }) {
  const rows = [...list.children];
  const first = rows.findIndex((row) => row.offsetTop + row.offsetHeight > log.scrollTop + 8);
  const last = rows.findLastIndex((row) => row.offsetTop < log.scrollTop + log.clientHeight - 8);
  return first < 0 ? "" : `${count(from + first + 1)}–${count(from + last + 1)} of ${count(store.total)}`;
}
