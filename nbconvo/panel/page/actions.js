// Made for a row when it is pointed at or focused: a hundred rows would hold 500 buttons.
function addActions(view) {
  if (view.actions) return;
  view.actions = node("div.np-actions", { role: "group", "aria-label": "Actions" }, ...actionsOf(view, view.panel));
  view.foot.append(view.actions);
  view.panel.disable(view.actions);
}

function* actionsOf(view, panel) {
  const { s, id, turn, state, role, heard } = view.row;
  if (state !== "growing") yield iconButton("copy", "Copy", () => panel.tried(copyRow(view)));
  if (state === "growing") yield iconButton("stop", "End this reply", () => panel.stop([turn]));
  if (state === "queued") yield iconButton("edit", "Take back", () => panel.composer.takeBack(view));
  if (state || panel.store.lost) return;
  if (role === "assistant") yield iconButton("retry", "Retry", () => panel.say("retry", { s, id }), CHANGES);
  else if (!heard) yield iconButton("edit", "Edit and ask again", () => editRow(view), CHANGES);
  yield iconButton("fork", "Fork from here", () => forkRow(view), { "data-kernel": true });
  yield iconButton("remove", "Remove from the conversation", () => panel.say("remove", { s, id }), CHANGES);
}

// What the kernel does not know (any more) is still on the page.
async function sourceOf({ panel, row: { s, id }, body }) {
  const answer = await panel.store.ask("source", { s, id }).catch(() => null);
  return answer ? answer.text : body.innerText;
}

async function copyRow(view) {
  await toClipboard(await sourceOf(view));
  view.panel.toasts.add({ text: "copied" });
}

async function editRow(view) {
  const area = node("textarea", { "aria-label": "Edit your message", rows: 2 });
  area.value = await sourceOf(view);
  area.addEventListener("input", () => growsWithText(area, 240));
  openForm(view, area, "Send", "edit", "text", "The reply branches from here; the old one stays.");
  growsWithText(area, 240);
}

function forkRow(view) {
  const name = "name of the new session";
  const input = node("input", { "aria-label": "Name of the new session", placeholder: name });
  openForm(view, input, "Fork", "fork", "name", "A new session goes on from this message.");
}

// One field below a row; Enter (in a text of several lines with Ctrl) sends it, Escape leaves.
function openForm(view, field, verb, what, part, hint) {
  const { panel, element, row: { s, id } } = view;
  view.form?.remove();
  const close = () => {
    form.remove();
    element.focus({ preventScroll: true });
  };
  const submit = async () => {
    if (field.value.trim() && (await panel.say(what, { s, id, [part]: field.value }))) close();
  };
  const form = node("div.np-form", field,
    node("div.np-line", node("span.np-hint", { text: hint }), textButton("Cancel", close), primary(verb, submit)));
  formKeys(form, field, submit, close);
  view.form = form;
  if (element !== panel.reading.rows.last) panel.reading.unstick();
  element.append(form);
  field.focus();
  form.scrollIntoView({ block: "nearest" });
}

function formKeys(form, field, submit, close) {
  form.addEventListener("keydown", (event) => {
    const enters = event.key === "Enter" && (event.ctrlKey || event.metaKey || event.target.matches("input"));
    if (event.key === "Escape") close();
    else if (enters) submit();
    else return;
    event.preventDefault();
  });
}

// Done for rows that show, once: maths, buttons on code, and no stop at what does not scroll.
function settleRow(view) {
  view.settled = true;
  const { body, panel } = view;
  typeset(body, panel.host.latex());
  for (const block of body.querySelectorAll(".highlight")) addCodeTools(block, panel);
  for (const wide of body.querySelectorAll(WIDE))
    if (wide.scrollWidth <= wide.clientWidth) wide.removeAttribute("tabindex");
  body.querySelectorAll("img").forEach((image, at) => offerLarge(image, at, view));
}

function addCodeTools(block, { host, store, toasts, tried }) {
  const source = () => block.querySelector("code").textContent;
  const copy = () => tried(toClipboard(source()).then(() => toasts.add({ text: "code copied" })));
  const insert = () => tried(Promise.resolve().then(() => host.insertBelow(store.cell, block, source().trimEnd())));
  block.prepend(node("div.np-code",
    textButton("Copy", copy, { "aria-label": "Copy code" }),
    host.placeOf(store.cell, block) >= 0 && textButton("Insert below", insert, { "aria-label": "Insert code as a cell below" })));
}
