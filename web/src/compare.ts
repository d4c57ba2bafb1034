// The pages of `iolite compare` and `iolite bench`.
import { type Line, chart } from "./chart";
import { h, section } from "./dom";
import { fixed, listed, microseconds, plural, short, whole } from "./format";
import { type Fields, type Json, fields, list, number, text } from "./json";
import { callsPart, cpuOf, hasFigures, loadTable, nameOf, percentilePart, rowsOf, ties } from "./loads";

// The one with the least processor time, and which are really behind it.
function leastCpu(rows: Fields[]): string {
  const good = rows.filter((row) => hasFigures(row) && !text(row.reason) && cpuOf(row) !== null);
  good.sort((a, b) => cpuOf(a)! - cpuOf(b)!);
  const [best, ...others] = good;
  if (!best) return "No model was measured.";
  const least = cpuOf(best)!;
  const winner = `${nameOf(best)} used the least processor time of the server: ${fixed(least, 2)} µs a request`;
  const equals = others.filter((row) => ties(best, row));
  const next = others.find((row) => !ties(best, row));
  const tied = equals.length > 0 ? `; no difference was seen to ${listed(equals.map(nameOf))}` : "";
  if (!next || least <= 0) return `${winner}${tied}.`;
  const more = (100 * (cpuOf(next)! - least)) / least;
  return `${winner}${tied}. Next is ${nameOf(next)}, which took ${fixed(more, 0)} % more.`;
}

export function compareSummary(result: Json): string {
  return text(fields(result).recommendation) || leastCpu(rowsOf(result));
}

export function benchSummary(result: Json): string {
  const [row = {}] = rowsOf(result);
  if (!hasFigures(row)) return "Nothing was measured.";
  const latency = fields(row.latency_us);
  const errors = number(row.errors) ?? 0;
  return (
    `${plural(number(row.requests) ?? 0, "request")} in ${fixed(number(row.seconds), 1)} s: ` +
    `${whole(number(row.requests_per_second))} a second, half of them within ` +
    `${microseconds(number(latency.p50))}, 99 of 100 within ${microseconds(number(latency.p99))}; ` +
    `${errors === 0 ? "no errors" : plural(errors, "error")}.` +
    (fields(row.client).was_bottleneck === true ? " The load generator was the bottleneck." : "")
  );
}

function lineOf(value: Json): Line {
  const { model, points } = fields(value);
  const pairs = list(points).flatMap((point): [number, number][] => {
    const [x, y] = list(point).map(number);
    return typeof x === "number" && typeof y === "number" && x > 0 && y > 0 ? [[x, y]] : [];
  });
  return { name: text(model), points: pairs };
}

function curvesPart(result: Json): HTMLElement | null {
  const charts = list(fields(result).curves).map(fields).flatMap((curve) => {
    const lines = list(curve.series).map(lineOf).filter(({ points }) => points.length > 0);
    if (lines.length === 0) return [];
    const [x, y] = [text(curve.x), text(curve.y)];
    return [
      chart({
        title: text(curve.title) || `${y} against ${x}`,
        x: { title: x, log: true, format: short },
        y: { title: y, log: true, format: short },
        lines,
      }),
    ];
  });
  return charts.length > 0 ? section("Growth", ...charts) : null;
}

// Of a search for the highest rate: what each rate that was tried gave.
function searchPart(row: Fields): HTMLElement | null {
  const slo = fields(row.slo);
  const trials = list(slo.trials).map(fields);
  const line = (name: string): Line => ({
    name,
    points: trials
      .flatMap((trial): [number, number][] => {
        const [rate, us] = [number(trial.rate), number(trial[name])];
        return rate === null || us === null || us <= 0 ? [] : [[rate, us]];
      })
      .sort((a, b) => a[0] - b[0]),
  });
  const lines = ["p50", "p99"].map(line).filter(({ points }) => points.length > 1);
  if (lines.length === 0) return null;
  const found = number(slo.rate);
  const best = found === null ? "no rate tried meets it" : `${whole(found)} a second is the highest that meets it`;
  return section(
    "The search",
    h("p", {}, `Objective ${text(slo.objective)}: ${best}.`),
    chart({
      title: "Latency by the rate of the requests",
      x: { title: "requests a second", format: whole },
      y: { title: "latency", log: true, format: microseconds },
      lines,
    }),
  );
}

function changesPart(result: Json): HTMLElement | null {
  const changes = list(fields(result).changes).map(text).filter(Boolean);
  if (changes.length === 0) return null;
  return section("Against the baseline", h("ul", {}, ...changes.map((one) => h("li", {}, one))));
}

export function compareParts(result: Json): (HTMLElement | null)[] {
  const rows = rowsOf(result);
  const workload = text(fields(result).workload) || text(rows[0]?.workload);
  return [
    section("Models", loadTable(rows, `Workload ${workload}; click a head to sort`)),
    changesPart(result),
    percentilePart(rows),
    curvesPart(result),
    callsPart(rows),
  ];
}

export function benchParts(result: Json): (HTMLElement | null)[] {
  const rows = rowsOf(result);
  const workload = text(rows[0]?.workload);
  return [
    section("Figures", loadTable(rows, `Load ${workload}`)),
    searchPart(rows[0] ?? {}),
    percentilePart(rows),
    curvesPart(result),
    callsPart(rows),
  ];
}
