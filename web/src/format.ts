// Numbers as people read them. A figure that is not known is a dash.
export const unknown = "–";

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const digits = [0, 1, 2, 3].map(
  (n) => new Intl.NumberFormat("en", { minimumFractionDigits: n, maximumFractionDigits: n }),
);

export function fixed(value: number | null, decimals: number): string {
  return value === null ? unknown : digits[decimals]!.format(value);
}

export const whole = (value: number | null): string =>
  value === null ? unknown : plain.format(value);

// Three significant digits at most.
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
export const short = (value: number): string => (value >= 1000 ? plain : three).format(value);

export function microseconds(us: number | null): string {
  if (us === null) return unknown;
  if (us >= 999_500) return `${short(us / 1e6)} s`;
  return us >= 999.5 ? `${short(us / 1000)} ms` : `${us >= 10 ? whole(us) : short(us)} µs`;
}

export function bytes(count: number | null): string {
  if (count === null) return unknown;
  if (count >= 1 << 20) return `${short(count / (1 << 20))} MiB`;
  return count >= 1024 ? `${short(count / 1024)} KiB` : `${whole(count)} B`;
}

export const plural = (count: number, noun: string): string =>
  `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;

export function listed(names: string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
