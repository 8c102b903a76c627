const NEAR = 0.8;
const EDGE = 0.97;

// One card for each limiter; numbers are written in place.
class Gauges {
  constructor(panel) {
    this.panel = panel;
    this.cards = new Map();
    this.line = node("span.np-sum");
    this.grid = node("div.np-cards");
    this.empty = node("p.np-hint", { text: "no request yet" });
    const body = [this.empty, this.grid];
    this.element = panel.store.compact
      ? node("section.np-gauges", { "aria-label": "Rate limits" }, ...body)
      : node("details.np-gauges", node("summary", node("span", { text: "Limits" }), this.line), ...body);
    panel.signal.addEventListener("abort", () => clearInterval(this.ticking));
    this.show(panel.store.gauges);
  }

  show(gauges) {
    this.heard = performance.now();
    this.gauges = gauges;
    const names = new Set(gauges.map((gauge) => gauge.name));
    for (const [name, card] of this.cards) if (!names.has(name)) this.drop(name, card);
    for (const gauge of gauges) this.card(gauge.name).show(gauge);
    this.empty.hidden = gauges.length > 0;
    setText(this.line, gauges.map(gaugeLine).join("   ") || "no request yet");
    this.tick();
  }

  card(name) {
    if (!this.cards.has(name)) {
      const card = new GaugeCard(name);
      this.cards.set(name, card);
      this.grid.append(card.element);
    }
    return this.cards.get(name);
  }

  drop(name, card) {
    card.element.remove();
    this.cards.delete(name);
  }

  // Waits count down here; the timer runs only while there is one.
  tick() {
    const passed = (performance.now() - this.heard) / 1000;
    const left = this.gauges.map((gauge) => this.card(gauge.name).countDown(gauge, passed));
    clearInterval(this.ticking);
    if (left.some(Boolean)) this.ticking = setInterval(() => this.tick(), 200);
  }
}

class GaugeCard {
  constructor(name) {
    this.requests = new Meter("requests");
    this.tokens = new Meter("tokens");
    this.waits = node("p.np-waits");
    this.totals = node("p.np-hint");
    this.history = new History();
    this.element = node("div.np-gauge", { role: "group", "aria-label": name },
      node("div.np-gauge-head", node("strong", { text: name }), this.waits),
      this.requests.element, this.tokens.element, this.history.element, this.totals);
  }

  show(gauge) {
    this.requests.show(gauge.requests, gauge.max_requests);
    this.tokens.show(gauge.tokens, gauge.max_tokens);
    this.history.show(gauge.history ?? []);
    const facts = [
      `${plural(gauge.total_requests, "request")} since the kernel started`,
      plural(gauge.total_tokens, "token"),
      gauge.cost,
      `${count(gauge.rate_limited)} × 429`,
      gauge.retries === 1 ? "1 retry" : `${count(gauge.retries)} retries`,
    ];
    setText(this.totals, facts.filter(Boolean).join(" · "));
  }

  countDown(gauge, passed) {
    const left = (seconds) => (seconds == null ? 0 : Math.max(0, seconds - passed));
    const [next, paused] = [left(gauge.next_in), left(gauge.paused_for)];
    const flight = gauge.max_concurrent == null ? count(gauge.in_flight) : `${count(gauge.in_flight)} of ${count(gauge.max_concurrent)}`;
    const waits = [
      `${flight} in flight`,
      gauge.queued && `${count(gauge.queued)} queued${next ? `, next in ${seconds(next)}` : ""}`,
      paused && `paused ${seconds(paused)}`,
    ];
    setText(this.waits, waits.filter(Boolean).join(" · "));
    this.element.classList.toggle("np-paused", paused > 0);
    return next || paused;
  }
}

class Meter {
  constructor(unit) {
    this.unit = unit;
    this.label = node("span");
    this.word = node("em");
    this.bar = node("i");
    this.meter = node("div.np-meter", { role: "meter", "aria-label": `${unit} in this minute`, "aria-valuemin": 0 }, this.bar);
    this.element = node("div.np-measure", node("div.np-line", this.label, this.word), this.meter);
  }

  show(used, most) {
    const part = most == null ? 0 : most > 0 ? Math.min(1, used / most) : 1;
    const level = most == null ? "free" : part >= EDGE ? "edge" : part >= NEAR ? "near" : "fine";
    const word = { free: "no limit set", fine: "", near: "near the limit", edge: "at the limit" }[level];
    const text = `${count(Math.round(used))}${most == null ? "" : ` of ${count(most)}`} ${this.unit}/min`;
    this.element.className = `np-measure np-${level}`;
    setText(this.label, text);
    setText(this.word, word);
    this.meter.hidden = most == null;
    this.meter.setAttribute("aria-valuemax", most || 1);
    this.meter.setAttribute("aria-valuenow", most == null ? 0 : Math.min(used, most || 1));
    this.meter.setAttribute("aria-valuetext", [text, word].filter(Boolean).join(", "));
    this.bar.style.width = `${part * 100}%`;
  }
}

class History {
  constructor() {
    const [svg, area, line] = ["svg", "path", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
    for (const [name, value] of [["viewBox", "0 0 59 20"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]])
      svg.setAttribute(name, value);
    svg.append(area, line);
    Object.assign(this, { area, line, text: node("span.np-hint") });
    this.element = node("div.np-history", svg, this.text);
  }

  show(history) {
    const most = Math.max(4, ...history);
    const points = history.map((n, i) => `${i},${(19 - (n / most) * 18).toFixed(1)}`);
    this.line.setAttribute("d", points.length ? `M${points.join("L")}` : "");
    this.area.setAttribute("d", points.length ? `M0,20L${points.join("L")}L59,20z` : "");
    setText(this.text, `${plural(history.reduce((sum, n) => sum + n, 0), "request")} in 5 minutes`);
  }
}

function seconds(left) {
  return left < 10 ? `${left.toFixed(1)} s` : `${Math.round(left)} s`;
}

function gaugeLine(gauge) {
  const used = gauge.max_requests == null ? `${count(gauge.requests)}/min` : `${count(gauge.requests)}/${count(gauge.max_requests)}`;
  return [`${gauge.name} ${used}`, gauge.queued && `${count(gauge.queued)} queued`, gauge.paused_for > 0 && "paused"].filter(Boolean).join(" · ");
}
