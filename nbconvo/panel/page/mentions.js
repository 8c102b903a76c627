// The sessions named by @ at a word's start, and the text without the names it begins with.
function addressed(text, sessions) {
  const longestFirst = sessions.filter((session) => session.key).sort((a, b) => b.label.length - a.label.length);
  const keys = new Set();
  let start = 0;
  for (const { index: at } of text.matchAll(/(?<![^\s(,;])@/g)) {
    const session = longestFirst.find(({ label }) => isNamed(text, at + 1, label));
    if (!session) continue;
    keys.add(session.key);
    const end = at + 1 + session.label.length;
    if (!text.slice(start, at).trim()) start = end + text.slice(end).match(/^[\s,:;]*/)[0].length;
  }
  return { keys: [...keys], text: text.slice(start).trim() };
}

function isNamed(text, at, label) {
  const end = at + label.length;
  return text.slice(at, end).toLowerCase() === label.toLowerCase() && !/^[\p{L}\p{N}_-]/u.test(text.slice(end));
}

// The list of names that opens on typing @.
class Mentions {
  constructor(area, store) {
    Object.assign(this, { area, store, found: [], at: 0 });
    this.list = node("div.np-names", { role: "listbox", "aria-label": "Participants", id: newId(), hidden: true });
    setProperties(area, { "aria-autocomplete": "list", "aria-controls": this.list.id });
  }

  look() {
    const before = this.area.value.slice(0, this.area.selectionStart);
    const word = before.match(/(?:^|[\s(,;])@([^\s@]*)$/)?.[1].toLowerCase();
    const fits = ({ key, label }) => key && label.toLowerCase().startsWith(word);
    const found = word == null ? [] : this.store.known.filter(fits).sort((a, b) => a.label.length - b.label.length);
    this.start = before.length - (word ?? "").length;
    this.show(found.length === 1 && found[0].label.toLowerCase() === word ? [] : found.slice(0, 8), 0);
  }

  show(found, at) {
    const { list, area } = this;
    Object.assign(this, { found, at });
    list.hidden = !found.length;
    list.replaceChildren(...found.map((session, i) => this.option(session, i)));
    if (found.length) area.setAttribute("aria-activedescendant", `${list.id}-${at}`);
    else area.removeAttribute("aria-activedescendant");
  }

  option(session, i) {
    const onpointerdown = (event) => (event.preventDefault(), this.choose(session));
    return node("div", { role: "option", id: `${this.list.id}-${i}`, "aria-selected": String(i === this.at), onpointerdown },
      session.hue ? disc(session.initials, session.hue) : "", node("span", { text: session.label }));
  }

  choose(session) {
    const { area } = this;
    area.setRangeText(`${session.label} `, this.start, area.selectionStart, "end");
    area.dispatchEvent(new Event("input"));
  }

  // Whether the key was for the list.
  heard({ key, ctrlKey, metaKey }) {
    const { found, at } = this;
    if (!found.length || ctrlKey || metaKey) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step) this.show(found, (at + step + found.length) % found.length);
    else if (key === "Enter" || key === "Tab") this.choose(found[at]);
    else if (key === "Escape") this.show([], 0);
    else return false;
    return true;
  }
}
