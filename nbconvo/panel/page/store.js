const PATIENCE = 400; // ms until a request counts as waiting for the running cell
const CACHED = 1500; // rows kept beside the ones on the page
const PAGE = 40;
const RESTARTED = "the kernel was restarted: run the cell again";

// Two pages may share one kernel's model and hear each other's answers.
let lastRequest = Math.floor(Math.random() * 1e9);

// What the kernel told one model, for all its views.
class Store {
  constructor(model) {
    const first = model.get("first") ?? {};
    Object.assign(this, { model, views: 0, lost: false, aside: false, seq: 0, compact: Boolean(first.compact) });
    this.listeners = new Set();
    this.pending = new Map();
    this.late = new Set();
    this.forget();
    this.take(first);
    this.hearing = (message) => this.hear(message);
    model.on("msg:custom", this.hearing);
  }

  forget() {
    Object.assign(this, { sessions: [], others: [], shown: null, scope: "all", gone: false, system: null, n: 0, tail: [], gauges: [] });
    this.rows = new Map();
    this.grown = new Map();
  }

  close() {
    this.model.off("msg:custom", this.hearing);
    for (const { timer } of this.pending.values()) clearTimeout(timer);
  }

  listen(listener, signal) {
    this.listeners.add(listener);
    signal.addEventListener("abort", () => this.listeners.delete(listener));
  }

  tell(parts) {
    for (const listener of this.listeners) listener(parts);
  }

  greet() {
    this.ask("hello", { seq: this.seq }).then(({ keepable }) => (this.keepable = keepable), () => {});
  }

  hear(message) {
    if (message?.re != null) return this.answered(message);
    if (message?.left) return void (this.views && this.greet());
    const { seq, whole } = message;
    if (!whole && seq <= this.seq) return;
    if (!whole && seq > this.seq + 1) return this.greet();
    if (whole) this.forget();
    const moved = this.take(message);
    this.tell({ ...message, moved: whole || moved });
  }

  // Returns whether a row is no longer where it was.
  take(message) {
    for (const part of ["seq", "sessions", "others", "shown", "scope", "gone", "system", "gauges", "cell"])
      if (message[part] !== undefined) this[part] = message[part];
    const moved = message.path && this.takePath(message.path);
    if (message.tail) this.takeTail(message.tail);
    for (const [id, growth] of Object.entries(message.grow ?? {}))
      this.grown.set(id, grown(this.grown.get(id) ?? { closed: "", open: "", why: "" }, growth));
    return moved;
  }

  takePath({ n, same, at, rows }) {
    const moved = n < this.n || rows.some(({ id }, k) => (this.rows.get(at + k) ?? { id }).id !== id);
    for (const i of this.rows.keys()) if (i >= same) this.rows.delete(i);
    rows.forEach((row, k) => this.rows.set(at + k, row));
    this.n = n;
    return moved;
  }

  takeTail(tail) {
    this.tail = tail;
    const ids = new Set(tail.map((row) => row.id));
    for (const id of this.grown.keys()) if (!ids.has(id)) this.grown.delete(id);
  }

  get total() {
    return this.n + this.tail.length;
  }

  row(i) {
    return i < this.n ? this.rows.get(i) : this.tail[i - this.n];
  }

  has(i) {
    return i >= this.n ? i < this.total : this.rows.has(i);
  }

  session(key) {
    return this.sessions.find((session) => session.key === key);
  }

  // All that can be named, those without a tab included.
  get known() {
    return [...this.sessions, ...this.others.map((name) => ({ key: name, label: name }))];
  }

  // Fetches what is missing of [from, to), its end first, one page at a time.
  need(from, to) {
    from = Math.max(0, from);
    to = Math.min(this.n, to);
    while (to > from && this.rows.has(to - 1)) to--;
    while (from < to && this.rows.has(from)) from++;
    if (from >= to || this.lost) return Promise.resolve(false);
    this.fetching ??= this.fetch(Math.max(from, to - PAGE), to).finally(() => (this.fetching = null));
    return this.fetching;
  }

  async fetch(from, to) {
    const { at, rows } = await this.ask("page", { at: from, n: to - from });
    if (this.rows.size > CACHED) this.drop(at);
    rows.forEach((row, k) => this.rows.set(at + k, row));
    queueMicrotask(() => this.tell({ page: true }));
    return rows.length > 0;
  }

  drop(near) {
    for (const i of this.rows.keys())
      if (Math.abs(i - near) > CACHED / 3 && i < this.n - PAGE) this.rows.delete(i);
  }

  replace(row) {
    for (const [i, old] of this.rows) if (old.id === row.id && old.s === row.s) this.rows.set(i, row);
    this.tell({ page: true });
  }

  ask(what, fields) {
    const re = ++lastRequest;
    return new Promise((resolve, reject) => {
      if (this.lost) return reject(new Error(RESTARTED));
      const timer = setTimeout(() => this.tell({ wait: this.late.add(re) }), PATIENCE);
      this.pending.set(re, { resolve, reject, timer });
      attempt(() => this.model.send({ do: what, re, ...fields }));
    });
  }

  // Once heard beside the cells, a page is so for good; its first words may have come before.
  answered({ re, error, aside, ...answer }) {
    this.aside ||= Boolean(aside);
    const request = this.pending.get(re);
    if (!request) return;
    clearTimeout(request.timer);
    this.pending.delete(re);
    if (this.late.delete(re)) this.tell({ wait: true });
    if (error) request.reject(new Error(error));
    else request.resolve(answer);
  }

  lose() {
    if (this.lost) return;
    this.lost = true;
    for (const re of this.pending.keys()) this.answered({ re, error: RESTARTED });
    this.tell({ lost: true });
  }
}
