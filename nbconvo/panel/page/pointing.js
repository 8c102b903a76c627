// One listener of a kind for all rows.
function pointAtRows(reading, signal) {
  const { log } = reading;
  const point = (event) => {
    const view = rowViews.get(event.target.closest(".np-row"));
    if (view) addActions(view);
    return view;
  };
  log.addEventListener("pointerover", point, { signal, passive: true });
  log.addEventListener("focusin", (event) => {
    const view = point(event);
    if (view) reading.rows.makeCurrent(view.element);
  }, { signal });
  log.addEventListener("keydown", (event) => rowKeys(reading, event), { signal });
}

function rowKeys(reading, event) {
  const { target, key } = event;
  const isRow = rowViews.has(target);
  if ((!isRow && target !== reading.log) || event.altKey || event.ctrlKey || event.metaKey) return;
  const move = {
    Home: () => reading.goTo(0, "start"),
    End: () => reading.stick(),
    ArrowUp: () => focusRow(reading, isRow ? target.previousElementSibling : reading.rows.current),
    ArrowDown: () => focusRow(reading, isRow ? target.nextElementSibling : reading.rows.current),
  }[key];
  if (!move) return;
  event.preventDefault();
  move();
}

function focusRow(reading, element) {
  if (!element) return;
  element.focus({ preventScroll: true });
  bring(reading, element, "nearest");
}

// `scrollIntoView` would move the notebook as well.
function bring(reading, { offsetTop, offsetHeight }, block) {
  const { log } = reading;
  const over = log.clientHeight - offsetHeight;
  if (block === "center") log.scrollTop = offsetTop - Math.max(8, over / 2);
  else if (block === "start" || offsetTop < log.scrollTop) log.scrollTop = offsetTop - 8;
  else if (offsetTop - over > log.scrollTop) log.scrollTop = offsetTop - Math.max(8, over - 8);
  reading.anchor = reading.anchorNow();
}

function showPlace(reading) {
  const { stuck, store, seen, down, position } = reading;
  const unread = Math.max(0, store.total - seen);
  down.hidden = stuck || !store.total;
  setText(down, unread ? `↓ ${count(unread)} new` : "↓ Latest");
  setText(position, stuck ? "" : placeNow(reading));
}

function placeNow({ log: { scrollTop, clientHeight }, list, from, store }) {
  const rows = [...list.children];
  const first = rows.findIndex((row) => row.offsetTop + row.offsetHeight > scrollTop + 8);
  const last = rows.findLastIndex((row) => row.offsetTop < scrollTop + clientHeight - 8);
  return `${count(from + first + 1)}–${count(from + last + 1)} of ${count(store.total)}`;
}
