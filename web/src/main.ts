// The page of `iolite ... --report`: reads the JSON that the command put into it and draws it.
import "./style.css";
import { about } from "./about";
import { benchParts, benchSummary, compareParts, compareSummary } from "./compare";
import { h } from "./dom";
import { type Report, fields, read } from "./json";
import { traceParts, traceSummary } from "./trace";

interface View {
  title: string;
  summary: string;
  parts: (HTMLElement | null)[];
}

function viewOf({ command, result }: Report): View {
  switch (command) {
    case "trace":
      return {
        title: "Who waits, who copies, and who is free meanwhile",
        summary: traceSummary(fields(result)),
        parts: traceParts(fields(result)),
      };
    case "compare":
      return {
        title: "The same handler on every I/O model",
        summary: compareSummary(result),
        parts: compareParts(result),
      };
    case "bench":
      return { title: "A server under load", summary: benchSummary(result), parts: benchParts(result) };
    default:
      return { title: "iolite", summary: "This page does not know the report; its data is below.", parts: [] };
  }
}

function show(report: Report, into: HTMLElement) {
  const { title, summary, parts } = viewOf(report);
  const written = report.written.replace("T", " ").replace("Z", " UTC");
  const origin = `iolite ${report.command}, version ${report.version}, ${written}`;
  document.title = `iolite ${report.command}: ${title}`;
  const header = h(
    "header",
    {},
    h("h1", {}, title),
    h("p", { class: "summary" }, summary),
    h("p", { class: "origin" }, origin),
  );
  into.replaceChildren(header, ...[...parts, ...about(report)].filter((part) => part !== null));
}

const page = document.getElementById("page")!;
try {
  show(read(document.getElementById("data")!.textContent ?? ""), page);
} catch (error) {
  page.replaceChildren(h("p", { role: "alert" }, `This report is damaged: ${String(error)}`));
}
