// The report is read as what it is: data of unknown shape, from a command that may be newer or
// older than this page, with strings from other programs in it. What is missing is left out.
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Fields = { [name: string]: Json };

export const fields = (value: Json | undefined): Fields =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};

export const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

export const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");

export const number = (value: Json | undefined): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

export interface Report {
  command: string;
  version: string;
  written: string;
  machine: Fields[];
  result: Json;
}

export function read(source: string): Report {
  const all = fields(JSON.parse(source) as Json);
  return {
    command: text(all.command),
    version: text(all.version),
    written: text(all.written),
    machine: list(all.machine).map(fields),
    result: all.result ?? null,
  };
}
