// The rows that `iolite compare` and `iolite bench` have in common.
import { type Line, chart } from "./chart";
import { h, section } from "./dom";
import { bytes, fixed, microseconds, unknown, whole } from "./format";
import { type Fields, type Json, fields, list, number, text } from "./json";
import { type Cell, type Row, table } from "./table";

export const serverOf = (row: Fields) => fields(row.server);
export const cpuOf = (row: Fields) => number(serverOf(row).cpu_us_per_request);

// Whether a measurement can tell the processor time of `row` from the least, that of `best`: by the
// intervals where both have one, else by the spread over the rounds.
const leastSpread = 2; // per cent: what a measurement of this kind never tells apart
export function ties(best: Fields, row: Fields): boolean {
  const most = number(list(best.cpu_us_interval)[2]);
  const least = number(list(row.cpu_us_interval)[0]);
  if (most !== null && least !== null) return least <= most;
  const spread = Math.max(number(best.spread_percent) ?? 0, number(row.spread_percent) ?? 0, leastSpread);
  return cpuOf(row)! <= cpuOf(best)! * (1 + spread / 100);
}

export const nameOf = (row: Fields) => text(row.model) || "this run";

// Of a compare: its rows, or an object that has them; a bench is one row.
export function rowsOf(result: Json): Fields[] {
  if (Array.isArray(result)) return result.map(fields);
  const rows = list(fields(result).rows);
  return rows.length > 0 ? rows.map(fields) : [fields(result)];
}

export const hasFigures = (row: Fields) => (number(row.requests) ?? 0) > 0;

interface LoadColumn {
  title: string;
  about: string;
  cell: (row: Fields) => Cell;
}

const column = (
  title: string,
  about: string,
  value: (row: Fields) => number | null,
  show: (value: number | null) => string,
): LoadColumn => ({
  title,
  about,
  cell: (row) => ({ shown: show(value(row)), sorts: value(row) }),
});

const latency = (member: string) => (row: Fields) => number(fields(row.latency_us)[member]);
const server = (member: string) => (row: Fields) => number(serverOf(row)[member]);

const columns: LoadColumn[] = [
  column("Requests/s", "answered in a second", (row) => number(row.requests_per_second), whole),
  column("p50", "half of the answers came within", latency("p50"), microseconds),
  column("p99", "99 of 100 answers came within", latency("p99"), microseconds),
  column("p99.9", "999 of 1,000 answers came within", latency("p99_9"), microseconds),
  column("Longest", "the slowest answer", latency("max"), microseconds),
  column("CPU µs", "processor time of the server for a request", cpuOf, (us) => fixed(us, 2)),
  column("user", "of it in the program, as the system estimates", server("user_us_per_request"), (us) => fixed(us, 2)),
  column("sys", "of it in the kernel", server("sys_us_per_request"), (us) => fixed(us, 2)),
  column(
    "±",
    "how far the CPU time varied over the rounds, in per cent",
    (row) => number(row.spread_percent),
    (percent) => (percent === null ? unknown : `${fixed(percent, 0)} %`),
  ),
  column("Calls", "system calls of the server for a request", server("syscalls_per_request"), (n) => fixed(n, 2)),
  column("Switches", "context switches for a request", server("context_switches_per_request"), (n) => fixed(n, 3)),
  column("Memory", "resident, at most", server("rss_bytes"), bytes),
  column("Threads", "at most", server("threads"), whole),
  column("Errors", "over all rounds", (row) => number(row.errors), whole),
];

export function loadTable(rows: Fields[], caption: string): HTMLElement {
  const good = rows.filter(hasFigures);
  const used = columns.filter(({ cell }) => good.some((row) => cell(row).sorts !== null));
  const lines: Row[] = rows.map((row) => {
    const name = { shown: nameOf(row) };
    const why = text(row.reason);
    if (!hasFigures(row) || why)
      return { cells: [name], note: row.available === false ? `not available: ${why}` : why || "not measured" };
    return { cells: [name, ...used.map(({ cell }) => cell(row))] };
  });
  const heads = used.map(({ title, about }) => ({ title, about, numeric: true }));
  return table(caption, [{ title: "Model" }, ...heads], lines);
}

// --- percentiles: the further out, the more room ---

const shares: [string, number][] = [
  ["p50", 0.5],
  ["p90", 0.9],
  ["p99", 0.99],
  ["p99_9", 0.999],
  ["p99_99", 0.9999],
];

// (1 / (1 - share), us): 2 is the median, 100 is p99. The largest value belongs to the last share
// that the number of answers can tell.
function tailOf(row: Fields): Line {
  const found = list(row.percentiles).flatMap((pair): [number, number][] => {
    const [share, us] = list(pair).map(number);
    return typeof share !== "number" || typeof us !== "number" || share >= 1 || us <= 0 ? [] : [[1 / (1 - share), us]];
  });
  const known = fields(row.latency_us);
  if (found.length === 0)
    for (const [member, share] of shares) {
      const us = number(known[member]);
      if (us !== null && us > 0) found.push([Math.round(1 / (1 - share)), us]);
    }
  const [most, requests] = [number(known.max), number(row.requests) ?? 0];
  if (most !== null && most > 0 && requests > (found.at(-1)?.[0] ?? 1)) found.push([requests, most]);
  return { name: nameOf(row), points: found };
}

const ofShare = (x: number) => (x <= 1 ? "0 %" : `${Number((100 - 100 / x).toPrecision(8))} %`);

export function percentilePart(rows: Fields[]): HTMLElement | null {
  const lines = rows.filter(hasFigures).map(tailOf).filter(({ points }) => points.length > 1);
  if (lines.length === 0) return null;
  const most = Math.max(...lines.flatMap(({ points }) => points.map(([x]) => x)));
  const ticks = [2, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9].filter((x) => x <= most);
  return section(
    "Latency",
    chart({
      title: "Share of the answers that came within a time",
      x: { title: "share of the answers", log: true, format: ofShare, ticks },
      y: { title: "latency", log: true, format: microseconds },
      lines,
    }),
  );
}

// --- system calls ---

const colours = 8; // of bars in style.css; what is rarer shares the last

export function callsPart(rows: Fields[]): HTMLElement | null {
  const of = (row: Fields) =>
    Object.entries(fields(row.syscalls_by_kind)).flatMap(([name, count]) => {
      const each = number(count);
      return each !== null && each >= 0.005 ? [{ name, each }] : [];
    });
  const all = rows.filter(hasFigures).map((row) => ({ name: nameOf(row), calls: of(row) }));
  const shown = all.filter(({ calls }) => calls.length > 0);
  if (shown.length === 0) return null;
  const sums = new Map<string, number>();
  for (const { calls } of shown) for (const { name, each } of calls) sums.set(name, (sums.get(name) ?? 0) + each);
  const order = [...sums].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const most = Math.max(...shown.map(({ calls }) => calls.reduce((sum, { each }) => sum + each, 0)));
  const bars = shown.map(({ name, calls }) => {
    calls.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    const parts = calls.map((call) => {
      const bar = h("span", { class: `bar-${Math.min(order.indexOf(call.name), colours - 1)}` });
      bar.style.width = `${(100 * call.each) / most}%`;
      bar.title = `${call.name} ${fixed(call.each, 2)}`;
      return bar;
    });
    const words = calls.map((call) => `${call.name} ${fixed(call.each, 2)}`).join(", ");
    return h("li", {}, h("b", {}, name), h("span", { class: "bar", "aria-hidden": "true" }, ...parts), h("span", {}, words));
  });
  const names = order.slice(0, colours).map((name, at) => {
    const last = at === colours - 1 && order.length > colours;
    return h("li", {}, h("span", { class: `key bar-${at}`, "aria-hidden": "true" }), last ? "others" : name);
  });
  return section(
    "System calls for a request",
    h("ul", { class: "legend" }, ...names),
    h("ul", { class: "bars" }, ...bars),
  );
}
