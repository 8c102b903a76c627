// Text from outside goes in as text nodes and attribute values only.
function node(spec, ...kids) {
  const [tag, ...classes] = spec.split(".");
  return filled(document.createElement(tag), classes, kids);
}

function shape(tag, ...kids) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), [], kids);
}

function filled(made, classes, kids) {
  if (classes.length) made.className = classes.join(" ");
  if (kids[0]?.constructor === Object) setProperties(made, kids.shift());
  made.append(...kids.filter((kid) => kid != null && kid !== false));
  return made;
}

function setProperties(made, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value == null || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
}

const ICONS = {
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zm3.6-1.4L14 14",
  menu: "M3 8h.3M8 8h.3M13 8h.3",
  settings: "M2 5h7m4 0h1M2 11h1m4 0h7M11 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM5 13a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  copy: "M6 6h7v8H6zM10 6V2H3v8h3",
  retry: "M13 8a5 5 0 1 1-1.5-3.5L13 6m0-4v4H9",
  edit: "M3 13l.7-3L11 2.7l2.3 2.3L6 12.3z",
  fork: "M4 5v6M4 5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zm0 9a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zm8-9a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zm0 0c0 3-3 4-8 4.5",
  remove: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9",
  close: "M4 4l8 8m0-8l-8 8",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
  left: "M10 4L6 8l4 4",
  right: "M6 4l4 4-4 4",
  stop: "M4.5 4.5h7v7h-7z",
};

function iconButton(name, label, onclick, more) {
  const icon = shape("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, shape("path", { d: ICONS[name] }));
  return node("button.np-tool", { "aria-label": label, title: label, onclick, ...more }, icon);
}

const CHANGES = { "data-changes": true }; // is of no use in a session that was closed
const textButton = (text, onclick, more) => node("button.np-button", { text, onclick, ...more });
const primary = (text, onclick) => textButton(text, onclick, { class: "np-button np-primary", "data-kernel": true });

function disc(initials, hue) {
  const made = node("span.np-disc", { "aria-hidden": "true", text: initials });
  made.style.setProperty("--np-hue", hue);
  return made;
}

// Writes nothing where nothing changed, so that a live region stays silent.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}

const count = (n) => Number(n || 0).toLocaleString("en-US");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
const dotted = (facts) => facts.filter(Boolean).join(" · ");

let ids = 0;
const newId = () => `np-${Math.random().toString(36).slice(2)}${ids++}`;

function growsWithText(area, most) {
  if (CSS.supports("field-sizing", "content")) return;
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, most)}px`;
}

async function toClipboard(text) {
  if (await attempt(() => navigator.clipboard.writeText(text).then(() => true, () => false))) return;
  const area = node("textarea.np-hidden");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = attempt(() => document.execCommand("copy"));
  area.remove();
  if (!done) throw new Error("the browser did not allow the copy");
}
