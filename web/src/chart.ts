// Lines over two axes, by uPlot: a legend whose entries switch lines off, a line that says what is
// under the pointer, and the same figures as a table. It follows the colours of the page, light,
// dark or on paper, and the width of its place.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { h } from "./dom";
import { table } from "./table";

export interface Line {
  name: string;
  points: [number, number][];
}

export interface ChartAxis {
  title: string;
  log?: boolean;
  format: (value: number) => string;
  ticks?: number[]; // where to write; else where uPlot finds it good
}

export interface Chart {
  title: string;
  x: ChartAxis;
  y: ChartAxis;
  lines: Line[];
}

const height = 320;
const dark = matchMedia("(prefers-color-scheme: dark)");
const paper = matchMedia("print");
let printing = false;

// Thirteen models have to be told apart, some of them by people who see few colours: with the
// colour, the dashes change.
const hues = { light: ["#1f5fd6", "#c2410c", "#0f766e", "#9333ea", "#be123c", "#4d7c0f", "#475569"],
  dark: ["#7fb0ff", "#fb923c", "#2dd4bf", "#c084fc", "#fb7185", "#a3e635", "#94a3b8"] };
const dashes = [[], [7, 4], [2, 3]];

const theme = () => (dark.matches && !printing && !paper.matches ? "dark" : "light");
const colour = (at: number) => hues[theme()][at % hues.light.length]!;
const dash = (at: number) => dashes[Math.floor(at / hues.light.length) % dashes.length]!;

function aligned(lines: Line[]): uPlot.AlignedData {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const ys = lines.map(({ points }) => {
    const known = new Map(points);
    return xs.map((x) => known.get(x) ?? null);
  });
  return [xs, ...ys] as uPlot.AlignedData;
}

function axisOf(axis: ChartAxis, side: "x" | "y"): uPlot.Axis {
  const ink = theme() === "dark" ? "#b6c2d0" : "#4a5563";
  const rule = { stroke: theme() === "dark" ? "#2b3644" : "#e3e8ee", width: 1 };
  return {
    scale: side,
    label: axis.title,
    stroke: ink,
    grid: rule,
    ticks: rule,
    size: side === "y" ? 72 : 44,
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    values: (_, splits) => splits.map((value) => (value === null ? "" : axis.format(value))),
    ...(axis.ticks && { splits: () => axis.ticks!, filter: (_: uPlot, splits: number[]) => splits }),
  };
}

class Drawn {
  readonly box = h("div", { class: "plot" });
  private readonly said = h("p", { class: "said" }, "Point at the chart: it says the figures there.");
  private readonly hidden = new Set<number>();
  private plot: uPlot | undefined;
  private width = 0;

  constructor(private readonly about: Chart) {
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width === this.width || width === 0) return;
      this.width = width;
      this.draw();
    }).observe(this.box);
    dark.addEventListener("change", () => this.draw());
    paper.addEventListener("change", () => this.draw());
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
  }

  element(): HTMLElement {
    return h("div", {}, this.legend(), this.box, this.said);
  }

  private print(on: boolean) {
    printing = on;
    this.draw();
  }

  private legend(): HTMLElement {
    const entries = this.about.lines.map(({ name }, at) => {
      const button = h("button", { type: "button", "aria-pressed": "true", class: `line-${at % 7}` }, name);
      button.addEventListener("click", () => {
        if (!this.hidden.delete(at)) this.hidden.add(at);
        button.setAttribute("aria-pressed", String(!this.hidden.has(at)));
        this.plot?.setSeries(at + 1, { show: !this.hidden.has(at) });
      });
      return h("li", {}, button);
    });
    return h("ul", { class: "legend lines" }, ...entries);
  }

  private say(index: number | null | undefined) {
    if (index === null || index === undefined || !this.plot) return;
    const { x, y, lines } = this.about;
    const at = this.plot.data[0][index];
    if (at === undefined) return;
    const values = lines.flatMap(({ name }, line) => {
      const value = this.plot!.data[line + 1]?.[index];
      return value === null || value === undefined || this.hidden.has(line) ? [] : [`${name} ${y.format(value)}`];
    });
    this.said.textContent = `${x.format(at)}: ${values.join(", ")}`;
  }

  private draw() {
    if (this.width === 0) return;
    const { x, y, lines } = this.about;
    this.plot?.destroy();
    this.plot = new uPlot(
      {
        width: this.width,
        height,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false },
        scales: {
          x: { time: false, distr: x.log ? 3 : 1 },
          y: { distr: y.log ? 3 : 1, ...(!y.log && { range: (_u, _least, most) => [0, (most || 1) * 1.05] }) },
        },
        axes: [axisOf(x, "x"), axisOf(y, "y")],
        series: [
          {},
          ...lines.map(({ name, points }, at) => ({
            label: name,
            stroke: colour(at),
            dash: dash(at),
            width: 2,
            spanGaps: true,
            show: !this.hidden.has(at),
            points: { show: points.length <= 12, size: 6 },
          })),
        ],
        hooks: { setCursor: [(plot) => this.say(plot.cursor.idx)] },
      },
      aligned(lines),
      this.box,
    );
    this.plot.root.setAttribute("role", "img");
    this.plot.root.setAttribute("aria-label", `${this.about.title}; the figures follow as a table`);
  }
}

function figuresOf({ title, x, y, lines }: Chart): HTMLElement {
  const [xs, ...ys] = aligned(lines);
  const rows = [...xs].map((at, index) => ({
    cells: [
      { shown: x.format(at), sorts: at },
      ...ys.map((line) => {
        const value = line[index] ?? null;
        return { shown: value === null ? "" : y.format(value), sorts: value };
      }),
    ],
  }));
  const columns = [{ title: x.title }, ...lines.map(({ name }) => ({ title: name, numeric: true }))];
  const details = h("details", {}, h("summary", {}, "The figures as a table"));
  details.addEventListener("toggle", () => details.append(table(title, columns, rows)), { once: true });
  return details;
}

export function chart(about: Chart): HTMLElement {
  return h(
    "figure",
    {},
    h("figcaption", { class: "title" }, about.title),
    new Drawn(about).element(),
    figuresOf(about),
  );
}
