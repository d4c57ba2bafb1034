// What each stretch of the figure means, in general and for a model.
import { microseconds } from "./format";
import { type Fields, number, text } from "./json";
import type { Stretch } from "./axis";

export const kinds = ["alone", "free", "asking", "waking", "copying", "both", "unknown"] as const;
export type Kind = (typeof kinds)[number];

export const isKind = (what: string): what is Kind => (kinds as readonly string[]).includes(what);

export const legend: Record<Kind, string> = {
  alone: "asleep for this message alone",
  free: "asleep, any event wakes it",
  asking: "asks in vain",
  waking: "wakes, returns",
  copying: "copies",
  both: "wakes and copies in one call",
  unknown: "not visible",
};

function doing(what: Kind, model: Fields): string {
  const call = text(model.asleep_in) || "a system call";
  switch (what) {
    case "alone":
      return `the thread sleeps in ${call} for this message alone; its other tasks cannot run`;
    case "free":
      return `the thread sleeps in ${call}, and any event wakes it; its other tasks run`;
    case "asking":
      return `the thread calls ${text(model.asks_by) || "the kernel"} again and again, in vain, and uses the processor`;
    case "waking":
      return "the thread is awake and returns to where it can copy";
    case "copying":
      return "the thread copies the data by a system call of its own";
    case "both":
      return "the thread wakes up, and the data is copied within the same call";
    case "unknown":
      return "somewhere in here it woke or copied; when exactly was not visible";
  }
}

function helping(what: Kind): string {
  if (what === "both") return "a helper thread wakes up and copies the data";
  if (what === "unknown") return "the helper thread copies somewhere in here; when was not visible";
  return "the helper thread sleeps until it is given the copy";
}

export function explained(stretch: Stretch, model: Fields): string {
  const what = isKind(stretch.what) ? stretch.what : "unknown";
  const name = text(model.model);
  if (stretch.to <= 0) {
    const long = microseconds(number(model.waited_us));
    return `${name}, phase 1: for ${long} before the data arrives, ${doing(what, model)}.`;
  }
  const times = `${microseconds(stretch.from)} to ${microseconds(stretch.to)} after the arrival`;
  const said = stretch.lane === "helper" ? helping(what) : doing(what, model);
  return `${name}, ${times} (${microseconds(stretch.to - stretch.from)}): ${said}.`;
}
