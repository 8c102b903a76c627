// Made for a row when it is pointed at or focused: a hundred rows would hold 500 buttons.
function addActions(view) {
  if (view.actions) return;
  const { panel, row } = view;
  const made = [...actionsOf(view, panel, row)];
  view.actions = node("div.np-actions", { role: "group", "aria-label": "Actions" }, ...made);
  view.foot.append(view.actions);
}

function* actionsOf(view, panel, row) {
  const fields = { s: row.s, id: row.id };
  if (row.state === "growing") {
    yield iconButton("stop", "Stop this reply", () => panel.stop(row.s));
    return;
  }
  yield iconButton("copy", "Copy", () => panel.tried(copyRow(view)));
  if (row.state) return;
  if (row.role === "assistant") yield iconButton("retry", "Ask again", () => panel.say("retry", fields), kernelTool);
  else if (!row.heard) yield iconButton("edit", "Edit and ask again", () => editRow(view), kernelTool);
  yield iconButton("fork", "Fork from here", () => forkRow(view), kernelTool);
  yield iconButton("remove", "Remove from the conversation", () => panel.say("remove", fields), kernelTool);
}

const kernelTool = { "data-kernel": true };

async function copyRow({ panel, row, body }) {
  const { text } = await panel.store.ask("source", { s: row.s, id: row.id }).catch(() => ({ text: body.innerText }));
  await toClipboard(text);
  panel.toasts.add({ text: "copied" });
}

async function editRow(view) {
  if (view.form) return view.form.querySelector("textarea").focus();
  const { panel, row } = view;
  const answer = await panel.tried(panel.store.ask("source", { s: row.s, id: row.id }));
  if (!answer) return;
  const area = node("textarea", { "aria-label": "Edit your message", rows: 2 });
  area.value = answer.text;
  const submit = async () => {
    if (!area.value.trim()) return;
    if (await panel.say("edit", { s: row.s, id: row.id, text: area.value })) close();
  };
  const close = openForm(view, area, "Send", submit, "The reply branches from here; the old one stays.");
  area.addEventListener("input", () => growsWithText(area, 240));
  growsWithText(area, 240);
}

function forkRow(view) {
  const { panel, row } = view;
  const input = node("input", { type: "text", "aria-label": "Name of the new session", placeholder: "name of the new session" });
  const submit = async () => {
    const name = input.value.trim();
    if (name && (await panel.say("fork", { s: row.s, id: row.id, name }))) close();
  };
  input.addEventListener("keydown", (event) => event.key === "Enter" && submit());
  const close = openForm(view, input, "Fork", submit, "A new session goes on from this message.");
}

function openForm(view, field, verb, submit, hint) {
  view.form?.remove();
  const close = () => {
    view.form?.remove();
    view.form = null;
    view.element.focus({ preventScroll: true });
  };
  view.form = node("div.np-form", field,
    node("div.np-line", node("span.np-hint", { text: hint }),
      textButton("Cancel", close), textButton(verb, submit, { class: "np-button np-primary" })));
  field.addEventListener("keydown", (event) => formKeys(event, submit, close));
  view.element.append(view.form);
  field.focus();
  view.form.scrollIntoView({ block: "nearest" });
  return close;
}

// Done for rows that show, once: maths, buttons on code, and keys for what scrolls sideways.
function settleRow(view) {
  view.settled = true;
  const { body, panel } = view;
  if (body.querySelector(".math")) typeset(body, panel.host.latex);
  for (const block of body.querySelectorAll(".highlight")) addCodeTools(block, panel);
  for (const wide of body.querySelectorAll("pre, .nbconvo-table"))
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
  for (const image of body.querySelectorAll("img")) makeLarge(image, panel);
}

function addCodeTools(block, panel) {
  if (block.querySelector(".np-code")) return;
  const source = () => block.querySelector("code").textContent;
  const copy = () => panel.tried(toClipboard(source()).then(() => panel.toasts.add({ text: "code copied" })));
  const insert = () => panel.tried(Promise.resolve().then(() => {
    panel.host.insertBelow(panel.store.cell, source().replace(/\n$/, ""));
    panel.toasts.add({ text: "inserted as a cell below" });
  }));
  block.prepend(node("div.np-code",
    textButton("Copy", copy, { "aria-label": "Copy code" }),
    panel.host.indexOf(panel.store.cell) >= 0 &&
      textButton("Insert below", insert, { "aria-label": "Insert code as a cell below" })));
}

function makeLarge(image, panel) {
  const open = () => {
    const dialog = node("dialog.np-large", { "aria-label": image.alt || "Image", onclose: () => dialog.remove() },
      node("img", { src: image.src, alt: image.alt }), textButton("Close", () => dialog.close()));
    panel.root.append(dialog);
    dialog.showModal();
  };
  const keys = (event) => [" ", "Enter"].includes(event.key) && (event.preventDefault(), open());
  for (const [name, value] of Object.entries({ tabindex: "0", role: "button", "aria-label": `${image.alt || "image"}: open large` }))
    image.setAttribute(name, value);
  image.addEventListener("click", open);
  image.addEventListener("keydown", keys);
}
