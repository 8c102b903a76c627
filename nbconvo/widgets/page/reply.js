// Replies in a cell's output while they grow: cards, as nbconvo.cards makes them.
// A card in a message: {busy?, who?: {keep, tail}, body?: growth, foot?: {keep, tail}}.

// What all views of a model know: the last message's number, and each card's strings.
function memory() {
  return { seq: -1, beside: false, cards: [], views: new Set() };
}

// A whole goes to a page that missed a message; all others have it already.
function takeWhole(known, whole) {
  if (whole.seq <= known.seq) return;
  Object.assign(known, { seq: whole.seq, beside: whole.beside, cards: [] });
  whole.cards.forEach((change, place) => remember(known.cards, place, change));
  known.views.forEach((view) => view.again());
}

function takeChange(known, message) {
  if (message.seq !== known.seq + 1) return;
  known.seq = message.seq;
  for (const [place, change] of Object.entries(message.cards)) {
    remember(known.cards, place, change);
    known.views.forEach((view) => view.change(place, change));
  }
}

function remember(cards, place, { busy, who, body = {}, foot }) {
  const old = (cards[place] ??= { busy: true, who: "", closed: "", open: "", why: "", foot: "" });
  cards[place] = {
    ...grown(old, body),
    busy: busy ?? old.busy,
    who: patched(old.who, who),
    foot: patched(old.foot, foot),
  };
}

// The change that makes a card of nothing.
function wholeCard(card) {
  const all = (tail) => ({ keep: 0, tail });
  const body = { add: card.closed, ...all(card.open), why: all(card.why) };
  return { busy: card.busy, who: all(card.who), body, foot: all(card.foot) };
}

function cardView(doc) {
  const make = (name) => Object.assign(doc.createElement("div"), { className: name });
  const [element, who, foot] = ["nbconvo-card", "nbconvo-part", "nbconvo-part"].map(make);
  const body = growingBody(doc);
  element.append(who, body.why, body.element, foot);
  return { element, who, foot, body };
}

function changeCard(view, change, card, latex) {
  view.element.classList.toggle("nbconvo-busy", card.busy);
  view.element.ariaBusy = String(card.busy);
  if (change.who) view.who.innerHTML = card.who;
  if (change.body) grow(view.body, change.body, latex);
  view.body.element.hidden = !(card.closed || card.open);
  if (change.foot) view.foot.innerHTML = card.foot;
}

function outputView(known, root, latex) {
  let cards = [];
  const change = (place, what) => {
    if (!cards[place]) {
      cards[place] = cardView(root.ownerDocument);
      root.append(cards[place].element);
      root.classList.toggle("nbconvo-beside", known.beside && cards.length > 1);
    }
    changeCard(cards[place], what, known.cards[place], latex);
  };
  const again = () => {
    root.replaceChildren();
    cards = [];
    known.cards.forEach((card, place) => change(place, wholeCard(card)));
  };
  return { root, change, again };
}

// Say how often the page still shows the widget, now that its output should be a static one. Of
// several pages one is enough: the kernel would warn of what comes after the widget is closed.
function letGo(model, known) {
  const views = [...known.views].filter((view) => view.root.isConnected).length;
  try {
    model.send({ views });
  } catch {
    // The kernel is gone, and with it the widget.
  }
}

export default () => {
  const known = memory();
  let timer = 0;
  return {
    initialize({ model }) {
      const whole = () => takeWhole(known, model.get("first"));
      model.on("change:first", whole);
      model.on("msg:custom", (message) => {
        takeChange(known, message);
        if (message.ended) timer = setTimeout(letGo, 300 + 400 * Math.random(), model, known);
      });
      whole();
      return () => clearTimeout(timer);
    },
    render({ model, el }) {
      // JupyterLab's own look of HTML, so that nothing moves when the static output comes.
      el.classList.add("jp-RenderedHTMLCommon", "jp-RenderedHTML");
      const root = el.appendChild(el.ownerDocument.createElement("div"));
      root.className = "nbconvo mathjax_ignore tex2jax_ignore nbconvo-cards";
      const latex = model.widget_manager?.rendermime?.latexTypesetter ?? null;
      const view = outputView(known, root, latex);
      view.again();
      known.views.add(view);
      return () => known.views.delete(view);
    },
  };
};
