const PATIENCE = 400; // ms until a request counts as waiting for the running cell
const CACHED = 1500; // rows kept beside the ones on the page
const PAGE = 40;

// Two pages may share one kernel's model and hear each other's answers.
let lastRequest = Math.floor(Math.random() * 1e9);

class Store {
  constructor(model) {
    this.model = model;
    this.listeners = new Set();
    this.pending = new Map();
    this.late = new Set();
    this.lost = false;
    this.views = 0;
    this.forget();
    const first = model.get("first") ?? {};
    this.cell = first.cell ?? null;
    this.compact = Boolean(first.compact);
    this.seq = 0;
    this.take(first);
    this.hearing = (message) => this.hear(message);
    model.on("msg:custom", this.hearing);
  }

  forget() {
    Object.assign(this, { sessions: [], shown: null, scope: "all", gone: false, n: 0, tail: [], gauges: [] });
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
    this.ask("hello", { seq: this.seq }).catch(() => {});
  }

  hear(message) {
    if (!message || typeof message !== "object") return;
    if (message.re != null) return this.answered(message);
    const next = message.seq == null || message.whole || message.seq === this.seq + 1;
    if (!next && message.seq <= this.seq) return;
    if (!next) return this.greet();
    if (message.whole) this.forget();
    this.take(message);
    this.tell(message);
  }

  take(message) {
    for (const part of ["seq", "sessions", "shown", "scope", "gone", "gauges"])
      if (message[part] !== undefined) this[part] = message[part];
    if (message.path) this.takePath(message.path);
    if (message.tail) this.takeTail(message.tail);
    for (const [id, growth] of Object.entries(message.grow ?? {})) this.takeGrowth(id, growth);
  }

  takePath({ n, same, at, rows }) {
    for (const i of this.rows.keys()) if (i >= same) this.rows.delete(i);
    rows.forEach((row, k) => this.rows.set(at + k, row));
    this.n = n;
  }

  takeTail(tail) {
    this.tail = tail;
    const ids = new Set(tail.map((row) => row.id));
    for (const id of this.grown.keys()) if (!ids.has(id)) this.grown.delete(id);
  }

  // The whole of a growing reply, for a view that shows its row later.
  takeGrowth(id, { reset, add, keep, tail, why }) {
    const old = (!reset && this.grown.get(id)) || { closed: "", open: "", why: "" };
    this.grown.set(id, {
      closed: old.closed + (add ?? ""),
      open: old.open.slice(0, keep ?? 0) + (tail ?? ""),
      why: why ? old.why.slice(0, why.keep ?? 0) + (why.tail ?? "") : old.why,
    });
  }

  get total() {
    return this.n + this.tail.length;
  }

  row(i) {
    return i < this.n ? this.rows.get(i) : this.tail[i - this.n];
  }

  has(i) {
    return i >= this.n || this.rows.has(i);
  }

  session(key) {
    return this.sessions.find((session) => session.key === key);
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

  ask(what, fields = {}) {
    const re = ++lastRequest;
    return new Promise((resolve, reject) => {
      if (this.lost) return reject(new Error("the kernel was restarted: run the cell again"));
      this.pending.set(re, { resolve, reject, timer: setTimeout(() => this.wait(re), PATIENCE) });
      attempt(() => this.model.send({ do: what, re, ...fields }));
    });
  }

  wait(re) {
    this.late.add(re);
    this.tell({ wait: true });
  }

  answered(message) {
    const request = this.pending.get(message.re);
    if (!request) return;
    this.settle(message.re, request);
    if (message.error) request.reject(new Error(message.error));
    else request.resolve(message);
  }

  settle(re, { timer }) {
    clearTimeout(timer);
    this.pending.delete(re);
    if (this.late.delete(re)) this.tell({ wait: true });
  }

  lose() {
    if (this.lost) return;
    this.lost = true;
    for (const [re, request] of this.pending) {
      this.settle(re, request);
      request.reject(new Error("the kernel was restarted: run the cell again"));
    }
    this.tell({ lost: true });
  }
}
