// A body that grows: whole blocks that stay as they are, and after them an open part that may
// still change. All that goes in by innerHTML here was sanitised in Python.

// Make an empty body. Put `why` (the reasoning) and `element` into the page yourself.
function growingBody(doc) {
  const make = (name) => Object.assign(doc.createElement("div"), { className: name });
  const element = make("nbconvo-body");
  element.dir = "auto";
  const [closed, open] = [make("nbconvo-closed"), make("nbconvo-open")];
  element.append(closed, open);
  return { element, closed, open, text: "", why: make("nbconvo-thoughts"), whyText: "" };
}

// Apply what changed: {reset?, take?, add?, keep, tail, why?: {keep, tail}}.
function grow(place, growth, latex = null) {
  if (growth.reset) {
    place.closed.replaceChildren();
    place.text = "";
  }
  const add = added(place.text, growth);
  if (add) addBlocks(place.closed, add, latex);
  const text = patched(place.text, growth);
  if (growth.reset || text !== place.text) place.open.innerHTML = text;
  place.text = text;
  // Not by :has(): with that, all closed blocks would be laid out again whenever the rest changes.
  place.element.classList.toggle("nbconvo-whole", !text);
  if (growth.why) showThoughts(place, patched(place.whyText, growth.why));
  place.element.classList.remove("nbconvo-pause");
  clearTimeout(place.pause);
  place.pause = setTimeout(() => place.element.classList.add("nbconvo-pause"), 1000);
}

// The same for the strings alone, of a body that is not in the page.
function grown({ closed, open, why }, growth) {
  if (growth.reset) [closed, open] = ["", ""];
  return {
    closed: closed + added(open, growth),
    open: patched(open, growth),
    why: patched(why, growth.why),
  };
}

// What becomes closed: the beginning of what was open, and what came.
function added(open, { take = 0, add = "" }) {
  return open.slice(0, take) + add;
}

// The string that `keep` units of the old one and `tail` make; the old one without a change.
function patched(old, change) {
  return change?.tail === undefined ? old : old.slice(0, change.keep) + change.tail;
}

function addBlocks(closed, html, latex) {
  const last = closed.lastElementChild;
  closed.insertAdjacentHTML("beforeend", html);
  let block = last ? last.nextElementSibling : closed.firstElementChild;
  for (; block; block = block.nextElementSibling) typeset(block, latex);
}

// Only what follows the summary is replaced: it stays open, and a click on it is not lost.
function showThoughts(place, html) {
  place.whyText = html;
  const made = place.why.ownerDocument.createElement("template");
  made.innerHTML = html;
  const [old, fresh] = [place.why.firstElementChild, made.content.firstElementChild];
  if (!old || !fresh) return place.why.replaceChildren(made.content);
  old.firstChild.textContent = fresh.firstChild.textContent;
  while (old.childNodes.length > 1) old.lastChild.remove();
  old.append(...[...fresh.childNodes].slice(1));
}

// Let the page's typesetter at the maths in `element`, and at nothing else: "$5" stays money.
function typeset(element, latex) {
  if (!latex || !(element.matches(".math") || element.querySelector(".math"))) return;
  if (!element.isConnected) return oncePlaced(element, () => typeset(element, latex));
  if (!element.matches(".math")) element.classList.add("mathjax_ignore");
  try {
    Promise.resolve(latex.typeset(element)).catch(() => {});
  } catch {
    // The source stays readable.
  }
}

// Call `then` when `element` is in the page: before, the typesetter finds no font to go by.
function oncePlaced(element, then) {
  new ResizeObserver((_, observer) => {
    if (!element.isConnected) return;
    observer.disconnect();
    then();
  }).observe(element);
}
