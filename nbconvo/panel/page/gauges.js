const NEAR = 0.8;
const EDGE = 0.97;

// One card for each limiter; numbers are written in place.
class Gauges {
  constructor({ store, signal }) {
    this.cards = new Map();
    this.line = node("span.np-sum");
    this.grid = node("div.np-cards");
    this.none = node("p.np-hint", { text: "no request yet" });
    this.element = store.compact
      ? node("section.np-gauges", { "aria-label": "Rate limits" })
      : node("details.np-gauges", node("summary", node("span", { text: "Limits" }), this.line));
    this.element.append(this.none, this.grid);
    signal.addEventListener("abort", () => clearInterval(this.ticking));
  }

  show(gauges) {
    Object.assign(this, { gauges, heard: performance.now() });
    const names = gauges.map((gauge) => gauge.name);
    for (const [name, { element }] of this.cards) if (!names.includes(name)) this.cards.delete(name), element.remove();
    for (const gauge of gauges) this.card(gauge.name).show(gauge);
    this.none.hidden = gauges.length > 0;
    setText(this.line, gauges.map(gaugeLine).join("   ") || "no request yet");
    this.tick();
  }

  card(name) {
    const { cards, grid } = this;
    if (!cards.has(name)) {
      cards.set(name, new GaugeCard(name));
      grid.append(cards.get(name).element);
    }
    return cards.get(name);
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
    this.meters = [meterOf("requests"), meterOf("tokens")];
    this.waits = node("p.np-waits");
    this.totals = node("p.np-hint");
    this.history = historyOf();
    this.element = node("div.np-gauge", { role: "group", "aria-label": name },
      node("div.np-gauge-head", node("strong", { text: name }), this.waits),
      ...this.meters.map((meter) => meter.element), this.history.element, this.totals);
  }

  show(gauge) {
    const [requests, tokens] = this.meters;
    requests.show(gauge.requests, gauge.max_requests);
    tokens.show(gauge.tokens, gauge.max_tokens);
    this.history.show(gauge.history);
    const { total_requests, total_tokens, cost, rate_limited, retries } = gauge;
    setText(this.totals, dotted([`${plural(total_requests, "request")} since the kernel started`, plural(total_tokens, "token"),
      cost, `${count(rate_limited)} × 429`, retries === 1 ? "1 retry" : `${count(retries)} retries`]));
  }

  countDown({ next_in, paused_for, in_flight, max_concurrent, queued }, passed) {
    const [next, paused] = [next_in, paused_for].map((seconds) => Math.max(0, (seconds ?? 0) - passed));
    setText(this.waits, dotted([
      `${count(in_flight)}${max_concurrent == null ? "" : ` of ${count(max_concurrent)}`} in flight`,
      queued && `${count(queued)} queued${next ? `, next in ${inSeconds(next)}` : ""}`,
      paused && `paused ${inSeconds(paused)}`,
    ]));
    this.element.classList.toggle("np-paused", paused > 0);
    return next || paused;
  }
}

function meterOf(unit) {
  const [label, word, bar] = [node("span"), node("em"), node("i")];
  const meter = node("div.np-meter", { role: "meter", "aria-label": `${unit} in this minute`, "aria-valuemin": 0 }, bar);
  const element = node("div", node("div.np-line", label, word), meter);
  const show = (used, most) => {
    const free = most == null;
    const part = free ? 0 : Math.min(1, used / Math.max(most, 1e-9));
    const level = free ? "free" : part >= EDGE ? "edge" : part >= NEAR ? "near" : "fine";
    const text = `${count(Math.round(used))}${free ? "" : ` of ${count(most)}`} ${unit}/min`;
    element.className = `np-${level}`;
    setText(label, text);
    setText(word, { free: "no limit set", near: "near the limit", edge: "at the limit" }[level] ?? "");
    meter.hidden = free;
    setProperties(meter, { "aria-valuemax": most || 1, "aria-valuenow": Math.round(Math.min(used, most || 1)), "aria-valuetext": `${text} ${word.textContent}` });
    bar.style.width = `${part * 100}%`;
  };
  return { element, show };
}

// Requests of each five seconds; the text says their sum.
function historyOf() {
  const [area, line, text] = [shape("path"), shape("path"), node("span.np-hint")];
  const svg = shape("svg", { viewBox: "0 0 59 20", preserveAspectRatio: "none", "aria-hidden": "true" }, area, line);
  const show = (history) => {
    const most = Math.max(4, ...history);
    const points = history.map((n, i) => `${i},${(19 - (n / most) * 18).toFixed(1)}`).join("L");
    line.setAttribute("d", `M${points}`);
    area.setAttribute("d", `M0,20L${points}L59,20z`);
    setText(text, `${plural(history.reduce((sum, n) => sum + n, 0), "request")} in 5 minutes`);
  };
  return { element: node("div.np-history", svg, text), show };
}

const inSeconds = (left) => (left < 10 ? `${left.toFixed(1)} s` : `${Math.round(left)} s`);

function gaugeLine({ name, requests, max_requests, queued, paused_for }) {
  const used = `${count(requests)}/${max_requests == null ? "min" : count(max_requests)}`;
  return dotted([`${name} ${used}`, queued && `${count(queued)} queued`, paused_for > 0 && "paused"]);
}
