// The two-phase figure: a lane for each model, the wait before the arrival not to scale, and what
// happens after it on a time axis. Each stretch explains itself when pointed at or focused.
import { Axis, type Stretch } from "./axis";
import { h, svg } from "./dom";
import { type Fields, fields, list, number, text } from "./json";
import { explained, isKind, kinds, legend } from "./words";

interface Lane {
  model: Fields;
  name: string;
  helper: boolean;
  stretches: Stretch[];
}

const narrow = 620; // pixels; below, the names stand above their lanes
const cutWidth = 16;

function stretchesOf(model: Fields): Stretch[] {
  return list(model.stretches).flatMap((one) => {
    const { lane, what, from_us, to_us } = fields(one);
    const [from, to] = [number(from_us), number(to_us)];
    return from === null || to === null || to <= from
      ? []
      : [{ lane: text(lane), what: text(what), from, to }];
  });
}

function lanesOf(models: Fields[]): Lane[] {
  const lanes: Lane[] = [];
  for (const model of models) {
    const all = stretchesOf(model);
    if (all.length === 0) continue;
    for (const helper of [false, true]) {
      const stretches = all.filter(({ lane }) => (lane === "helper") === helper);
      const name = helper ? "its helper" : text(model.model);
      if (stretches.length > 0) lanes.push({ model, name, helper, stretches });
    }
  }
  return lanes;
}

const waitOf = ({ model, helper }: Lane): Stretch => ({
  lane: helper ? "helper" : "own",
  what: helper ? "alone" : text(model.waits) || "unknown",
  from: -1,
  to: 0,
});

function patterns(): SVGElement {
  const pattern = (id: string, size: number, turned: boolean, ...marks: SVGElement[]) =>
    svg(
      "pattern",
      {
        id: `p-${id}`,
        width: size,
        height: size,
        patternUnits: "userSpaceOnUse",
        patternTransform: turned && "rotate(45)",
      },
      svg("rect", { width: size, height: size, class: `ground-${id}` }),
      ...marks,
    );
  const stripe = (id: string, width: number, height: number) =>
    svg("rect", { width, height, class: `mark-${id}` });
  const dot = (id: string, x: number, y: number) =>
    svg("circle", { cx: x, cy: y, r: 1.25, class: `mark-${id}` });
  return svg(
    "defs",
    {},
    pattern("alone", 7, true, stripe("alone", 1.6, 7)),
    pattern("free", 9, false, dot("free", 4.5, 4.5)),
    pattern("asking", 6, false, stripe("asking", 2.4, 6)),
    pattern("both", 8, true, stripe("both", 3.4, 8)),
    pattern("unknown", 8, false, dot("unknown", 2, 2), dot("unknown", 6, 6)),
  );
}

class Figure {
  private readonly drawing = svg("svg", {
    role: "group",
    "aria-label": "Two phases under each model; arrow keys go from stretch to stretch",
  });
  private readonly said = h("p", { class: "said", role: "status" });
  private marks: SVGElement[] = [];
  private current = 0;
  private readonly lanes: Lane[];

  constructor(models: Fields[]) {
    this.lanes = lanesOf(models);
    this.drawing.addEventListener("keydown", (event) => this.move(event));
    this.say("");
  }

  element(): HTMLElement {
    const box = h("div", { class: "phases" }, this.drawing);
    let drawn = 0;
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width > 0 && width !== drawn) this.draw((drawn = width));
    }).observe(box);
    return h("div", {}, box, this.said);
  }

  private say(what: string) {
    this.said.textContent =
      what || "Point at a stretch, tap it, or go there with the arrow keys: it says what happens.";
  }

  private move(event: KeyboardEvent) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.marks[Math.min(Math.max(this.current + step, 0), this.marks.length - 1)]?.focus();
  }

  private mark(lane: Lane, stretch: Stretch, box: { x: number; y: number; width: number; height: number }) {
    const what = isKind(stretch.what) ? stretch.what : "unknown";
    const words = explained(stretch, lane.model);
    const at = this.marks.length;
    const rect = svg("rect", {
      ...box,
      width: Math.max(box.width, 2),
      class: `stretch s-${what}`,
      role: "img",
      "aria-label": words,
      tabindex: at === this.current ? 0 : -1,
    });
    const show = () => {
      for (const mark of this.marks) mark.classList.toggle("shown", mark === rect);
      this.say(words);
    };
    rect.addEventListener("pointerenter", show);
    rect.addEventListener("click", () => rect.focus());
    rect.addEventListener("focus", () => {
      this.marks[this.current]?.setAttribute("tabindex", "-1");
      this.current = at;
      rect.setAttribute("tabindex", "0");
      show();
    });
    this.marks.push(rect);
    return rect;
  }

  private draw(width: number) {
    const focused = this.marks.includes(document.activeElement as SVGElement);
    this.marks = [];
    const tight = width < narrow;
    const left = tight ? 0 : 112;
    const arrival = left + (tight ? 76 : 190);
    const all = this.lanes.flatMap(({ stretches }) => stretches);
    const axis = new Axis(all, width - arrival - 14, cutWidth);
    const top = 44;
    const parts: Node[] = [patterns()];
    const marks: Node[] = [];
    let y = top;
    for (const lane of this.lanes) {
      const height = lane.helper ? 14 : 22;
      const label = { x: 0, y: tight ? y + 11 : y + height - 6, class: lane.helper ? "helper" : "name" };
      parts.push(svg("text", label, tight && lane.helper ? `${text(lane.model.model)}, its helper` : lane.name));
      if (tight) y += 16;
      const lay = (from: number, to: number) => ({ x: from, y, width: to - from, height });
      marks.push(this.mark(lane, waitOf(lane), lay(left, arrival)));
      for (const one of lane.stretches)
        marks.push(this.mark(lane, one, lay(arrival + axis.at(one.from), arrival + axis.at(one.to))));
      if (!tight && !lane.helper) marks.push(...this.label(lane, left, y));
      y += height + (tight ? 8 : 14);
    }
    this.drawAxis(parts, axis, arrival, top, y, tight ? "wait" : "phase 1: wait");
    this.drawing.replaceChildren(...parts, ...marks, ...this.overlays(axis, arrival, top, y));
    const height = y + 20;
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` }))
      this.drawing.setAttribute(name, String(value));
    if (focused) this.marks[this.current]?.focus();
  }

  private label({ model }: Lane, x: number, y: number): Node[] {
    const asks = text(model.asks_by);
    const asleep = text(model.asleep_in);
    const words = asks ? `asks: ${asks}` : asleep ? `asleep in ${asleep}` : "waits, unseen";
    const size = Math.min(7.3 * words.length + 12, 182);
    return [
      svg("rect", { x: x + 4, y: y + 3, width: size, height: 16, rx: 3, class: "paper" }),
      svg("text", { x: x + 10, y: y + 15, class: "call" }, words.slice(0, 24)),
    ];
  }

  private drawAxis(parts: Node[], axis: Axis, arrival: number, top: number, bottom: number, wait: string) {
    parts.push(svg("text", { x: arrival - 8, y: 14, class: "head end" }, wait));
    parts.push(svg("text", { x: arrival + 8, y: 14, class: "head" }, "wake up; phase 2: copy"));
    for (const us of axis.ticks(58)) {
      const x = arrival + axis.at(us);
      if (us <= 0 || x > arrival + axis.at(Infinity) - 8) continue;
      parts.push(svg("line", { x1: x, x2: x, y1: top - 10, y2: bottom - 8, class: "grid" }));
      parts.push(svg("text", { x, y: top - 14, class: "tick" }, `${us} µs`));
    }
  }

  private overlays(axis: Axis, arrival: number, top: number, bottom: number): Node[] {
    const cuts = axis.cuts().map((at) => {
      const x = arrival + at + cutWidth / 2;
      return svg("path", {
        class: "cut",
        d: `M${x - 3} ${bottom - 6}L${x + 3} ${top - 8}`,
        "aria-hidden": "true",
      });
    });
    return [
      ...cuts,
      svg("line", { x1: arrival, x2: arrival, y1: 20, y2: bottom - 4, class: "arrival" }),
      svg("text", { x: arrival, y: bottom + 12, class: "arrives" }, "data arrives"),
    ];
  }
}

// Each sign of the legend is an element of its own: patterns live in the figure's image.
function sign(what: string): SVGElement {
  return svg(
    "svg",
    { width: 28, height: 14, "aria-hidden": "true" },
    svg("rect", { width: 28, height: 14, class: `stretch s-${what}` }),
  );
}

export function phases(models: Fields[]): HTMLElement | null {
  const lanes = lanesOf(models);
  if (lanes.length === 0) return null;
  const used = new Set(lanes.flatMap((lane) => [waitOf(lane), ...lane.stretches]).map(({ what }) => what));
  return h(
    "figure",
    {},
    new Figure(models).element(),
    h(
      "figcaption",
      {},
      h(
        "ul",
        { class: "legend" },
        ...kinds.filter((what) => used.has(what)).map((what) => h("li", {}, sign(what), legend[what])),
      ),
      "Left of the red line, not to scale: the wait. Right of it: microseconds since the data was there; " +
        "a slash marks time cut out in which nothing happens.",
    ),
  );
}
