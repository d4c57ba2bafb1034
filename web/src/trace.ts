// The page of `iolite trace`.
import type { Line } from "./chart";
import { chart } from "./chart";
import { h, section } from "./dom";
import { bytes, fixed, listed, microseconds, plural, unknown, whole } from "./format";
import { type Fields, fields, list, number, text } from "./json";
import { phases } from "./phases";
import { type Row, table } from "./table";

const measured = (models: Fields[]) => models.filter((model) => number(model.t4_us) !== null);

function stuck(models: Fields[]): string {
  const names = models.filter(({ other_tasks_run }) => other_tasks_run === 0).map(({ model }) => text(model));
  return names.length > 0 ? ` While it waited, no other task could run under ${listed(names)}.` : "";
}

export function traceSummary(result: Fields): string {
  if (list(result.sizes).length > 0)
    return "What it costs to receive a message that is there already, by its size.";
  const models = measured(list(result.models).map(fields));
  models.sort((a, b) => number(a.t4_us)! - number(b.t4_us)!);
  const [first, last] = [models[0], models.at(-1)];
  if (!first || !last) return "Nothing was measured.";
  const size = number(result.size) ?? 0;
  const sent = `${plural(size, "byte")} arrived ${microseconds(number(result.delay_us))} after the call.`;
  const quick = `${text(first.model)} had the data in hand first, ${microseconds(number(first.t4_us))} later`;
  const slow =
    first === last ? "" : `; ${text(last.model)} last, after ${microseconds(number(last.t4_us))}`;
  return `${sent} ${quick}${slow}.${stuck(models)}`;
}

const columns = [
  { title: "Model" },
  { title: "In hand after", about: "from the arrival to the end of the copy, median", numeric: true },
  { title: "p10–p90", about: "of the same, over the rounds", numeric: true },
  { title: "Woke after", about: "from the arrival until the thread ran again", numeric: true },
  { title: "CPU in phase 1", about: "processor time of the thread while it waited", numeric: true },
  { title: "Calls", about: "system calls in phase 1 + in phase 2", numeric: true },
  { title: "Copied by" },
  { title: "Other tasks", about: "timers of the same thread that ran while it waited", numeric: true },
];

function row(model: Fields): Row {
  const name = { shown: text(model.model) };
  const end = number(model.t4_us);
  if (end === null) return { cells: [name], note: text(model.reason) || "not measured" };
  const [early, late] = [number(model.t4_p10_us), number(model.t4_p90_us)];
  const [waiting, copying] = [number(model.calls_phase1), number(model.calls_phase2)];
  const [ran, due] = [number(model.other_tasks_run), number(model.other_tasks_due)];
  const time = (us: number | null) => ({ shown: microseconds(us), sorts: us });
  return {
    cells: [
      name,
      time(end),
      {
        shown: early === null || late === null ? unknown : `${fixed(early, 0)}–${fixed(late, 0)} µs`,
        sorts: early === null || late === null ? null : late - early,
      },
      time(number(model.woke_us)),
      time(number(model.cpu_phase1_us)),
      {
        shown: whole(waiting) + (copying ? ` + ${whole(copying)}` : ""),
        sorts: waiting === null ? null : waiting + (copying ?? 0),
      },
      { shown: text(model.copied_by) || unknown },
      { shown: ran === null ? unknown : `${whole(ran)} of ${whole(due)}`, sorts: ran },
    ],
  };
}

function sizeLines(sizes: Fields[], member: string): Line[] {
  const lines = new Map<string, Line>();
  for (const one of sizes) {
    const [x, y] = [number(one.size), number(one[member])];
    const name = text(one.model);
    if (!lines.has(name)) lines.set(name, { name, points: [] });
    if (x !== null && y !== null && y > 0) lines.get(name)!.points.push([x, y]);
  }
  return [...lines.values()].filter(({ points }) => points.length > 0);
}

function sizesPart(sizes: Fields[]): HTMLElement {
  const drawn = (member: string, whose: string) => {
    const lines = sizeLines(sizes, member);
    if (lines.length === 0) return null;
    return chart({
      title: `Processor time of ${whose}, by size of the message`,
      x: { title: "size of the message", log: true, format: bytes },
      y: { title: "processor time", log: true, format: microseconds },
      lines,
    });
  };
  return section(
    "The cost of the copy",
    drawn("own_cpu_us", "the thread that asks"),
    drawn("others_cpu_us", "helper threads and the kernel's workers"),
  );
}

export function traceParts(result: Fields): (HTMLElement | null)[] {
  const sizes = list(result.sizes).map(fields);
  if (sizes.length > 0) return [sizesPart(sizes)];
  const models = list(result.models).map(fields);
  const figure = phases(models);
  const sentences = models.map(({ sentence }) => text(sentence)).filter(Boolean);
  const missing = list(result.missing).map(text).filter(Boolean);
  return [
    section("Models", table("Each model: medians over the rounds", columns, models.map(row))),
    figure && section("The two phases", figure),
    section("In words", h("ul", {}, ...[...sentences, ...missing].map((one) => h("li", {}, one)))),
  ];
}
