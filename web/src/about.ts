// The end of each page: the machine, how it was measured, and the JSON itself.
import { h, section } from "./dom";
import { type Fields, type Report, text } from "./json";
import { table } from "./table";

const methods: Record<string, string[]> = {
  trace: [
    "Each round is one exchange through the library's own engine: the call, a delay, the message, an answer of one byte. The models take turns; five rounds are made first and do not count; figures are medians over the rounds.",
    "The engine reports when the operation starts and ends, a decorator of the kernel interface reports each system call, and the kernel's records of context switches say when the thread slept and woke. The arrival is the transmit stamp of the sending socket, or the kernel's tracepoint where that is allowed.",
    "Rounds that other processes disturbed are left out. What was not visible is drawn as such.",
  ],
  compare: [
    "Every model runs the same handler in a server process of its own; rounds go over all models in turn, so that a slow minute of the machine hits all of them. A row is the round of median processor time.",
    "Processor time and context switches are the system's count of the server and its children, from ready to drained; system calls are counted by the library itself. Every byte of every answer is checked.",
    "Latency with a fixed rate counts from the time at which a request was to be sent. Differences within the spread mean nothing.",
  ],
  bench: [
    "Every byte of every answer is checked. With a fixed rate, latency counts from the time at which a request was to be sent, so that a stall of the server counts in full; requests unanswered when time was up are in it too.",
  ],
};

function machine(findings: Fields[]): HTMLElement | null {
  if (findings.length === 0) return null;
  const rows = findings.map(({ what, found, state, remedy }) => ({
    cells: [what, found, state, remedy].map((value) => ({ shown: text(value) })),
  }));
  const columns = ["What", "Found", "State", "Remedy"].map((title) => ({ title }));
  return section("Machine", table("What this machine allows, as iolite doctor sees it", columns, rows));
}

function raw(report: Report): HTMLElement {
  const json = JSON.stringify(report.result, null, 2);
  const button = h("button", { type: "button", class: "action" }, "Save as a file");
  button.addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([json], { type: "application/json" }));
    h("a", { href: address, download: `iolite-${report.command}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  });
  const view = h("pre", { tabindex: 0, role: "region", "aria-label": "The result as JSON" });
  const details = h("details", {}, h("summary", {}, "Show it"), view);
  details.addEventListener("toggle", () => (view.textContent = json), { once: true });
  return section(
    "Data",
    h("p", {}, `Everything above comes from this: what iolite ${report.command} --json writes. `, button),
    details,
  );
}

export function about(report: Report): (HTMLElement | null)[] {
  const method = methods[report.command];
  return [
    machine(report.machine),
    method ? section("Method", ...method.map((one) => h("p", {}, one))) : null,
    raw(report),
  ];
}
