// The time axis of the two-phase figure: linear, without the stretches in which nothing happens in
// any lane. Microseconds after the arrival of the data; the same rule as in apps/trace/lanes.cpp.
export interface Stretch {
  lane: string;
  what: string;
  from: number;
  to: number;
}

interface Piece {
  from: number;
  to: number;
  at: number;
}

const margin = 1.5;
const leastCut = 12;
const eventful = new Set(["waking", "copying", "both"]);

function keptOf(stretches: Stretch[]): Piece[] {
  const shown: [number, number][] = [[0, 3]];
  for (const { what, from, to } of stretches)
    if (eventful.has(what)) shown.push([from - margin, to + margin]);
    else if (what === "unknown") shown.push([to - margin, to + margin]);
  shown.sort((a, b) => a[0] - b[0]);
  const pieces: Piece[] = [];
  for (const [begin, to] of shown) {
    const from = Math.max(begin, 0);
    const last = pieces.at(-1);
    if (last && from - last.to < leastCut) last.to = Math.max(last.to, to);
    else pieces.push({ from, to, at: 0 });
  }
  return pieces;
}

export class Axis {
  private readonly pieces: Piece[];
  private readonly scale: number;

  constructor(
    stretches: Stretch[],
    width: number,
    readonly cutWidth: number,
  ) {
    this.pieces = keptOf(stretches);
    const length = this.pieces.reduce((sum, { from, to }) => sum + to - from, 0);
    this.scale = Math.max(width - cutWidth * (this.pieces.length - 1), 1) / length;
    let at = 0;
    for (const piece of this.pieces) {
      piece.at = at;
      at += (piece.to - piece.from) * this.scale + cutWidth;
    }
  }

  at(us: number): number {
    for (const piece of this.pieces) {
      if (us < piece.from) return Math.max(0, piece.at - this.cutWidth / 2);
      if (us <= piece.to) return piece.at + (us - piece.from) * this.scale;
    }
    const last = this.pieces.at(-1)!;
    return last.at + (last.to - last.from) * this.scale;
  }

  cuts(): number[] {
    return this.pieces.slice(1).map(({ at }) => at - this.cutWidth);
  }

  ticks(apart: number): number[] {
    const least = Math.max(apart / this.scale, 1);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((by) => by * power).find((size) => size >= least)!;
    const found: number[] = [];
    for (const { from, to } of this.pieces)
      for (let us = Math.ceil(from / step) * step; us <= to; us += step) found.push(us);
    return found;
  }
}
