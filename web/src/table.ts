// A table whose columns sort: a button in each head, aria-sort on the column that is sorted.
import { h } from "./dom";

export interface Cell {
  shown: string;
  sorts?: number | string | null; // by default what is shown; null comes last either way
}

export interface Column {
  title: string;
  about?: string;
  numeric?: boolean;
}

export interface Row {
  cells: Cell[];
  note?: string; // in place of figures: why there are none
}

type Direction = "ascending" | "descending";

function before(a: Row, b: Row, column: number, direction: Direction): number {
  const [x, y] = [a, b].map(({ cells }) => {
    const cell = cells[column];
    return cell === undefined ? null : cell.sorts === undefined ? cell.shown : cell.sorts;
  });
  if (x === null || y === null || x === undefined || y === undefined)
    return Number(x === null || x === undefined) - Number(y === null || y === undefined);
  const order =
    typeof x === "number" && typeof y === "number"
      ? x - y
      : String(x).localeCompare(String(y), "en", { numeric: true });
  return direction === "ascending" ? order : -order;
}

function line(row: Row, columns: Column[]): HTMLTableRowElement {
  const cells = row.cells.map((cell, at) =>
    at === 0
      ? h("th", { scope: "row" }, cell.shown)
      : h("td", { class: columns[at]?.numeric ? "number" : null }, cell.shown),
  );
  const rest = columns.length - cells.length;
  if (row.note !== undefined) cells.push(h("td", { colspan: rest, class: "note" }, row.note));
  return h("tr", {}, ...cells);
}

export function table(caption: string, columns: Column[], rows: Row[]): HTMLElement {
  const body = h("tbody");
  const heads = columns.map((column) => {
    const button = h("button", { type: "button", title: column.about }, column.title);
    return { button, cell: h("th", { scope: "col", class: column.numeric ? "number" : null }, button) };
  });
  const show = (sorted: Row[]) => body.replaceChildren(...sorted.map((row) => line(row, columns)));
  heads.forEach(({ button, cell }, at) => {
    button.addEventListener("click", () => {
      const direction: Direction =
        cell.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of heads) other.cell.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", direction);
      show([...rows].sort((a, b) => before(a, b, at, direction)));
    });
  });
  show(rows);
  const whole = h(
    "table",
    {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...heads.map(({ cell }) => cell))),
    body,
  );
  return h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": caption }, whole);
}
