const WORD = /[\p{L}\p{N}_-]/u;

// The sessions named by @ at a word's start, longest name first, and the text without leading names.
function addressed(text, sessions) {
  const byLength = [...sessions].filter((session) => session.key).sort((a, b) => b.label.length - a.label.length);
  const keys = [];
  let start = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (at && !/[\s(,;]/.test(text[at - 1])) continue;
    const session = byLength.find(({ label }) => isNamed(text, at + 1, label));
    if (!session) continue;
    if (!keys.includes(session.key)) keys.push(session.key);
    const end = at + 1 + session.label.length;
    if (!text.slice(start, at).trim()) start = text.slice(end).match(/^[\s,:;]*/)[0].length + end;
  }
  return { keys, text: text.slice(start).trim() };
}

function isNamed(text, at, label) {
  const next = text[at + label.length];
  return text.slice(at, at + label.length).toLowerCase() === label.toLowerCase() && (!next || !WORD.test(next));
}

// The list of names that opens on typing @.
class Mentions {
  constructor(area, sessions) {
    Object.assign(this, { area, sessions, found: [], at: 0 });
    this.list = node("div.np-names", { role: "listbox", "aria-label": "Participants", id: `np-names-${Math.random().toString(36).slice(2)}`, hidden: true });
    area.setAttribute("aria-autocomplete", "list");
    area.setAttribute("aria-controls", this.list.id);
  }

  look() {
    const before = this.area.value.slice(0, this.area.selectionStart);
    const begun = before.match(/(?:^|[\s(,;])@([^\s@]*)$/);
    const word = begun?.[1].toLowerCase();
    this.start = begun ? before.length - begun[1].length : 0;
    this.found = begun ? this.sessions().filter((s) => s.key && s.label.toLowerCase().startsWith(word)).slice(0, 8) : [];
    if (this.found.length === 1 && this.found[0].label.toLowerCase() === word) this.found = [];
    this.at = 0;
    this.draw();
  }

  draw() {
    this.list.hidden = !this.found.length;
    this.list.replaceChildren(...this.found.map((session, i) => this.option(session, i)));
    if (this.found.length) this.area.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
    else this.area.removeAttribute("aria-activedescendant");
  }

  option(session, i) {
    const choose = (event) => {
      event.preventDefault();
      this.choose(session);
    };
    return node("div", { role: "option", id: `${this.list.id}-${i}`, "aria-selected": String(i === this.at), onpointerdown: choose },
      disc(session.initials, session.hue), node("span", { text: session.label }));
  }

  choose(session) {
    this.area.setRangeText(`${session.label} `, this.start, this.area.selectionStart, "end");
    this.close();
    this.area.dispatchEvent(new Event("input"));
  }

  close() {
    this.found = [];
    this.draw();
  }

  // Whether the key was for the list.
  heard(event) {
    if (!this.found.length || event.ctrlKey || event.metaKey) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.at = (this.at + step + this.found.length) % this.found.length;
    else if (event.key === "Enter" || event.key === "Tab") return this.choose(this.found[this.at]), true;
    else if (event.key !== "Escape") return false;
    if (step) this.draw();
    else this.close();
    return true;
  }
}
